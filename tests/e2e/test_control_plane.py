"""The control plane itself: what all other tests in this folder stand on."""

from __future__ import annotations

import base64
import http.server
import json
import pathlib
import signal
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator

import kubernetes
import pytest
import typer.testing
from kubernetes import stream

from riverwatch import errors
from riverwatch.cli import lab as lab_commands
from riverwatch.lab import controlplane
from riverwatch.lab.controlplane import certificates, processes, registry, state, versions

WAIT_S = 30.0
"""Longest wait for the cluster to do something, in seconds."""


def core(kubeconfig: pathlib.Path) -> kubernetes.client.CoreV1Api:
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))


def records(plane: controlplane.ControlPlane) -> list[dict]:
    """Read the whole lines of the audit log."""
    return [json.loads(line) for line in plane.audit_log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def found(plane: controlplane.ControlPlane, **wanted: object) -> list[dict]:
    def matches(record: dict) -> bool:
        flat = {**record, **record.get("objectRef", {}), "username": record["user"]["username"]}
        return all(flat.get(key) == value for key, value in wanted.items())

    return [record for record in records(plane) if matches(record)]


@pytest.fixture
def namespace(control_plane) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    body = {"metadata": {"name": name}}
    api = core(control_plane.admin_kubeconfig)
    api.create_namespace(body)
    # Made by the controller manager; no pod is admitted before.
    processes.wait(
        lambda: any(account.metadata.name == "default" for account in api.list_namespaced_service_account(name).items),
        timeout_s=WAIT_S,
    )
    yield name
    api.delete_namespace(name)


def run_pod(plane: controlplane.ControlPlane, namespace: str, name: str, account: str = "default") -> None:
    spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]}
    api = core(plane.admin_kubeconfig)
    api.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})
    processes.wait(
        lambda: api.read_namespaced_pod(name, namespace).status.phase == "Running", timeout_s=WAIT_S, what="running pod"
    )


def test_every_program_runs(control_plane):
    assert control_plane.running() == dict.fromkeys(versions.Component, True)


def test_pod_is_placed_and_runs_with_an_address_of_its_node(control_plane, namespace):
    run_pod(control_plane, namespace, "web")
    pod = core(control_plane.admin_kubeconfig).read_namespaced_pod("web", namespace)
    assert pod.spec.node_name in {"worker-1", "worker-2"}
    assert pod.status.host_ip in {"10.0.1.1", "10.0.1.2"}
    assert pod.status.pod_ip.startswith("10.244.")


def test_creation_is_in_the_audit_log_with_its_body(control_plane, namespace):
    body = {"metadata": {"name": "builder"}}
    core(control_plane.admin_kubeconfig).create_namespaced_service_account(namespace, body)
    [record] = found(
        control_plane, verb="create", resource="serviceaccounts", namespace=namespace, username="kubernetes-admin"
    )
    assert record["apiVersion"] == "audit.k8s.io/v1"
    assert record["stage"] == "ResponseComplete"
    assert record["responseStatus"]["code"] == 201
    assert record["requestObject"]["metadata"]["name"] == "builder"
    assert record["sourceIPs"] == ["127.0.0.1"]


def test_bodies_of_secrets_and_tokens_stay_out_of_the_audit_log(control_plane, namespace):
    api = core(control_plane.admin_kubeconfig)
    secret = base64.b64encode(b"correct horse battery staple").decode()
    api.create_namespaced_secret(namespace, {"metadata": {"name": "key"}, "data": {"key": secret}})
    api.read_namespaced_secret("key", namespace)
    token = control_plane.service_account_token(namespace, "default")
    assert len(found(control_plane, resource="secrets", namespace=namespace, name="key")) == 2
    assert found(control_plane, resource="serviceaccounts", subresource="token", namespace=namespace)
    text = control_plane.audit_log.read_text()
    assert secret not in text
    assert token not in text


def test_anonymous_is_known_as_such_and_refused(control_plane):
    request = urllib.request.Request(f"{control_plane.url}/api/v1/namespaces/default/secrets")
    context = ssl.create_default_context(cafile=str(control_plane.authority))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, context=context)
    caught.value.close()
    assert caught.value.code == 403
    assert found(control_plane, username="system:anonymous", resource="secrets", namespace="default")


def test_client_certificate_carries_user_and_groups(control_plane):
    path = control_plane.client_kubeconfig("jane@example.com", ["developers", "on-call"])
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core(path).list_namespace()
    assert caught.value.status == 403
    record = found(control_plane, username="jane@example.com", resource="namespaces")[-1]
    assert {"developers", "on-call", "system:authenticated"} == set(record["user"]["groups"])


def test_bound_token_names_its_pod_and_node(control_plane, namespace):
    run_pod(control_plane, namespace, "app")
    path = control_plane.service_account_kubeconfig(namespace, "default", bound_pod="app")
    with pytest.raises(kubernetes.client.ApiException):
        core(path).list_namespaced_secret(namespace)
    record = found(control_plane, username=f"system:serviceaccount:{namespace}:default", resource="secrets")[-1]
    extra = record["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-name"] == ["app"]
    assert extra["authentication.kubernetes.io/node-name"][0] in {"worker-1", "worker-2"}
    assert extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


def test_logs_are_read_and_exec_connects_but_runs_nothing(control_plane, namespace, tmp_path):
    run_pod(control_plane, namespace, "app")
    api = core(control_plane.admin_kubeconfig)
    assert "ready" in api.read_namespaced_pod_log("app", namespace)
    target = tmp_path / "written"
    answer = stream.stream(
        core(control_plane.admin_kubeconfig).connect_get_namespaced_pod_exec,
        "app",
        namespace,
        command=["/bin/touch", str(target)],
        stdout=True,
        stderr=True,
    )
    assert not answer
    assert not target.exists()
    [record] = found(control_plane, subresource="exec", namespace=namespace, stage="ResponseComplete")
    assert record["responseStatus"]["code"] == 101


@pytest.fixture
def receiver(tmp_path) -> Iterator[tuple[http.server.ThreadingHTTPServer, list[dict]]]:
    """A webhook receiver over TLS whose port is taken from the start, but that nobody listens on yet."""
    got: list[dict] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"authorization": self.headers.get("Authorization"), **json.loads(body)})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    pair = certificates.Authority(tmp_path).issue_server("receiver", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.server_bind()  # bound but not listening: connections are refused
    yield server, got
    server.shutdown()
    server.server_close()


def test_webhook_may_be_registered_before_anybody_listens(start_control_plane, receiver, tmp_path):
    server, got = receiver
    webhook = controlplane.Webhook(
        url=f"https://127.0.0.1:{server.server_address[1]}/audit", authority=tmp_path / "ca.crt", token="letmein"
    )
    plane = start_control_plane(controlplane.Options(webhook=webhook, audit_log=False, controllers=False))
    core(plane.admin_kubeconfig).create_namespace({"metadata": {"name": "early"}})
    server.server_activate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api = core(plane.admin_kubeconfig)

    def arrived(name: str) -> bool:
        return any(
            item.get("objectRef", {}).get("name") == name and item["verb"] == "create"
            for batch in got
            for item in batch["items"]
        )

    processes.wait(lambda: arrived("early"), timeout_s=WAIT_S, what="record made while nobody listened")
    api.create_namespace({"metadata": {"name": "late"}})
    processes.wait(lambda: arrived("late"), timeout_s=WAIT_S, what="record of a live webhook")
    assert {batch["authorization"] for batch in got} == {"Bearer letmein"}
    assert {batch["kind"] for batch in got} == {"EventList"}
    assert not plane.audit_log.exists()


def test_api_server_goes_and_comes_back_with_everything(start_control_plane):
    plane = start_control_plane(controlplane.Options())
    core(plane.admin_kubeconfig).create_namespace({"metadata": {"name": "kept"}})
    token_file = plane.service_account_kubeconfig("default", "default")
    with plane.api_server_away():
        assert plane.running()[versions.Component.API_SERVER] is False
        assert not plane.api.ok("/readyz")
        assert plane.running()[versions.Component.CONTROLLER_MANAGER] is True
    api = core(plane.admin_kubeconfig)
    assert api.read_namespace("kept").status.phase == "Active"
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core(token_file).list_namespace()
    assert caught.value.status == 403  # known, but without rights: its token is still good
    # The controller manager works again, too.
    api.create_namespace({"metadata": {"name": "after"}})
    processes.wait(lambda: bool(api.list_namespaced_service_account("after").items), timeout_s=WAIT_S)


def test_start_fails_with_the_end_of_the_log(tmp_path):
    with pytest.raises(errors.LabError, match=r"kube-apiserver ended by itself(.|\n)*no-such-flag"):
        controlplane.ControlPlane.start(
            tmp_path / "plane", controlplane.Options(api_server_flags=("--no-such-flag=1",))
        )
    recorded = state.read(tmp_path / "plane" / "state.json")
    assert not any(recorded.running().values())


STARTED_BY_ANOTHER = """
import pathlib, sys, signal
from riverwatch.lab import controlplane
plane = controlplane.ControlPlane.start(pathlib.Path(sys.argv[1]), controlplane.Options(controllers=False))
print("ready", flush=True)
signal.pause()
"""


def test_nothing_is_left_when_the_starting_program_is_killed(tmp_path):
    folder = tmp_path / "plane"
    command = [sys.executable, "-c", STARTED_BY_ANOTHER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        recorded = state.read(folder / "state.json")
        assert all(recorded.running().values())
        program.send_signal(signal.SIGKILL)
    processes.wait(lambda: not any(recorded.running().values()), timeout_s=WAIT_S)


def test_commands_start_find_and_remove_two_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    runner = typer.testing.CliRunner()

    def lab(*arguments: str) -> typer.testing.Result:
        return runner.invoke(lab_commands.app, list(arguments))

    try:
        for name in ("one", "two"):
            outcome = lab("up", "--name", name, "--nodes", "1")
            assert outcome.exit_code == 0, outcome.output
            kubeconfig = pathlib.Path(outcome.stdout.strip())
            assert [node.metadata.name for node in core(kubeconfig).list_node().items] == ["worker-1"]
        assert lab("up", "--name", "one").exit_code == 1  # in use
        shown = lab("status")
        assert shown.exit_code == 0
        assert "one" in shown.stdout
        assert "two" in shown.stdout
        recorded = state.read(registry.folder("one") / "state.json")
    finally:
        removed = lab("down", "--all")
    assert removed.exit_code == 0
    assert not any(recorded.running().values())
    assert registry.names() == []
    assert not registry.folder("one").exists()
    assert lab("status", "--name", "one").exit_code == 1
    assert lab("down", "--name", "one").exit_code == 1
    assert lab("up", "--port", "not-a-number").exit_code == 2
