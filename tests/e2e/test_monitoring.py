"""Alerts and dashboard against a real Prometheus that scrapes a real operator: nothing named there is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import riverwatch
from riverwatch import settings
from riverwatch.control import assembly, dashboard
from riverwatch.lab.controlplane import processes

ROOT = pathlib.Path(riverwatch.__file__).parents[2]
FOLDER = ROOT / "manifests" / "monitoring"
TESTS = ROOT / "tests" / "data" / "monitoring" / "alerts.test.yaml"
AUDIT = ROOT / "tests" / "data" / "audit" / "event-list.json"

GROUPS = yaml.safe_load((FOLDER / "prometheus-rule.yaml").read_text())["spec"]
ALERTS = [rule for group in GROUPS["groups"] for rule in group["rules"]]
PANELS = [one for one in json.loads((FOLDER / "dashboard.json").read_text())["panels"] if one["type"] != "row"]
QUERIES = [(one["title"], target["expr"]) for one in PANELS for target in one["targets"]]

WAIT_S = 60.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def fetch(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


class Prometheus:
    """A real Prometheus."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        found = json.loads(fetch(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        return self.get("query", query=expression)["result"]

    def up(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.query("count_over_time(riverwatch_ready[1m]) > 3"))
        return False

    def evaluated(self) -> bool:
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        return len(rules) == len(ALERTS) and all(rule["health"] != "unknown" for rule in rules)


@pytest.fixture(scope="module")
def metrics_port(tmp_path_factory) -> Iterator[int]:
    """The probe port of an operator in this process that has taken some records; its API server is away."""
    folder = tmp_path_factory.mktemp("operator")
    kubeconfig = folder / "kubeconfig"
    named = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "x"}}
    kubeconfig.write_text(yaml.safe_dump({"current-context": "x", "clusters": [named], "contexts": [context]}))
    chosen = settings.Settings(
        kubeconfig=kubeconfig,
        audit_host="127.0.0.1",
        audit_port=free_port(),
        audit_insecure=True,
        probe_host="127.0.0.1",
        probe_port=free_port(),
        state_dir=folder / "state",
    )
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    operator = assembly.Operator(chosen)
    thread = threading.Thread(target=loop.run_until_complete, args=(operator.run(stop),))
    thread.start()
    try:
        parts = operator.context.readiness.checks
        processes.wait(lambda: parts().get("receivers") == "", timeout_s=WAIT_S, what="the operator to receive")
        fetch(f"http://127.0.0.1:{chosen.audit_port}/audit", AUDIT.read_bytes())
        operator.context.worker.queue.release()  # do not wait for policies and inventory
        processes.wait(lambda: operator.context.worker.counts.batches, timeout_s=WAIT_S, what="the records")
        yield chosen.probe_port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
        loop.close()


@pytest.fixture(scope="module")
def prometheus(metrics_port, tmp_path_factory) -> Iterator[Prometheus]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "alerts.yaml").write_text(yaml.safe_dump(GROUPS))
    configuration = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [{"job_name": "riverwatch", "static_configs": [{"targets": [f"127.0.0.1:{metrics_port}"]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        found = Prometheus(port)
        processes.wait(found.up, timeout_s=WAIT_S, what="Prometheus to scrape")
        processes.wait(found.evaluated, timeout_s=WAIT_S, what="alerts to be evaluated")
        yield found
    finally:
        process.terminate()
        process.wait(WAIT_S)


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"riverwatch_\w+", expression))


@pytest.mark.parametrize(("title", "expression"), QUERIES, ids=[f"{title}: {text}" for title, text in QUERIES])
def test_query_of_the_dashboard_works_and_names_what_exists(prometheus, title, expression):
    prometheus.query(expression.replace(dashboard.RATE, "1m"))
    for name in names_in(expression):
        assert prometheus.query(f'count({{__name__="{name}"}})'), f"{title}: no metric {name}"


@pytest.mark.parametrize(
    "expression",
    [
        "sum(riverwatch_records_read_total) > 0",
        "sum(riverwatch_spool_bytes) > 0",
        'sum(riverwatch_stage_seconds_total{stage="judge"}) > 0',
        "riverwatch_process_resident_memory_bytes > 1e6",
    ],
)
def test_query_gives_numbers(prometheus, expression):
    processes.wait(lambda: prometheus.query(expression), timeout_s=WAIT_S, what=expression)


@pytest.mark.parametrize("alert", ALERTS, ids=[one["alert"] for one in ALERTS])
def test_alert_works_and_names_what_exists(prometheus, alert):
    loaded = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    [found] = [one for one in loaded if one["name"] == alert["alert"]]
    assert (found["health"], found.get("lastError", "")) == ("ok", "")
    for name in names_in(alert["expr"]):
        assert prometheus.query(f'count({{__name__="{name}"}})'), f"no metric {name}"
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"]


def test_labels_in_alerts_are_values_that_exist(prometheus):
    for alert in ALERTS:
        for name, label, values in re.findall(r'(riverwatch_\w+)\{(\w+)=~?"([^"]+)"', alert["expr"]):
            for value in values.split("|"):
                assert prometheus.query(f'{name}{{{label}="{value}"}}'), f"{alert['alert']}: {name} has no {value}"


def test_operator_whose_api_server_is_away_is_on_its_way_to_an_alert(prometheus):
    down = [
        one["state"] for one in prometheus.get("alerts")["alerts"] if one["labels"]["alertname"] == "RiverwatchDown"
    ]
    assert down == ["pending"]


def promtool(folder: pathlib.Path, *arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_pass_promtool(tmp_path):
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(GROUPS))
    shutil.copy(TESTS, tmp_path)
    promtool(tmp_path, "check", "rules", "alerts.yaml")
    promtool(tmp_path, "test", "rules", TESTS.name)


def test_metrics_pass_promtool(metrics_port):
    text = fetch(f"http://127.0.0.1:{metrics_port}/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
