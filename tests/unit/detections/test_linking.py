"""Hand-overs between identities: which requests are, what is followed, what is told."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.detections import linking

ACCOUNT = "system:serviceaccount:web:front"
OTHER = "system:serviceaccount:pay:clerk"


def nobody(namespace: str, name: str) -> str:
    return ""


def activity(**fields):
    return normalise.from_audit(testing.audit_record(**{"code": 201, "user": ACCOUNT, **fields}))


def links(one, *, runs_as=nobody):
    return linking.links_of(one, key=one.principal.username, told=True, runs_as=runs_as)


BINDING = {
    "roleRef": {"kind": "ClusterRole", "name": "admin"},
    "subjects": [
        {"kind": "ServiceAccount", "namespace": "pay", "name": "clerk"},
        {"kind": "Group", "name": "ops"},
        {"kind": "User", "name": "eve"},
    ],
}
POD = {"kind": "Pod", "metadata": {"name": "tool"}, "spec": {"serviceAccountName": "clerk", "containers": []}}
HAND_OVERS = {
    "a minted token": (
        {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "namespace": "pay", "name": "clerk"},
        [(OTHER, "minted a token for pay/clerk")],
    ),
    "a new account": (
        {"verb": "create", "resource": "serviceaccounts", "namespace": "pay", "name": "clerk"},
        [(OTHER, "created the account pay/clerk")],
    ),
    "a binding": (
        {
            "verb": "create",
            "resource": "clusterrolebindings",
            "api_group": "rbac.authorization.k8s.io",
            "namespace": "",
            "name": "b",
            "request_object": BINDING,
        },
        [(OTHER, "bound ClusterRole/admin to pay/clerk"), ("eve", "bound ClusterRole/admin to eve")],
    ),
    "a pod that runs as another": (
        {"verb": "create", "resource": "pods", "namespace": "pay", "name": "tool", "request_object": POD},
        [
            (OTHER, "created the pod pay/tool, which runs as pay/clerk"),
            ("pod pay/tool", "created the pod pay/tool, which runs as pay/clerk"),
        ],
    ),
    "an exec into a pod nobody knows": (
        {"verb": "get", "resource": "pods", "subresource": "exec", "namespace": "pay", "name": "till", "code": 101},
        [("pod pay/till", "went into the pod pay/till")],
    ),
}


@pytest.mark.parametrize("case", HAND_OVERS)
def test_hand_over_is_seen(case):
    fields, expected = HAND_OVERS[case]
    assert [(link.target, link.phrase) for link in links(activity(**fields))] == expected


def test_exec_links_the_account_of_the_pod_when_it_is_known():
    fields, _ = HAND_OVERS["an exec into a pod nobody knows"]
    made = links(activity(**fields), runs_as=lambda *_: OTHER)
    assert [link.target for link in made] == ["pod pay/till", OTHER]


@pytest.mark.parametrize("case", HAND_OVERS)
def test_refused_hand_over_hands_nothing_over(case):
    fields, _ = HAND_OVERS[case]
    assert links(activity(**{**fields, "code": 403})) == []


ORDINARY = {
    "a read": {"verb": "get", "resource": "serviceaccounts", "name": "clerk", "code": 200},
    "reading a pod": {"verb": "get", "resource": "pods", "name": "till", "code": 200},
    "a token for oneself": {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "namespace": "web",
        "name": "front",
    },
    "a pod as oneself": {
        "verb": "create",
        "resource": "pods",
        "namespace": "web",
        "name": "",
        "request_object": {"kind": "Pod", "spec": {"serviceAccountName": "front"}},
    },
}


@pytest.mark.parametrize("case", ORDINARY)
def test_ordinary_request_links_nobody(case):
    assert links(activity(**ORDINARY[case])) == []


def test_binding_with_many_subjects_links_nobody():
    subjects = [{"kind": "User", "name": f"user-{number}"} for number in range(linking.MAX_TARGETS + 1)]
    fields, _ = HAND_OVERS["a binding"]
    assert links(activity(**{**fields, "request_object": {**BINDING, "subjects": subjects}})) == []


def test_impersonation_links_the_two_names_of_one_credential():
    one = activity(verb="list", resource="secrets", name="", impersonated={"username": "system:admin"})
    (link,) = linking.links_of(one, key=f"{ACCOUNT} as system:admin", told=False, runs_as=nobody)
    assert (link.source, link.target, link.told) == (ACCOUNT, f"{ACCOUNT} as system:admin", True)


def test_approval_links_the_name_in_the_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "eve")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    body = {
        "kind": "CertificateSigningRequest",
        "spec": {"request": pem, "signerName": "kubernetes.io/kube-apiserver-client"},
        "status": {"conditions": [{"type": "Approved", "status": "True"}]},
    }
    one = activity(
        verb="update",
        resource="certificatesigningrequests",
        api_group="certificates.k8s.io",
        subresource="approval",
        namespace="",
        name="eve",
        code=200,
        request_object=body,
    )
    assert [(link.target, link.phrase) for link in links(one)] == [("eve", "approved a certificate for eve")]


def link(number: int = 0, *, told: bool = True, time_s: float = testing.START_S) -> linking.Link:
    return linking.Link(ACCOUNT, f"target-{number}", "did something", time_s, f"audit-{number}", told)


def test_link_is_followed_while_it_lives():
    known = linking.Links()
    known.add(link())
    assert [one.source for one in known.coming_in(["target-0"], now_s=testing.START_S + linking.LIFE_S)] == [ACCOUNT]
    assert known.coming_in(["target-0"], now_s=testing.START_S + linking.LIFE_S + 1.0) == []
    assert known.coming_in(["target-0"], now_s=testing.START_S - 1.0) == []


def test_link_is_not_followed_before_its_source_is_raised_with_it():
    known = linking.Links()
    known.add(link(told=False))
    now_s = testing.START_S + 60.0
    known.confirm(ACCOUNT, ["another record"])
    assert known.coming_in(["target-0"], now_s=now_s) == []
    known.confirm(ACCOUNT, ["audit-0"])
    assert len(known.coming_in(["target-0"], now_s=now_s)) == 1


def test_memory_of_links_is_bounded_and_survives(monkeypatch):
    monkeypatch.setattr(linking, "MAX_LINKS", 3)
    known = linking.Links()
    for number in range(10):
        known.add(link(number))
    other = linking.Links()
    other.load(known.dump())
    for one in (known, other):
        assert [kept.target for kept in one.going_out(ACCOUNT)] == ["target-7", "target-8", "target-9"]
        assert one.coming_in(["target-0"], now_s=testing.START_S) == []
    assert other.dump() == known.dump()
