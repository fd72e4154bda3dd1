"""Admission reviews: what record each becomes, what is left out, who may send, and that the answer always allows."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import aiohttp
import msgspec
import pytest

from riverwatch import errors, metrics
from riverwatch.activity import derived_facts, derived_pod, derived_request, normalise, record
from riverwatch.sources import admission_review, admission_webhook, base, decode, webhook_access

TIME = "2026-01-15T08:00:00.250000Z"
TOKEN = "a-token-in-the-path"
POD = {
    "kind": "Pod",
    "metadata": {"name": "front-1"},
    "spec": {"containers": [{"name": "app", "image": "app", "securityContext": {"privileged": True}}]},
}


def review(operation: str = "CREATE", *, group: str = "", resource: str = "pods", **request: Any) -> dict[str, Any]:
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u-1",
            "operation": operation,
            "kind": {"group": group, "version": "v1", "kind": "Any"},
            "resource": {"group": group, "version": "v1", "resource": resource},
            "userInfo": {
                "username": "system:serviceaccount:web:front",
                "uid": "5",
                "groups": ["system:authenticated"],
                "extra": {"authentication.kubernetes.io/credential-id": ["JTI=7"]},
            },
            "namespace": "web",
            "name": "front-1",
            "object": None,
            "oldObject": None,
            "dryRun": False,
            **request,
        },
    }


def line_of(body: dict[str, Any]) -> bytes:
    return admission_review.convert(json.dumps(body).encode(), received=TIME).record


def activity_of(body: dict[str, Any]) -> record.Activity:
    [one] = decode.RecordDecoder(tally=base.Tally()).body(line_of(body), where="x")
    return normalise.from_audit(one)


def value(module: Any, name: str, activity: record.Activity) -> Any:
    [field] = [field for field in module.FIELDS if field.name == name]
    return field.compute(derived_facts.Facts(activity))


def test_record_says_who_did_what_to_which_object():
    found = activity_of(review(object=POD))

    assert (found.principal.label, found.credential_id) == ("web/front", "JTI=7")
    assert (found.verb, found.resource_path, found.namespace, found.name) == ("create", "pods", "web", "front-1")
    assert (found.level, found.code, found.audit_id) == ("Request", 201, "admission-u-1")
    assert found.time_s == normalise.parse_time(TIME)
    assert (found.source_ip, found.user_agent) == ("", "")
    assert json.loads(bytes(found.record.request_object)) == POD
    assert found.request_uri == "/api/v1/namespaces/web/pods/front-1"


def test_body_conditions_work_on_it():
    assert value(derived_pod, "pod.privileged", activity_of(review(object=POD))) is True


@pytest.mark.parametrize(
    ("body", "verb", "uri"),
    [
        pytest.param(
            review("UPDATE", group="apps", resource="deployments"),
            "update",
            "/apis/apps/v1/namespaces/web/deployments/front-1",
            id="update of a group",
        ),
        pytest.param(review("DELETE"), "delete", "/api/v1/namespaces/web/pods/front-1", id="delete"),
        pytest.param(review("DELETE", name=""), "deletecollection", "/api/v1/namespaces/web/pods", id="delete of many"),
        pytest.param(
            review(resource="namespaces", name="web"), "create", "/api/v1/namespaces/web", id="namespace itself"
        ),
        pytest.param(
            review(resource="clusterroles", group="rbac.authorization.k8s.io", namespace="", name="a:b/c"),
            "create",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b%2Fc",
            id="name that needs quoting",
        ),
        pytest.param(
            review(name="", object={"metadata": {"name": "made-x7"}}),
            "create",
            "/api/v1/namespaces/web/pods/made-x7",
            id="generated name",
        ),
        pytest.param(
            review(
                resource="deployments",
                group="apps",
                requestResource={"group": "extensions", "version": "v1beta1", "resource": "deployments"},
                requestSubResource="scale",
            ),
            "create",
            "/apis/extensions/v1beta1/namespaces/web/deployments/front-1/scale",
            id="what was asked for counts",
        ),
    ],
)
def test_verb_and_path_follow_the_operation(body, verb, uri):
    found = activity_of(body)

    assert (found.verb, found.request_uri) == (verb, uri)


def test_exec_keeps_its_command():
    options = {
        "kind": "PodExecOptions",
        "stdin": True,
        "tty": True,
        "container": "app",
        "command": ["sh", "-c", "id;x"],
    }
    found = activity_of(review("CONNECT", subResource="exec", object=options))

    assert (found.verb, found.subresource) == ("create", "exec")
    assert value(derived_request, "exec.command", found) == ("sh", "-c", "id;x")
    assert value(derived_request, "exec.container", found) == "app"
    assert value(derived_request, "exec.tty", found) is True


def test_proxy_keeps_its_path():
    body = review(
        "CONNECT", resource="nodes", subResource="proxy", namespace="", name="n1", object={"path": "run/a/b/c"}
    )

    assert value(derived_request, "proxy.path", activity_of(body)) == "/run/a/b/c"


@pytest.mark.parametrize("resource", ["secrets", "configmaps"])
def test_bodies_with_credentials_are_left_out(resource):
    line = line_of(review(resource=resource, object={"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}))

    assert b"aHVudGVyMg" not in line
    assert json.loads(line)["level"] == "Metadata"


def test_dry_run_leaves_no_record_but_is_allowed():
    found = admission_review.convert(json.dumps(review(dryRun=True)).encode(), received=TIME)

    assert found.record == b""
    assert json.loads(found.answer)["response"] == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"{", "no AdmissionReview", id="no JSON"),
        pytest.param(b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}', "request", id="audit batch"),
        pytest.param(b'{"kind":"AdmissionReview","apiVersion":"v9","request":{}}', "uid", id="no uid"),
        pytest.param(
            json.dumps(review() | {"apiVersion": "admission.k8s.io/v1beta1"}).encode(), "v1beta1", id="old version"
        ),
        pytest.param(b"[" * 100_000, "no AdmissionReview", id="nested too deep"),
    ],
)
def test_what_is_no_review_is_refused_with_its_reason(body, text):
    with pytest.raises(errors.BadInputError, match=text):
        admission_review.convert(body, received=TIME)


@pytest.mark.parametrize("change", ["name", "namespace", "object", "userInfo", "subResource", "dryRun"])
@pytest.mark.parametrize("odd", [7, "x", [], {}, None, "\ud800", {"a": {"b": []}}], ids=repr)
def test_odd_values_are_refused_or_converted_never_a_crash(change, odd):
    body = json.dumps(review(**{change: odd})).encode()
    try:
        line = admission_review.convert(body, received=TIME).record
    except errors.BadInputError:
        return
    tally = base.Tally()
    decode.RecordDecoder(tally=tally).body(line, where="x")
    assert tally.read == bool(line)


class Served:
    """A receiver and what it took."""

    def __init__(self, tmp_path: pathlib.Path, tokens: str = TOKEN) -> None:
        self.tokens = tmp_path / "tokens"
        self.tokens.write_text(tokens + "\n")
        self.taken: list[base.Delivery] = []
        self.counters = metrics.Metrics()
        self.source = admission_webhook.AdmissionWebhook(
            lambda one: self.taken.append(one) or True,
            insecure=True,
            access=webhook_access.Access(admission_token_file=self.tokens),
            counters=self.counters,
        )

    async def post(self, path: str, body: object = None) -> tuple[int, bytes]:
        url = self.source.url.removesuffix("/audit") + path
        async with aiohttp.ClientSession() as client, client.post(url, json=body or review(object=POD)) as answer:
            return answer.status, await answer.read()


async def test_token_in_the_path_opens_reviews_and_nothing_else(tmp_path):
    served = Served(tmp_path)
    await served.source.start()
    try:
        assert (await served.post(f"/v1/admission/{TOKEN}"))[0] == 200
        assert (await served.post("/v1/admission/another-token-here"))[0] == 401
        assert (await served.post("/v1/admission"))[0] == 401
        assert (await served.post(f"/audit?token={TOKEN}"))[0] == 401
    finally:
        await served.source.stop()

    assert len(served.taken) == 1
    assert msgspec.json.decode(served.taken[0].body)["auditID"] == "admission-u-1"


async def test_changed_token_is_used_without_a_restart(tmp_path):
    served = Served(tmp_path)
    await served.source.start()
    try:
        served.tokens.write_text("quite-another-token\n")
        assert await served.source.reload()
        assert (await served.post(f"/v1/admission/{TOKEN}"))[0] == 401
        assert (await served.post("/v1/admission/quite-another-token"))[0] == 200
    finally:
        await served.source.stop()


async def test_wrong_review_is_a_plain_400_and_counted(tmp_path):
    served = Served(tmp_path)
    await served.source.start()
    try:
        status, text = await served.post(f"/v1/admission/{TOKEN}", {"kind": "Pod"})
    finally:
        await served.source.stop()

    assert status == 400
    assert b"no AdmissionReview" in text
    assert b'result="malformed"} 1.0' in served.counters.exposition()
