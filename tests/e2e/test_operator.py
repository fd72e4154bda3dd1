"""The operator as a process, on a real API server whose audit webhook points at it."""

from __future__ import annotations

import functools
import json
import pathlib
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import yaml

from riverwatch.kube import resources

NAMESPACE = "riverwatch-system"


class Thief:
    """Uses a stolen token with curl."""

    def __init__(self, url: str, authority: pathlib.Path, token: str) -> None:
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "curl/8.5.0"}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        headers = self._headers | {"Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._tls) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return int(refusal.code)


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def object_of(kind: resources.Resource, name: str, within: str = "", **content: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": within} if within else {})
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content}


def thief_of(site: Any, account_namespace: str, account: str) -> Thief:
    """Whoever holds the stolen token of a service account, at a shell."""
    return Thief(site.plane.url, site.plane.authority, site.plane.service_account_token(account_namespace, account))


def condition(site: Any, kind: resources.Resource, name: str, *, within: str = "", generation: int = 0) -> dict | None:
    body = site.admin.get(kind, name=name, namespace=within)
    for one in (body.get("status") or {}).get("conditions", []):
        if one["type"] == "Ready" and one.get("observedGeneration", 0) >= generation:
            return one
    return None


def steal_account(site: Any, within: str, name: str, rules: list[dict[str, Any]]) -> Thief:
    """Make a service account with rights and steal its token."""
    site.admin.apply(resources.NAMESPACES, namespace(within))
    site.admin.apply(resources.SERVICE_ACCOUNTS, object_of(resources.SERVICE_ACCOUNTS, name, within))
    full = f"{within}-{name}"
    site.admin.apply(resources.CLUSTER_ROLES, object_of(resources.CLUSTER_ROLES, full, rules=rules))
    binding = object_of(
        resources.CLUSTER_ROLE_BINDINGS,
        full,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": full},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": within}],
    )
    site.admin.apply(resources.CLUSTER_ROLE_BINDINGS, binding)
    return thief_of(site, within, name)


READ_SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]


def test_stolen_account_that_reads_all_secrets_is_told(site, running):
    thief = steal_account(site, "web", "front", READ_SECRETS)
    assert thief.call("GET", "/api/v1/secrets") == 200

    found = site.wait(lambda: site.detections("front"), "a ThreatDetection")[0]

    assert found["metadata"]["namespace"] == "web"
    assert found["spec"]["actor"] == {"kind": "ServiceAccount", "name": "front", "namespace": "web"}
    assert any(target["resource"] == "secrets" for target in found["spec"]["targets"])
    assert found["spec"]["evidence"][0]["auditID"]
    assert found["spec"]["recommendations"]
    site.wait(lambda: site.detections("front")[0].get("status", {}).get("phase") == "Open", "the status")
    events = site.wait(
        lambda: [
            one
            for one in site.admin.list(resources.K8S_EVENTS, namespace="web")
            if one["involvedObject"]["name"] == found["metadata"]["name"]
        ],
        "a Kubernetes Event",
    )
    assert len(events) == 1
    assert events[0]["involvedObject"]["uid"] == found["metadata"]["uid"]
    assert events[0]["reason"] == "ThreatDetected"
    assert len(events[0]["message"]) <= 1024


def policy(kind: resources.Resource, name: str, within: str = "", **spec: Any) -> dict[str, Any]:
    return object_of(kind, name, within, spec=spec)


def except_actor(actor: str) -> list[dict[str, Any]]:
    return [{"name": "known", "reason": "reads secrets by design", "match": {"actors": [actor]}}]


def test_policy_is_in_force_within_seconds(site, running):
    quiet = steal_account(site, "calm", "reader", READ_SECRETS)
    loud = steal_account(site, "calm", "other", READ_SECRETS)
    site.admin.apply(
        resources.POLICIES, policy(resources.POLICIES, "p", "calm", exceptions=except_actor("calm/reader"))
    )
    accepted = site.wait(lambda: condition(site, resources.POLICIES, "p", within="calm"), "a condition")

    assert (accepted["status"], accepted["reason"], accepted["observedGeneration"]) == ("True", "Accepted", 1)

    assert quiet.call("GET", "/api/v1/secrets") == 200
    assert loud.call("GET", "/api/v1/secrets") == 200
    site.wait(lambda: site.detections("other"), "the detection of the account that is not excepted")
    assert site.detections("reader") == []


def test_wrong_policy_is_refused_with_its_path_and_the_good_one_stays(site, running):
    thief = steal_account(site, "strict", "auditor", READ_SECRETS)
    good = policy(resources.POLICIES, "p", "strict", exceptions=except_actor("strict/auditor"))
    site.admin.apply(resources.POLICIES, good)
    site.wait(lambda: condition(site, resources.POLICIES, "p", within="strict"), "a condition")
    bad = policy(
        resources.POLICIES,
        "p",
        "strict",
        exceptions=[{"name": "known", "reason": "typing error", "match": {"sourceCIDRs": ["10.0.0.0/99"]}}],
    )
    site.admin.apply(resources.POLICIES, bad)
    refused = site.wait(lambda: condition(site, resources.POLICIES, "p", within="strict", generation=2), "a refusal")

    assert (refused["status"], refused["reason"]) == ("False", "InvalidSpec")
    assert "spec.exceptions[0].match.sourceCIDRs[0]" in refused["message"]
    assert "generation 1 stays in force" in refused["message"]
    assert running.metric("riverwatch_invalid_policies") == 1

    assert thief.call("GET", "/api/v1/secrets") == 200
    assert steal_account(site, "strict", "sentinel", READ_SECRETS).call("GET", "/api/v1/secrets") == 200
    site.wait(lambda: site.detections("sentinel"), "the detection of an account that is not excepted")
    assert site.detections("auditor") == []

    site.admin.delete(resources.POLICIES, name="p", namespace="strict")
    site.wait(lambda: running.metric("riverwatch_invalid_policies") == 0, "the policy to be forgotten")
    assert thief.call("GET", "/api/v1/secrets") == 200
    site.wait(lambda: site.detections("auditor"), "a detection once the policy is gone")


SIGMA = """\
title: Payroll is read
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: get, objectRef.resource: configmaps, objectRef.name: payroll}
  condition: selection
level: high
tags: [attack.collection, attack.t1530]
"""


def audit_case(name: str, *, fires: bool, object_name: str) -> dict[str, Any]:
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "6f1c2f2e-5a3b-4d0e-9a51-0c7f3c1a2b00",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": f"/api/v1/namespaces/hr/configmaps/{object_name}",
        "user": {"username": "ana@example.com", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.200.0.7"],
        "objectRef": {"resource": "configmaps", "namespace": "hr", "name": object_name, "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-15T08:00:00.000000Z",
        "stageTimestamp": "2026-01-15T08:00:00.004000Z",
    }
    return {"name": name, "fires": fires, "record": record}


def test_rule_of_a_user_works_without_a_restart(site, running):
    cases = [audit_case("read", fires=True, object_name="payroll"), audit_case("other", fires=False, object_name="x")]
    site.admin.apply(resources.RULES, object_of(resources.RULES, "payroll", spec={"sigma": SIGMA, "cases": cases}))
    accepted = site.wait(lambda: condition(site, resources.RULES, "payroll"), "a condition")

    assert accepted["status"] == "True", accepted
    reader = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    thief = steal_account(site, "hr", "clerk", reader)
    thief.call("GET", "/api/v1/namespaces/hr/configmaps/payroll")
    found = site.wait(lambda: site.detections("clerk"), "a detection by the user's rule")[0]
    assert "payroll" in found["spec"]["detectors"]

    wrong = [audit_case("read", fires=False, object_name="payroll")]
    site.admin.apply(resources.RULES, object_of(resources.RULES, "payroll", spec={"sigma": SIGMA, "cases": wrong}))
    refused = site.wait(lambda: condition(site, resources.RULES, "payroll", generation=2), "a refusal")
    assert (refused["status"], refused["reason"]) == ("False", "CasesFailed")
    assert "'read'" in refused["message"]


def test_verdict_closes_the_detection_for_good(site, running):
    thief = steal_account(site, "triaged", "bot", READ_SECRETS)
    thief.call("GET", "/api/v1/secrets")
    found = site.wait(lambda: site.detections("bot"), "a detection")[0]
    verdict = {"spec": {"triage": {"verdict": "FalsePositive", "reason": "drill", "by": "ana@example.com"}}}
    site.admin.merge(resources.THREAT_DETECTIONS, verdict, name=found["metadata"]["name"], namespace="triaged")
    site.wait(lambda: site.detections("bot")[0]["status"]["phase"] == "Resolved", "the phase to follow the verdict")

    thief.call("GET", "/api/v1/secrets?again")
    site.wait(lambda: site.detections("bot")[0]["status"]["count"] > found["spec"]["evidenceCount"], "more evidence")
    grown = site.detections("bot")[0]
    assert grown["spec"]["triage"]["verdict"] == "FalsePositive"
    assert grown["status"]["phase"] == "Resolved"


def test_operator_does_not_detect_itself(site, running):
    site.wait(lambda: running.metric('riverwatch_records_skipped_total{reason="own_identity"}') > 0, "own records")

    assert site.detections("riverwatch") == []


def test_model_states_are_reported(site, running):
    found = site.wait(lambda: list(site.admin.list(resources.MODELS)), "a DetectionModel")
    site.wait(lambda: all(one.get("status", {}).get("phase") for one in site.admin.list(resources.MODELS)), "a phase")
    assert {one["metadata"]["name"] for one in found} == {"models"}


def test_what_is_asked_of_a_model_is_in_force_or_refused_in_its_status(site, running):
    first = site.wait(lambda: list(site.admin.list(resources.MODELS)), "a DetectionModel")[0]["metadata"]

    def ask(**spec) -> None:
        place = {"namespace": first["namespace"], "name": first["name"]}
        site.admin.merge(resources.MODELS, {"spec": spec}, **place)

    def in_force(status: str) -> bool:
        body = site.admin.get(resources.MODELS, namespace=first["namespace"], name=first["name"])
        told = body.get("status", {}).get("conditions", ())
        return any(one["type"] == "SpecInForce" and one["status"] == status for one in told)

    def phase() -> str:
        body = site.admin.get(resources.MODELS, namespace=first["namespace"], name=first["name"])
        return body["status"].get("phase", "")

    try:
        ask(frozen=True, rollbackTo="novelty-0")
        site.wait(lambda: phase() == "Frozen", "a frozen model")
        assert in_force("False")
    finally:
        ask(frozen=False, rollbackTo=None)
    site.wait(lambda: phase() != "Frozen", "a model that learns again")
    assert in_force("True")


def test_probes_tell_what_runs(site, running):
    status, text = running.get("/healthz")
    assert (status, "[+]worker ok" in text) == (200, True)
    assert running.metric("riverwatch_records_used_total") > 100
    assert running.metric('riverwatch_deliveries_total{outcome="delivered",output="threat_detection"}') > 0
    assert running.metric("riverwatch_worker_faults_total") == 0


def test_replay_of_the_audit_log_gives_the_same_detections(site, running):
    # The API server writes records of requests that overlap to its log in another order than to its webhook. Counts
    # of habits, and so numbers in the last digit, depend on the order; what is told does not.
    def told(bodies) -> dict[str, dict[str, Any]]:
        return {
            f"{body['metadata']['namespace']}/{body['metadata']['name']}": {
                **body["spec"],
                "explanation": [line["text"] for line in body["spec"]["explanation"]],
            }
            for body in bodies
            if body["spec"]["actor"]["name"] == "front"
        }

    def replayed() -> dict[str, dict[str, Any]]:
        lines = site.plane.audit_log.read_text().splitlines(keepends=True)[site.from_line :]
        log = site.folder / "replayed.jsonl"
        log.write_text("".join(line for line in lines if f":{NAMESPACE}:riverwatch" not in line))
        policies = site.folder / "policies.yaml"
        policies.write_text(yaml.safe_dump(site.budget))
        command = [sys.executable, "-m", "riverwatch", "replay", str(log), "--policy", str(policies), "-o", "jsonl"]
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=120)
        return told(json.loads(line) for line in done.stdout.splitlines())

    thief = thief_of(site, "web", "front")
    assert thief.call("GET", "/api/v1/namespaces/kube-system/secrets") == 200
    site.wait(lambda: "/namespaces/kube-system/secrets" in site.plane.audit_log.read_text(), "the record")
    expected = replayed()

    assert expected
    assert sum(len(spec["evidence"]) for spec in expected.values()) == 2

    def live() -> dict[str, dict[str, Any]]:
        return told(site.admin.list(resources.THREAT_DETECTIONS))

    site.wait(lambda: [len(spec["evidence"]) for spec in live().values()] == [2], "the live run to come so far")
    [found], [wanted] = live().values(), expected.values()
    assert live().keys() == expected.keys()
    assert abs(found.pop("score") - wanted.pop("score")) < 1.0
    assert {field for field in wanted if found[field] != wanted[field]} == set()


def _is(ask, value: object) -> bool:
    return ask() == value


def record_of(site: Any, account: str) -> dict[str, Any]:
    """Take a record of a stolen account's listing out of the audit log."""
    for line in site.plane.audit_log.read_text().splitlines():
        record = json.loads(line)
        if record["user"]["username"].endswith(f":{account}") and record["requestURI"] == "/api/v1/secrets":
            return record
    raise AssertionError(f"nothing of {account} in the log")


def send(site: Any, records: list[dict[str, Any]], *, port: int = 0) -> int:
    """Do what the API server does."""
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": records}
    headers = {"Authorization": f"Bearer {site.webhook.token}"}
    headers["Content-Type"] = "application/json"
    tls = ssl.create_default_context(cafile=str(site.webhook.authority))
    url = f"https://127.0.0.1:{port or site.port}/audit"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=20, context=tls) as answer:
        return int(answer.status)


def test_detections_wait_while_the_api_server_is_away(site, running):
    template = record_of(site, "front")
    moved = json.loads(json.dumps(template).replace("web:front", "web:away").replace(template["auditID"], "away-1"))
    with site.plane.api_server_away():
        assert send(site, [moved]) == 200
        site.wait(
            lambda: running.metric('riverwatch_pending_deliveries{output="threat_detection"}') >= 1, "a pending one"
        )
        assert running.get("/healthz")[0] == 200

    site.wait(lambda: site.detections("away"), "the detection once the API server is back")

    late = steal_account(site, "late", "runner", READ_SECRETS)
    late.call("GET", "/api/v1/secrets")
    site.wait(lambda: site.detections("runner"), "life to go on")
    site.admin.apply(resources.POLICIES, policy(resources.POLICIES, "after", "late", mode="Detect"))
    site.wait(lambda: condition(site, resources.POLICIES, "after", within="late"), "watches to go on")


def test_start_waits_for_an_api_server_that_is_away(site, running):
    with site.plane.api_server_away():
        second = site.start(port=site.free_port())
        try:
            site.wait(lambda: second.get("/readyz")[0] == 503, "probes")
            site.wait(lambda: "API server is away" in second.get("/readyz")[1], "a reason")
            assert second.get("/healthz")[0] == 200
            assert second.process.poll() is None
        except BaseException:
            second.stop()
            raise
    try:
        site.wait(second.ready, "readiness once the API server is there")
    finally:
        assert second.stop() == 0
    assert "waiting for the API server" in second.log.read_text()


def test_restart_goes_on_where_it_was(site, running):
    site.admin.apply(resources.NAMESPACES, namespace("kept"))
    text = json.dumps(record_of(site, "front"))

    def as_of(number: int) -> dict[str, Any]:
        return json.loads(text.replace("web:front", "kept:worker")) | {"auditID": f"kept-{number}"}

    port = site.free_port()
    options = {"port": port, "state_dir": str(site.folder / "state")}

    def counted() -> int:
        return sum((body.get("status") or {}).get("count", 0) for body in site.detections("worker"))

    for number in (1, 2):
        one = site.start(**options)
        try:
            site.wait(one.ready, "operator to be ready")
            assert send(site, [as_of(number)], port=port) == 200
            site.wait(functools.partial(_is, counted, number), "the detection")
        finally:
            assert one.stop() == 0
    [found] = site.detections("worker")

    assert [item["auditID"] for item in found["spec"]["evidence"]] == ["kept-1", "kept-2"]
