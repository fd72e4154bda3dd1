"""``riverwatch run``: refusals with exit status 1 and one line, start and stop as a process."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest
import typer
import typer.testing

from riverwatch import logs
from riverwatch.activity import sample
from riverwatch.cli import run as run_command

KUBECONFIG = """\
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: abc}}]
"""


@pytest.fixture
def kubeconfig(tmp_path) -> pathlib.Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def command(*arguments: str | pathlib.Path) -> list[str]:
    return [sys.executable, "-m", "riverwatch", "run", *map(str, arguments)]


@pytest.fixture
def refused(monkeypatch) -> Callable[..., str]:
    """Run the command in this process, which must refuse, and return what it says."""
    for name in [name for name in os.environ if name.startswith("RIVERWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(logs, "set_up", lambda _: None)
    app = typer.Typer()
    app.command()(run_command.run)

    def ask(*arguments: str | pathlib.Path) -> str:
        done = typer.testing.CliRunner().invoke(app, [str(one) for one in arguments])
        assert done.exit_code == 1, done.output
        return done.output

    return ask


def test_missing_kubeconfig_is_refused(refused, tmp_path):
    assert "cannot read the kubeconfig" in refused("--kubeconfig", tmp_path / "none")


def test_wrong_variable_is_refused_by_name(refused, monkeypatch):
    monkeypatch.setenv("RIVERWATCH_AUDIT_PORT", "many")
    assert "RIVERWATCH_AUDIT_PORT" in refused()


def test_receiver_open_to_anybody_is_refused(refused, kubeconfig):
    assert "certificate" in refused("--kubeconfig", kubeconfig)


def test_taken_port_is_refused(refused, kubeconfig):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = refused(
            *("--kubeconfig", kubeconfig, "--audit-insecure", "--audit-host", "127.0.0.1", "--audit-port", port),
            *("--probe-host", "127.0.0.1", "--probe-port", "0"),
        )
    assert f"127.0.0.1:{port}" in told


def test_signal_stops_it_cleanly_even_while_the_api_server_is_away(kubeconfig):
    arguments = ["--kubeconfig", kubeconfig, "--audit-insecure", "--audit-host", "127.0.0.1", "--audit-port", "0"]
    process = subprocess.Popen(
        command(*arguments, "--probe-host", "127.0.0.1", "--probe-port", "0"), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "probes listen" in line:
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=30) == 0
    assert '"message":"stopped"' in rest
    assert "Traceback" not in rest


LOOPBACK = ("--audit-insecure", "--audit-host", "127.0.0.1", "--audit-port", "0")
PROBES = ("--probe-host", "127.0.0.1", "--probe-port", "0")


def test_history_without_an_audit_record_is_refused(refused, kubeconfig, tmp_path):
    log = tmp_path / "audit.log"
    log.write_text("no record\n")
    told = refused(log, "--kubeconfig", kubeconfig, *LOOPBACK, *PROBES)
    assert "audit.log" in told


def test_history_is_learned_before_anything_is_received(kubeconfig, tmp_path):
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join(msgspec.json.encode(sample.audit_record(audit_id=str(n))) + b"\n" for n in range(20)))
    process = subprocess.Popen(
        command(log, "--kubeconfig", kubeconfig, *LOOPBACK, *PROBES), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "probes listen" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    learned, listens = (
        next(place for place, line in enumerate(lines) if words in line)
        for words in ("history learned", "audit receiver listens")
    )
    assert learned < listens
    assert '"count":20' in lines[learned]
