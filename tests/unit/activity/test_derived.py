"""Derived fields: values on records as clients send them, absence without a body, the table against the page."""

from __future__ import annotations

import base64
import pathlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from riverwatch.activity import derived, derived_facts, sample

POD = {"containers": [{"name": "c", "image": "ghcr.io/team/app:1"}]}
PRIVILEGED = {"containers": [{"name": "c", "securityContext": {"privileged": True}}]}


def value(field: str, /, **fields: Any) -> Any:
    return derived.value(sample.facts_of(sample.audit_record(**fields)), field)


def template(kind_of: str, spec: Any) -> dict[str, Any]:
    if kind_of == "pods":
        return {"spec": spec}
    if kind_of == "podtemplates":
        return {"template": {"spec": spec}}
    if kind_of == "cronjobs":
        return {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}
    return {"spec": {"template": {"spec": spec}}}


WORKLOADS = [
    "pods",
    "deployments",
    "daemonsets",
    "statefulsets",
    "replicasets",
    "replicationcontrollers",
    "jobs",
    "cronjobs",
    "podtemplates",
    "rollouts",
]


@pytest.mark.parametrize("verb", ["create", "update", "patch"])
@pytest.mark.parametrize("resource", WORKLOADS)
def test_pods_and_every_template_are_read(resource: str, verb: str) -> None:
    fields: dict[str, Any] = {"verb": verb, "resource": resource, "name": "x"}
    assert value("pod.privileged", **fields, request_object=template(resource, PRIVILEGED)) is True
    assert value("pod.privileged", **fields, request_object=template(resource, POD)) is False
    assert value("pod.privileged", **fields) is None


@pytest.mark.parametrize("containers", ["containers", "initContainers", "ephemeralContainers"])
def test_every_kind_of_container_is_read(containers: str) -> None:
    body = {
        "spec": {containers: [{"name": "c", "image": "x", "securityContext": {"capabilities": {"add": ["cap_bpf"]}}}]}
    }
    assert value("pod.capabilities", verb="create", request_object=body) == ("BPF",)
    assert value("pod.image", verb="create", request_object=body) == ("x",)


def test_ephemeral_containers_have_their_subresource() -> None:
    body = {"spec": {"ephemeralContainers": [{"name": "debugger", "image": "busybox"}]}}
    fields = {"verb": "patch", "subresource": "ephemeralcontainers", "request_object": body}
    assert value("pod.ephemeral", **fields) == ("debugger",)
    assert value("pod.image", **fields) == ("busybox",)


@pytest.mark.parametrize("subresource", ["status", "scale", "binding", "eviction"])
def test_bodies_of_other_subresources_do_not_count(subresource: str) -> None:
    body = {"spec": PRIVILEGED}
    assert value("pod.privileged", verb="update", subresource=subresource, request_object=body) is None


def test_a_merge_patch_says_only_what_it_names() -> None:
    fields = {"verb": "patch", "resource": "deployments", "name": "x"}
    assert value("pod.hostNetwork", **fields, request_object=template("deployments", {"hostNetwork": True})) is True
    assert value("pod.hostNetwork", **fields, request_object={"metadata": {"labels": {"a": "b"}}}) is None


PATCHES: dict[str, tuple[list[Any], str, Any]] = {
    "flag of one container": (
        [{"op": "replace", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": True}],
        "pod.privileged",
        True,
    ),
    "whole container at the end": (
        [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "s", "image": "miner"}}],
        "pod.image",
        ("miner",),
    ),
    "volume": (
        [{"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"hostPath": {"path": "/etc"}}}],
        "pod.hostPath",
        ("/etc",),
    ),
    "escaped key": (
        [{"op": "add", "path": "/metadata/annotations/example.com~1key", "value": "x"}],
        "object.annotations",
        ("example.com/key",),
    ),
    "removal says nothing": (
        [{"op": "remove", "path": "/spec/template/spec/containers/0"}],
        "pod.image",
        None,
    ),
    "test says nothing": (
        [{"op": "test", "path": "/spec/template/spec/hostPID", "value": True}],
        "pod.hostPID",
        None,
    ),
}


@pytest.mark.parametrize(("operations", "name", "expected"), PATCHES.values(), ids=PATCHES)
def test_json_patches_are_read_as_patches(operations: list[Any], name: str, expected: Any) -> None:
    assert value(name, verb="patch", resource="deployments", name="x", request_object=operations) == expected


def test_a_container_that_a_patch_removes_does_not_count() -> None:
    body = template("deployments", {"containers": [{"name": "c", "$patch": "delete", "image": "x"}]})
    assert value("pod.image", verb="patch", resource="deployments", request_object=body) is None


def test_the_answer_stands_in_for_a_missing_request() -> None:
    assert value("pod.privileged", verb="create", response_object={"spec": PRIVILEGED}) is True
    assert value("pod.privileged", verb="patch", response_object={"spec": PRIVILEGED}) is None


SPECS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "host path with a detour": ({"volumes": [{"hostPath": {"path": "/data/../etc//"}}]}, "pod.hostPath", ("/etc",)),
    "sensitive one": (
        {"volumes": [{"hostPath": {"path": "/data"}}, {"hostPath": {"path": "/var/lib/kubelet/pods"}}]},
        "pod.sensitiveHostPath",
        ("/var/lib/kubelet/pods",),
    ),
    "no sensitive one": ({"volumes": [{"hostPath": {"path": "/data"}}]}, "pod.sensitiveHostPath", None),
    "runtime socket": (
        {"volumes": [{"hostPath": {"path": "/run/containerd/containerd.sock"}}]},
        "pod.runtimeSocket",
        True,
    ),
    "no runtime socket": ({"volumes": []}, "pod.runtimeSocket", False),
    "host PID": ({"hostPID": True}, "pod.hostPID", True),
    "host IPC false": ({"hostIPC": False}, "pod.hostIPC", False),
    "text is no flag": ({"hostNetwork": "true"}, "pod.hostNetwork", False),
    "shared processes": ({"shareProcessNamespace": True}, "pod.shareProcessNamespace", True),
    "escalation": (
        {"containers": [{"securityContext": {"allowPrivilegeEscalation": True}}]},
        "pod.allowPrivilegeEscalation",
        True,
    ),
    "root by the pod": ({"securityContext": {"runAsUser": 0}}, "pod.runAsRoot", True),
    "not root": ({"securityContext": {"runAsUser": 1000}}, "pod.runAsRoot", False),
    "registry": (
        {"containers": [{"image": "ghcr.io/a/b:1"}, {"image": "nginx"}]},
        "pod.registry",
        ("ghcr.io", "docker.io"),
    ),
    "command": ({"containers": [{"command": ["sh", "-c"], "args": ["id"]}]}, "pod.command", ("sh -c id",)),
    "hook": (
        {"containers": [{"lifecycle": {"postStart": {"exec": {"command": ["id"]}}}}]},
        "pod.hookCommand",
        ("id",),
    ),
    "service account": ({"serviceAccountName": "front"}, "pod.serviceAccountName", "front"),
    "old field of the service account": ({"serviceAccount": "front"}, "pod.serviceAccountName", "front"),
    "auto-mount": ({"automountServiceAccountToken": False}, "pod.automountServiceAccountToken", False),
    "node": ({"nodeName": "n1"}, "pod.nodeName", "n1"),
}


@pytest.mark.parametrize(("spec", "name", "expected"), SPECS.values(), ids=SPECS)
def test_pod_field(spec: dict[str, Any], name: str, expected: Any) -> None:
    assert value(name, verb="create", request_object={"spec": spec}) == expected


ROLES: dict[str, tuple[list[dict[str, Any]], str, Any]] = {
    "grants": (
        [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]}],
        "rbac.grants",
        ("get core/secrets", "list core/secrets"),
    ),
    "everything": ([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], "rbac.can", None),
    "subresource": ([{"verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"]}], "rbac.can", ("exec",)),
    "subresource of anything": (
        [{"verbs": ["create"], "apiGroups": ["*"], "resources": ["*/exec"]}],
        "rbac.can",
        ("exec",),
    ),
    "proxy of nodes by get": (
        [{"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/proxy"]}],
        "rbac.can",
        ("nodes-proxy",),
    ),
    "all verbs on roles": (
        [{"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}],
        "rbac.can",
        ("escalate", "bind", "write-rbac"),
    ),
    "a workload of old": (
        [{"verbs": ["create"], "apiGroups": [""], "resources": ["replicationcontrollers"]}],
        "rbac.can",
        ("write-workloads",),
    ),
    "another group's resource of that name": (
        [{"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["secrets"]}],
        "rbac.can",
        None,
    ),
    "URLs": ([{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}], "rbac.nonResourceURLs", ("/metrics",)),
}


@pytest.mark.parametrize(("rules", "name", "expected"), ROLES.values(), ids=ROLES)
def test_role_field(rules: list[dict[str, Any]], name: str, expected: Any) -> None:
    found = value(name, verb="create", resource="clusterroles", namespace="", request_object={"rules": rules})
    if expected is None and found is not None:
        assert "everything" in found
        assert len(found) == 12
    else:
        assert found == expected


SUBJECTS = [
    {"kind": "ServiceAccount", "name": "front", "namespace": "web"},
    {"kind": "ServiceAccount", "name": "near"},
    {"kind": "User", "name": "ana@example.com"},
    {"kind": "Group", "name": "system:masters"},
]


def test_binding_fields() -> None:
    body = {"roleRef": {"kind": "ClusterRole", "name": "edit"}, "subjects": SUBJECTS}
    fields = {"verb": "create", "resource": "rolebindings", "request_object": body}
    assert value("binding.role", **fields) == "ClusterRole/edit"
    assert value("binding.subjects", **fields) == (
        "ServiceAccount web/front",
        "ServiceAccount web/near",
        "User ana@example.com",
        "Group system:masters",
    )
    assert value("binding.subjectNames", **fields)[0] == "system:serviceaccount:web:front"
    assert value("binding.self", **fields) is True
    assert value("binding.self", **fields, username="bo") is False


def test_role_of_a_patched_binding_is_in_the_answer() -> None:
    fields = {
        "verb": "patch",
        "resource": "clusterrolebindings",
        "namespace": "",
        "request_object": {"subjects": SUBJECTS},
    }
    answer = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
    assert value("binding.role", **fields, response_object=answer) == "ClusterRole/cluster-admin"
    assert value("binding.role", **fields) is None


URIS: dict[str, tuple[str, str, str, Any]] = {
    "every part of the command": (
        "exec",
        "?command=sh&command=-c&command=id%20-u",
        "exec.command",
        ("sh", "-c", "id -u"),
    ),
    "line": ("exec", "?command=sh&command=-c&command=id+-u", "exec.line", "sh -c id -u"),
    "container": ("exec", "?command=sh&container=app", "exec.container", "app"),
    "terminal": ("exec", "?command=sh&tty=true", "exec.tty", True),
    "no command": ("attach", "?container=app", "exec.command", None),
    "not an exec": ("log", "?command=sh", "exec.command", None),
    "too many fields": ("exec", "?" + "&".join(["command=x"] * 1000), "exec.command", None),
    "proxy path": ("proxy", "/metrics/%2e%2e/pods", "proxy.path", "/metrics/../pods"),
    "proxy root": ("proxy", "", "proxy.path", "/"),
}


@pytest.mark.parametrize(("subresource", "rest", "name", "expected"), URIS.values(), ids=URIS)
def test_uri_field(subresource: str, rest: str, name: str, expected: Any) -> None:
    uri = f"/api/v1/namespaces/web/pods/x/{subresource}{rest}"
    assert value(name, subresource=subresource, name="x", request_uri=uri) == expected


REQUESTS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "refused": ({"code": 403}, "request.refused", True),
    "not allowed": ({"code": 401}, "request.allowed", False),
    "not found is allowed": ({"code": 404}, "request.allowed", True),
    "not found failed": ({"code": 404}, "request.failed", True),
    "switching protocols succeeded": ({"code": 101}, "request.succeeded", True),
    "no code yet succeeded": ({"code": 0}, "request.succeeded", True),
    "dry run has no effect": ({"verb": "create", "request_uri": "/x?dryRun=All"}, "request.succeeded", False),
    "reads know no dry run": ({"verb": "list", "request_uri": "/x?dryRun=All"}, "request.succeeded", True),
    "exec knows no dry run": (
        {"verb": "create", "subresource": "exec", "request_uri": "/x?command=id&dryRun=All"},
        "request.succeeded",
        True,
    ),
    "the words in another field are no dry run": (
        {"verb": "create", "request_uri": "/x?fieldManager=dryRun=All"},
        "request.succeeded",
        True,
    ),
    "panic has no effect": ({"stage": "Panic", "code": 200}, "request.succeeded", False),
    "anonymous": ({"username": "system:anonymous"}, "request.anonymous", True),
    "person is a user": ({}, "identity.kind", "User"),
    "namespace of an account": ({"username": "system:serviceaccount:web:front"}, "identity.namespace", "web"),
    "name of an account": ({"username": "system:serviceaccount:web:front"}, "identity.name", "front"),
    "node": ({"username": "system:node:n1", "groups": ["system:nodes"]}, "identity.node", True),
    "node without its group": ({"username": "system:node:n1"}, "identity.node", False),
    "controller": ({"username": "system:serviceaccount:kube-system:job-controller"}, "identity.controller", True),
    "controller elsewhere": ({"username": "system:serviceaccount:web:job-controller"}, "identity.controller", False),
    "masters": ({"groups": ["system:masters"]}, "identity.masters", True),
    "private address": ({"source_ip": "10.1.2.3"}, "source.public", False),
    "public address": ({"source_ip": "198.51.100.7"}, "source.public", True),
    "IPv6": ({"source_ip": "2a00:1450::1"}, "source.public", True),
    "no address": ({"source_ip": "unknown"}, "source.public", False),
    "system namespace": ({"namespace": "kube-system"}, "target.systemNamespace", True),
    "cluster-wide": ({"namespace": ""}, "target.clusterWide", True),
    "list is bulk": ({"verb": "list"}, "request.bulk", True),
    "list of one name is not": (
        {"verb": "list", "request_uri": "/x?fieldSelector=metadata.name%3Dx"},
        "request.bulk",
        False,
    ),
    "path": ({"request_uri": "/api?x=1"}, "request.path", "/api"),
}


@pytest.mark.parametrize(("fields", "name", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_request_field(fields: dict[str, Any], name: str, expected: Any) -> None:
    assert value(name, **fields) == expected


def csr(common_name: str, *organisations: str) -> str:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in organisations]
    subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    key = ed25519.Ed25519PrivateKey.generate()
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


def test_certificate_request_fields() -> None:
    spec = {
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "username": "ana@example.com",
    }
    body = {"spec": {**spec, "request": csr("system:admin", "system:masters")}}
    fields: dict[str, Any] = {
        "verb": "create",
        "resource": "certificatesigningrequests",
        "namespace": "",
        "request_object": body,
    }
    assert value("csr.signerName", **fields) == "kubernetes.io/kube-apiserver-client"
    assert value("csr.commonName", **fields) == "system:admin"
    assert value("csr.organizations", **fields) == ("system:masters",)
    approval = {**body, "status": {"conditions": [{"type": "Approved"}]}}
    fields |= {"verb": "update", "subresource": "approval", "request_object": approval}
    assert value("csr.approved", **fields) is True
    assert value("csr.denied", **fields) is False
    assert value("csr.selfApproved", **fields) is True
    assert value("csr.selfApproved", **fields, username="bo") is False


@pytest.mark.parametrize(
    "request_text", ["", "no base64!", "AAAA", "x" * 200_000], ids=["empty", "text", "bytes", "long"]
)
def test_a_certificate_request_that_cannot_be_read_is_absent(request_text: str) -> None:
    body = {"spec": {"request": request_text}}
    fields: dict[str, Any] = {"verb": "create", "resource": "certificatesigningrequests", "request_object": body}
    assert value("csr.commonName", **fields) is None


CONFIGS: dict[str, tuple[dict[str, Any], Any]] = {
    "key name": ({"db.password": "hunter2"}, ("db.password",)),
    "upper case": ({"API_KEY": "x"}, ("API_KEY",)),
    "AWS key in a file": ({"app.ini": "[s3]\nid = AKIAABCDEFGHIJKLMNOP\n"}, ("app.ini",)),
    "private key": ({"tls": "-----BEGIN RSA PRIVATE KEY-----\nMII"}, ("tls",)),
    "assignment in a file": ({"env": "USER=a\nPASSWORD=hunter2\n"}, ("env",)),
    "reference to a variable": ({"env": "PASSWORD=${DB_PASSWORD}\n"}, None),
    "empty value": ({"password": ""}, None),
    "harmless words": ({"passwordPolicy": "strict", "token.ttl": "10s", "secretName": "x"}, None),
    "no text": ({"password": 3}, None),
}


@pytest.mark.parametrize(("data", "expected"), CONFIGS.values(), ids=CONFIGS)
def test_credentials_in_a_config_map(data: dict[str, Any], expected: Any) -> None:
    fields: dict[str, Any] = {"verb": "create", "resource": "configmaps", "request_object": {"data": data}}
    assert value("configmap.secretLike", **fields) == expected


OBJECTS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "webhook url": (
        {
            "resource": "mutatingwebhookconfigurations",
            "request_object": {"webhooks": [{"clientConfig": {"url": "https://x"}}]},
        },
        "webhook.urls",
        ("https://x",),
    ),
    "webhook service": (
        {
            "resource": "validatingwebhookconfigurations",
            "request_object": {"webhooks": [{"clientConfig": {"service": {"namespace": "a", "name": "b"}}}]},
        },
        "webhook.services",
        ("a/b",),
    ),
    "failure policy": (
        {"resource": "mutatingwebhookconfigurations", "request_object": {"webhooks": [{"failurePolicy": "Ignore"}]}},
        "webhook.failurePolicy",
        ("Ignore",),
    ),
    "life of a token": (
        {"resource": "serviceaccounts", "subresource": "token", "request_object": {"spec": {"expirationSeconds": 600}}},
        "token.expirationSeconds",
        600,
    ),
    "audiences of a token": (
        {"resource": "serviceaccounts", "subresource": "token", "request_object": {"spec": {"audiences": ["vault"]}}},
        "token.audiences",
        ("vault",),
    ),
    "bound token": (
        {
            "resource": "serviceaccounts",
            "subresource": "token",
            "request_object": {"spec": {"boundObjectRef": {"kind": "Pod"}}},
        },
        "token.bound",
        True,
    ),
    "service type": (
        {"resource": "services", "request_object": {"spec": {"type": "NodePort"}}},
        "service.type",
        "NodePort",
    ),
    "external addresses": (
        {"resource": "services", "request_object": {"spec": {"externalIPs": ["1.2.3.4"]}}},
        "service.externalIPs",
        ("1.2.3.4",),
    ),
    "ports": ({"resource": "services", "request_object": {"spec": {"ports": [{"port": 80}]}}}, "service.ports", (80,)),
    "ingress with TLS": ({"resource": "ingresses", "request_object": {"spec": {"tls": [{}]}}}, "ingress.tls", True),
    "ingress without": ({"resource": "ingresses", "request_object": {"spec": {}}}, "ingress.tls", False),
    "type of a secret": ({"resource": "secrets", "request_object": {"type": "Opaque"}}, "secret.type", "Opaque"),
    "owner": (
        {"request_object": {"metadata": {"ownerReferences": [{"kind": "Job", "name": "j", "controller": True}]}}},
        "owner",
        "Job/j",
    ),
    "owner that does not control": (
        {"request_object": {"metadata": {"ownerReferences": [{"kind": "Job", "name": "j"}]}}},
        "owner",
        None,
    ),
    "replicas": (
        {"resource": "deployments", "subresource": "scale", "request_object": {"spec": {"replicas": 0}}},
        "object.replicas",
        0,
    ),
    "labels": ({"request_object": {"metadata": {"labels": {"a": "b"}}}}, "object.labels", ("a=b",)),
}


@pytest.mark.parametrize(("fields", "name", "expected"), OBJECTS.values(), ids=OBJECTS)
def test_object_field(fields: dict[str, Any], name: str, expected: Any) -> None:
    assert value(name, verb="create", **fields) == expected
    assert value(name, verb="create", **{key: one for key, one in fields.items() if key != "request_object"}) is None


@pytest.mark.parametrize("name", derived.REGISTRY)
def test_every_field_is_absent_or_harmless_on_any_body(name: str) -> None:
    for resource in (
        "pods",
        "roles",
        "rolebindings",
        "configmaps",
        "secrets",
        "services",
        "certificatesigningrequests",
    ):
        for body in (None, 1, "x", [], [1], {}, {"spec": 1}, {"metadata": []}, {"rules": [3]}, {"data": [1]}):
            found = value(name, verb="create", resource=resource, request_object=body)
            assert found is None or isinstance(found, (str, int, bool, tuple))


@pytest.mark.parametrize("field", derived.REGISTRY.values(), ids=derived.REGISTRY)
def test_types_and_levels_of_the_table_are_true(field: derived_facts.DerivedField) -> None:
    assert field.doc
    assert field.origin
    assert field.needs in ("Metadata", "Request", "RequestResponse")
    bare = value(field.name, verb="create", name="x")
    allowed = {"bool": bool, "int": int, "str": str, "str[]": tuple, "int[]": tuple}[field.type]
    assert bare is None or isinstance(bare, allowed)
    if field.needs != "Metadata" and field.name != "pod.name":
        assert bare is None


def test_each_field_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    parse = derived_facts.parse
    monkeypatch.setattr(derived_facts, "parse", lambda raw: calls.append(bytes(raw)) or parse(raw))
    facts = sample.facts_of(sample.audit_record(verb="create", request_object={"spec": POD}))
    assert calls == []
    for _ in range(3):
        derived.value(facts, "pod.image")
        derived.value(facts, "pod.registry")
        derived.value(facts, "pod.privileged")
    assert len(calls) == 1


def test_a_body_nested_beyond_reason_is_absent() -> None:
    facts = sample.facts_of(sample.audit_record(verb="create"))
    assert derived_facts.parse(type(facts.activity.record.request_object)(b"[" * 100_000 + b"]" * 100_000)) is None


def test_the_page_of_derived_fields_is_as_generated() -> None:
    page = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "derived-fields.md"
    assert page.read_text(encoding="utf-8") == derived.markdown()
