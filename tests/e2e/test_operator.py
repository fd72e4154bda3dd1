"""The operator as a process, on a real API server whose audit webhook points at it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import riverwatch
from riverwatch import errors
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources
from riverwatch.lab import controlplane
from riverwatch.lab.controlplane import processes

WAIT_S = 60.0
"""Longest wait for anything, in seconds; the machine may be busy."""

ROOT = pathlib.Path(riverwatch.__file__).parents[2]

NAMESPACE = "riverwatch-system"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait(condition, what: str) -> Any:
    """Wait until the condition returns something true, and return it."""
    found: list[Any] = []

    def asked() -> bool:
        found[:] = [condition()]
        return bool(found[0])

    processes.wait(asked, timeout_s=WAIT_S, what=what)
    return found[0]


@dataclasses.dataclass
class Running:
    """An operator process."""

    process: subprocess.Popen[bytes]
    log: pathlib.Path
    probe_port: int

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probe_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        return self.get("/readyz")[0] == 200

    def metric(self, name: str) -> float:
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"did not stop on SIGTERM:\n{self.log.read_text()[-4000:]}") from None


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


class Site:
    """A control plane, what an operator needs to run on it, and clients for the people who act there."""

    def __init__(self, plane: controlplane.ControlPlane, folder: pathlib.Path, webhook: controlplane.Webhook) -> None:
        self.plane = plane
        self.webhook = webhook
        self.from_line = 0
        self._kubeconfig = folder / "unset"
        self.folder = folder
        self.port = int(webhook.url.split(":")[2].partition("/")[0])
        self.admin = kube_client.Client(connection.from_kubeconfig(plane.admin_kubeconfig), timeout_s=20)

    def install(self) -> None:
        self.admin.apply(resources.NAMESPACES, namespace(NAMESPACE))
        for path in sorted((ROOT / "crds").glob("*.yaml")):
            self.admin.apply(resources.CUSTOM_RESOURCE_DEFINITIONS, yaml.safe_load(path.read_text()))
        for body in yaml.safe_load_all((ROOT / "manifests" / "rbac.yaml").read_text()):
            self.admin.apply(KINDS[body["kind"]], body)
        wait(self.installed, "custom resources to be served")
        self._kubeconfig = self.plane.service_account_kubeconfig(NAMESPACE, "riverwatch")
        self.admin.apply(resources.CLUSTER_POLICIES, BUDGET)

    def installed(self) -> bool:
        kinds = (resources.RULES, resources.POLICIES, resources.THREAT_DETECTIONS, resources.MODELS)
        with contextlib.suppress(errors.ApiPermanentError, errors.ApiTemporaryError):
            return all(list(self.admin.list(kind)) is not None for kind in kinds)
        return False

    def start(self, name: str = "operator", **options: str) -> Running:
        probe_port = free_port()
        chosen = {
            "kubeconfig": str(self._kubeconfig),
            "audit-host": "127.0.0.1",
            "audit-port": str(self.port),
            "audit-cert": str(self.folder / "audit" / "tls.crt"),
            "audit-key": str(self.folder / "audit" / "tls.key"),
            "audit-token-file": str(self.folder / "audit" / "token"),
            "probe-host": "127.0.0.1",
            "probe-port": str(probe_port),
        } | options
        log = self.folder / f"{name}.log"
        command = [sys.executable, "-m", "riverwatch", "run"]
        command += [part for option, value in chosen.items() for part in (f"--{option}", value)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RIVERWATCH_")}
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        return Running(process, log, probe_port)

    def thief_of(self, account_namespace: str, account: str) -> Thief:
        """Whoever holds the stolen token of a service account, at a shell."""
        return Thief(self.plane.url, self.plane.authority, self.plane.service_account_token(account_namespace, account))

    def detections(self, actor: str) -> list[dict[str, Any]]:
        found = self.admin.list(resources.THREAT_DETECTIONS)
        return [one for one in found if one["spec"]["actor"]["name"] == actor]

    def condition(self, kind: resources.Resource, name: str, *, within: str = "", generation: int = 0) -> dict | None:
        body = self.admin.get(kind, name=name, namespace=within)
        for one in (body.get("status") or {}).get("conditions", []):
            if one["type"] == "Ready" and one.get("observedGeneration", 0) >= generation:
                return one
        return None


BUDGET = {
    "apiVersion": resources.CLUSTER_POLICIES.api_version,
    "kind": resources.CLUSTER_POLICIES.kind,
    "metadata": {"name": "tests"},
    "spec": {"alertBudget": {"perDay": 10_000}},
}
"""More happens in these tests within a minute than the default budget lets through in a day."""

KINDS = {
    kind.kind: kind
    for kind in (
        resources.SERVICE_ACCOUNTS,
        resources.CLUSTER_ROLES,
        resources.CLUSTER_ROLE_BINDINGS,
        resources.ROLES,
        resources.ROLE_BINDINGS,
    )
}


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def object_of(kind: resources.Resource, name: str, within: str = "", **content: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": within} if within else {})
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A control plane that sends its audit records to a port where an operator may listen."""
    folder = tmp_path_factory.mktemp("operator")
    made = folder / "audit"
    subprocess.run([ROOT / "manifests" / "audit-credentials.sh", made, "127.0.0.1"], check=True, capture_output=True)
    port = free_port()
    webhook = controlplane.Webhook(
        url=f"https://127.0.0.1:{port}/audit", authority=made / "ca.crt", token=(made / "token").read_text().strip()
    )
    with controlplane.ControlPlane.start(folder / "plane", controlplane.Options(webhook=webhook)) as plane:
        site = Site(plane, folder, webhook)
        site.install()
        yield site


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[Running]:
    """An operator in service, shared by the tests that do not stop it.

    It listens before the API server starts, so that it is sent every record from `Site.from_line` of the log on.
    """
    with site.plane.api_server_away():
        site.from_line = len(site.plane.audit_log.read_text().splitlines())
        one = site.start(**{"json-lines": str(site.folder / "detections.jsonl")})
        try:
            wait(lambda: one.get("/healthz")[0] == 200, "operator to live")
            assert one.get("/readyz")[0] == 503
        except BaseException:
            one.stop()
            raise
    try:
        wait(one.ready, "operator to be ready")
        yield one
    finally:
        assert one.stop() == 0


def steal_account(site: Site, within: str, name: str, rules: list[dict[str, Any]]) -> Thief:
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
    return site.thief_of(within, name)


READ_SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]


def test_stolen_account_that_reads_all_secrets_is_told(site, running):
    thief = steal_account(site, "web", "front", READ_SECRETS)
    assert thief.call("GET", "/api/v1/secrets") == 200

    found = wait(lambda: site.detections("front"), "a ThreatDetection")[0]

    assert found["metadata"]["namespace"] == "web"
    assert found["spec"]["actor"] == {"kind": "ServiceAccount", "name": "front", "namespace": "web"}
    assert any(target["resource"] == "secrets" for target in found["spec"]["targets"])
    assert found["spec"]["evidence"][0]["auditID"]
    assert found["spec"]["recommendations"]
    wait(lambda: site.detections("front")[0].get("status", {}).get("phase") == "Open", "the status")
    events = wait(
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
    accepted = wait(lambda: site.condition(resources.POLICIES, "p", within="calm"), "a condition")

    assert (accepted["status"], accepted["reason"], accepted["observedGeneration"]) == ("True", "Accepted", 1)

    assert quiet.call("GET", "/api/v1/secrets") == 200
    assert loud.call("GET", "/api/v1/secrets") == 200
    wait(lambda: site.detections("other"), "the detection of the account that is not excepted")
    assert site.detections("reader") == []


def test_wrong_policy_is_refused_with_its_path_and_the_good_one_stays(site, running):
    thief = steal_account(site, "strict", "auditor", READ_SECRETS)
    good = policy(resources.POLICIES, "p", "strict", exceptions=except_actor("strict/auditor"))
    site.admin.apply(resources.POLICIES, good)
    wait(lambda: site.condition(resources.POLICIES, "p", within="strict"), "a condition")
    bad = policy(
        resources.POLICIES,
        "p",
        "strict",
        exceptions=[{"name": "known", "reason": "typing error", "match": {"sourceCIDRs": ["10.0.0.0/99"]}}],
    )
    site.admin.apply(resources.POLICIES, bad)
    refused = wait(lambda: site.condition(resources.POLICIES, "p", within="strict", generation=2), "a refusal")

    assert (refused["status"], refused["reason"]) == ("False", "InvalidSpec")
    assert "spec.exceptions[0].match.sourceCIDRs[0]" in refused["message"]
    assert "generation 1 stays in force" in refused["message"]
    assert running.metric("riverwatch_invalid_policies") == 1

    assert thief.call("GET", "/api/v1/secrets") == 200
    assert steal_account(site, "strict", "sentinel", READ_SECRETS).call("GET", "/api/v1/secrets") == 200
    wait(lambda: site.detections("sentinel"), "the detection of an account that is not excepted")
    assert site.detections("auditor") == []

    site.admin.delete(resources.POLICIES, name="p", namespace="strict")
    wait(lambda: running.metric("riverwatch_invalid_policies") == 0, "the policy to be forgotten")
    assert thief.call("GET", "/api/v1/secrets") == 200
    wait(lambda: site.detections("auditor"), "a detection once the policy is gone")


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
    accepted = wait(lambda: site.condition(resources.RULES, "payroll"), "a condition")

    assert accepted["status"] == "True", accepted
    reader = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    thief = steal_account(site, "hr", "clerk", reader)
    thief.call("GET", "/api/v1/namespaces/hr/configmaps/payroll")
    found = wait(lambda: site.detections("clerk"), "a detection by the user's rule")[0]
    assert "payroll" in found["spec"]["detectors"]

    wrong = [audit_case("read", fires=False, object_name="payroll")]
    site.admin.apply(resources.RULES, object_of(resources.RULES, "payroll", spec={"sigma": SIGMA, "cases": wrong}))
    refused = wait(lambda: site.condition(resources.RULES, "payroll", generation=2), "a refusal")
    assert (refused["status"], refused["reason"]) == ("False", "CasesFailed")
    assert "'read'" in refused["message"]


def test_verdict_closes_the_detection_for_good(site, running):
    thief = steal_account(site, "triaged", "bot", READ_SECRETS)
    thief.call("GET", "/api/v1/secrets")
    found = wait(lambda: site.detections("bot"), "a detection")[0]
    verdict = {"spec": {"triage": {"verdict": "FalsePositive", "reason": "drill", "by": "ana@example.com"}}}
    site.admin.merge(resources.THREAT_DETECTIONS, verdict, name=found["metadata"]["name"], namespace="triaged")
    wait(lambda: site.detections("bot")[0]["status"]["phase"] == "Resolved", "the phase to follow the verdict")

    thief.call("GET", "/api/v1/secrets?again")
    wait(lambda: site.detections("bot")[0]["status"]["count"] > found["spec"]["evidenceCount"], "more evidence")
    grown = site.detections("bot")[0]
    assert grown["spec"]["triage"]["verdict"] == "FalsePositive"
    assert grown["status"]["phase"] == "Resolved"


def test_operator_does_not_detect_itself(site, running):
    wait(lambda: running.metric('riverwatch_records_skipped_total{reason="own_identity"}') > 0, "own records")

    assert site.detections("riverwatch") == []


def test_model_states_are_reported(site, running):
    found = wait(lambda: list(site.admin.list(resources.MODELS)), "a DetectionModel")
    wait(lambda: all(one.get("status", {}).get("phase") for one in site.admin.list(resources.MODELS)), "a phase")
    assert {one["metadata"]["name"] for one in found} == {"models"}


def test_what_is_asked_of_a_model_is_in_force_or_refused_in_its_status(site, running):
    first = wait(lambda: list(site.admin.list(resources.MODELS)), "a DetectionModel")[0]["metadata"]

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
        wait(lambda: phase() == "Frozen", "a frozen model")
        assert in_force("False")
    finally:
        ask(frozen=False, rollbackTo=None)
    wait(lambda: phase() != "Frozen", "a model that learns again")
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
        policies.write_text(yaml.safe_dump(BUDGET))
        command = [sys.executable, "-m", "riverwatch", "replay", str(log), "--policy", str(policies), "-o", "jsonl"]
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=120)
        return told(json.loads(line) for line in done.stdout.splitlines())

    thief = site.thief_of("web", "front")
    assert thief.call("GET", "/api/v1/namespaces/kube-system/secrets") == 200
    wait(lambda: "/namespaces/kube-system/secrets" in site.plane.audit_log.read_text(), "the record")
    expected = replayed()

    assert expected
    assert sum(len(spec["evidence"]) for spec in expected.values()) == 2

    def live() -> dict[str, dict[str, Any]]:
        return told(site.admin.list(resources.THREAT_DETECTIONS))

    wait(lambda: [len(spec["evidence"]) for spec in live().values()] == [2], "the live run to come so far")
    [found], [wanted] = live().values(), expected.values()
    assert live().keys() == expected.keys()
    assert abs(found.pop("score") - wanted.pop("score")) < 1.0
    assert {field for field in wanted if found[field] != wanted[field]} == set()


def _is(ask, value: object) -> bool:
    return ask() == value


def record_of(site: Site, account: str) -> dict[str, Any]:
    """Take a record of a stolen account's listing out of the audit log."""
    for line in site.plane.audit_log.read_text().splitlines():
        record = json.loads(line)
        if record["user"]["username"].endswith(f":{account}") and record["requestURI"] == "/api/v1/secrets":
            return record
    raise AssertionError(f"nothing of {account} in the log")


def send(site: Site, records: list[dict[str, Any]], *, port: int = 0) -> int:
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
        wait(lambda: running.metric('riverwatch_pending_deliveries{output="threat_detection"}') >= 1, "a pending one")
        assert running.get("/healthz")[0] == 200

    wait(lambda: site.detections("away"), "the detection once the API server is back")

    late = steal_account(site, "late", "runner", READ_SECRETS)
    late.call("GET", "/api/v1/secrets")
    wait(lambda: site.detections("runner"), "life to go on")
    site.admin.apply(resources.POLICIES, policy(resources.POLICIES, "after", "late", mode="Detect"))
    wait(lambda: site.condition(resources.POLICIES, "after", within="late"), "watches to go on")


def test_start_waits_for_an_api_server_that_is_away(site, running):
    with site.plane.api_server_away():
        second = site.start("second", **{"audit-port": "0"})
        try:
            wait(lambda: second.get("/readyz")[0] == 503, "probes")
            wait(lambda: "API server is away" in second.get("/readyz")[1], "a reason")
            assert second.get("/healthz")[0] == 200
            assert second.process.poll() is None
        except BaseException:
            second.stop()
            raise
    try:
        wait(second.ready, "readiness once the API server is there")
    finally:
        assert second.stop() == 0
    assert "waiting for the API server" in second.log.read_text()


def test_restart_goes_on_where_it_was(site, running):
    site.admin.apply(resources.NAMESPACES, namespace("kept"))
    text = json.dumps(record_of(site, "front"))

    def as_of(number: int) -> dict[str, Any]:
        return json.loads(text.replace("web:front", "kept:worker")) | {"auditID": f"kept-{number}"}

    port = free_port()
    options = {"audit-port": str(port), "state-dir": str(site.folder / "state")}

    def counted() -> int:
        return sum((body.get("status") or {}).get("count", 0) for body in site.detections("worker"))

    for number in (1, 2):
        one = site.start(f"kept-{number}", **options)
        try:
            wait(one.ready, "operator to be ready")
            assert send(site, [as_of(number)], port=port) == 200
            wait(functools.partial(_is, counted, number), "the detection")
        finally:
            assert one.stop() == 0
    [found] = site.detections("worker")

    assert [item["auditID"] for item in found["spec"]["evidence"]] == ["kept-1", "kept-2"]
