"""The operator as a process, on a real API server whose audit webhook points at it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
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
from riverwatch.lab.controlplane import certificates, processes

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

    def __init__(self, plane: controlplane.ControlPlane, folder: pathlib.Path, port: int) -> None:
        self.plane = plane
        self.folder = folder
        self.port = port
        self.admin = kube_client.Client(connection.from_kubeconfig(plane.admin_kubeconfig), timeout_s=20)

    def install(self) -> None:
        self.admin.apply(resources.NAMESPACES, namespace(NAMESPACE))
        for path in sorted((ROOT / "crds").glob("*.yaml")):
            self.admin.apply(resources.CUSTOM_RESOURCE_DEFINITIONS, yaml.safe_load(path.read_text()))
        for body in yaml.safe_load_all((ROOT / "manifests" / "rbac.yaml").read_text()):
            self.admin.apply(KINDS[body["kind"]], body)
        wait(self.installed, "custom resources to be served")

    def installed(self) -> bool:
        kinds = (resources.RULES, resources.POLICIES, resources.THREAT_DETECTIONS, resources.MODELS)
        with contextlib.suppress(errors.ApiPermanentError, errors.ApiTemporaryError):
            return all(list(self.admin.list(kind)) is not None for kind in kinds)
        return False

    def start(self, name: str = "operator", **options: str) -> Running:
        kubeconfig = self.plane.service_account_kubeconfig(NAMESPACE, "riverwatch")
        probe_port = free_port()
        chosen = {
            "kubeconfig": str(kubeconfig),
            "audit-host": "127.0.0.1",
            "audit-port": str(self.port),
            "audit-cert": str(self.folder / "receiver.crt"),
            "audit-key": str(self.folder / "receiver.key"),
            "audit-token-file": str(self.folder / "token"),
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
    authority = certificates.Authority(folder / "ca")
    pair = authority.issue_server("receiver", ("127.0.0.1", "localhost"))
    (folder / "receiver.crt").write_bytes(pair.certificate.read_bytes())
    (folder / "receiver.key").write_bytes(pair.key.read_bytes())
    token = secrets.token_urlsafe(32)
    (folder / "token").write_text(token + "\n")
    port = free_port()
    webhook = controlplane.Webhook(
        url=f"https://127.0.0.1:{port}/audit", authority=authority.pair.certificate, token=token
    )
    with controlplane.ControlPlane.start(folder / "plane", controlplane.Options(webhook=webhook)) as plane:
        site = Site(plane, folder, port)
        site.install()
        yield site


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[Running]:
    """An operator in service, shared by the tests that do not stop it."""
    one = site.start(**{"json-lines": str(site.folder / "detections.jsonl")})
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
