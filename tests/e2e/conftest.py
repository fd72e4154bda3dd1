"""Real control planes for the tests in this folder; all of them carry the marker `e2e`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

import riverwatch
from riverwatch import errors
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources
from riverwatch.lab import controlplane
from riverwatch.lab.controlplane import processes

TIMEOUT_S = 300
"""Longest one test may take, in seconds; making a control plane, which may build it first, does not count."""

StartControlPlane = Callable[[controlplane.Options], controlplane.ControlPlane]
"""Starts one more control plane, which ends with the test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S, func_only=True))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    """One control plane with everything and two nodes, shared by all tests: use a namespace of your own."""
    folder = tmp_path_factory.mktemp("control-plane")
    with controlplane.ControlPlane.start(folder, controlplane.Options(kwok=True)) as plane:
        plane.add_node("worker-1", "10.0.1.1")
        plane.add_node("worker-2", "10.0.1.2")
        yield plane


@pytest.fixture
def start_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartControlPlane]:
    """Control planes of one test's own, for those that need a webhook or take a program away."""
    planes: list[controlplane.ControlPlane] = []

    def start(chosen: controlplane.Options) -> controlplane.ControlPlane:
        planes.append(controlplane.ControlPlane.start(tmp_path_factory.mktemp("own-plane"), chosen))
        return planes[-1]

    yield start
    for plane in planes:
        plane.stop(grace_s=0)


ROOT = pathlib.Path(riverwatch.__file__).parents[2]

OPERATOR_NAMESPACE = "riverwatch-system"

WAIT_S = 60.0
"""Longest wait for anything, in seconds; the machine may be busy."""

_RBAC_KINDS = {
    kind.kind: kind
    for kind in (
        resources.SERVICE_ACCOUNTS,
        resources.CLUSTER_ROLES,
        resources.CLUSTER_ROLE_BINDINGS,
        resources.ROLES,
        resources.ROLE_BINDINGS,
    )
}


@dataclasses.dataclass
class OperatorProcess:
    """An operator on a control plane, and what an admin sees of it."""

    process: subprocess.Popen[bytes]
    log: pathlib.Path
    probe_port: int
    audit_port: int

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


class OperatorSite:
    """Installs the operator on a control plane and starts it there; used by tests that need one of their own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.credentials = folder / "credentials"
        self.started: list[OperatorProcess] = []
        script = ROOT / "manifests" / "audit-credentials.sh"
        subprocess.run([script, self.credentials, "127.0.0.1"], check=True, capture_output=True)

    def wait(self, condition: Callable[[], Any], what: str, *, timeout_s: float = WAIT_S) -> Any:
        """Wait until the condition returns something true, and return it."""
        found: list[Any] = []

        def asked() -> bool:
            found[:] = [condition()]
            return bool(found[0])

        processes.wait(asked, timeout_s=timeout_s, what=what)
        return found[0]

    def free_port(self) -> int:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return int(one.getsockname()[1])

    def webhook(self, port: int) -> controlplane.Webhook:
        token = (self.credentials / "token").read_text().strip()
        url = f"https://127.0.0.1:{port}/audit"
        return controlplane.Webhook(url=url, authority=self.credentials / "ca.crt", token=token)

    def install(self, plane: controlplane.ControlPlane) -> kube_client.Client:
        """Apply everything that the operator needs; give the admin's client."""
        admin = kube_client.Client(connection.from_kubeconfig(plane.admin_kubeconfig), timeout_s=20)
        core = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}
        admin.apply(resources.NAMESPACES, core)
        for path in sorted((ROOT / "crds").glob("*.yaml")):
            admin.apply(resources.CUSTOM_RESOURCE_DEFINITIONS, yaml.safe_load(path.read_text()))
        for body in yaml.safe_load_all((ROOT / "manifests" / "rbac.yaml").read_text()):
            admin.apply(_RBAC_KINDS[body["kind"]], body)
        kinds = (resources.RULES, resources.POLICIES, resources.THREAT_DETECTIONS, resources.MODELS)

        def served() -> bool:
            with contextlib.suppress(errors.ApiPermanentError, errors.ApiTemporaryError):
                return all(list(admin.list(kind)) is not None for kind in kinds)
            return False

        self.wait(served, "custom resources to be served")
        return admin

    def kubeconfig(self, plane: controlplane.ControlPlane) -> str:
        """Make the operator's way to an API server that is there."""
        return str(plane.service_account_kubeconfig(OPERATOR_NAMESPACE, "riverwatch"))

    def start(self, plane: controlplane.ControlPlane, *, port: int = 0, **options: str) -> OperatorProcess:
        """Start the operator; `options` are settings of `riverwatch run`."""
        port, probe_port = port or self.free_port(), self.free_port()
        chosen = {
            "kubeconfig": options.get("kubeconfig") or self.kubeconfig(plane),
            "audit_host": "127.0.0.1",
            "audit_port": str(port),
            "audit_cert": str(self.credentials / "tls.crt"),
            "audit_key": str(self.credentials / "tls.key"),
            "audit_token_file": str(self.credentials / "token"),
            "probe_host": "127.0.0.1",
            "probe_port": str(probe_port),
        } | options
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RIVERWATCH_")}
        environment |= {f"RIVERWATCH_{key.upper()}": value for key, value in chosen.items()}
        log = self.folder / f"operator-{len(self.started)}.log"
        with log.open("wb") as file:
            command = [sys.executable, "-m", "riverwatch", "run"]
            process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        self.started.append(OperatorProcess(process, log, probe_port, port))
        return self.started[-1]

    def stop(self) -> None:
        """Stop the operators that still run."""
        for one in self.started:
            one.stop()


@pytest.fixture
def operator_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorSite]:
    """Operators of one test's own, stopped with it."""
    site = OperatorSite(tmp_path_factory.mktemp("operator-site"))
    yield site
    site.stop()


BUDGET = {
    "apiVersion": resources.CLUSTER_POLICIES.api_version,
    "kind": resources.CLUSTER_POLICIES.kind,
    "metadata": {"name": "tests"},
    "spec": {"alertBudget": {"perDay": 10_000}},
}
"""More happens in these tests within a minute than the default budget lets through in a day."""


class Site:
    """A control plane that sends its audit records to a port, the operators that may listen there, and its admin."""

    def __init__(self, plane: controlplane.ControlPlane, operators: OperatorSite, port: int) -> None:
        self.plane = plane
        self.folder = operators.folder
        self.port = port
        self.webhook = operators.webhook(port)
        self.from_line = 0
        self.wait, self.free_port = operators.wait, operators.free_port
        self.admin = operators.install(plane)
        self.budget = BUDGET
        self.admin.apply(resources.CLUSTER_POLICIES, self.budget)
        self._operators = operators
        self._kubeconfig = operators.kubeconfig(plane)

    def start(self, *, port: int = 0, **options: str) -> OperatorProcess:
        """Start an operator, where the API server sends its records or on another port; it may be away."""
        return self._operators.start(self.plane, port=port or self.port, kubeconfig=self._kubeconfig, **options)

    def detections(self, actor: str) -> list[dict[str, Any]]:
        """Return the ThreatDetections about an actor."""
        found = self.admin.list(resources.THREAT_DETECTIONS)
        return [one for one in found if one["spec"]["actor"]["name"] == actor]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A control plane that sends its audit records to a port where an operator may listen, for one module."""
    operators = OperatorSite(tmp_path_factory.mktemp("operator"))
    port = operators.free_port()
    chosen = controlplane.Options(webhook=operators.webhook(port))
    with controlplane.ControlPlane.start(operators.folder / "plane", chosen) as plane:
        yield Site(plane, operators, port)
        operators.stop()


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[OperatorProcess]:
    """An operator in service, shared by the tests that do not stop it.

    It listens before the API server starts, so that it is sent every record from `Site.from_line` of the log on.
    """
    with site.plane.api_server_away():
        site.from_line = len(site.plane.audit_log.read_text().splitlines())
        one = site.start(json_lines=str(site.folder / "detections.jsonl"))
        site.wait(lambda: "[+]receivers ok" in one.get("/readyz")[1], "operator to receive")
        assert one.get("/readyz")[0] == 503
    site.wait(one.ready, "operator to be ready")
    yield one
    assert one.stop() == 0
