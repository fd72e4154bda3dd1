"""The dashboard: fresh, and of the shape that Grafana reads; every alert and panel names a metric that exists."""

from __future__ import annotations

import itertools
import json
import pathlib
import re

import yaml

import riverwatch
from riverwatch import metrics, outputs
from riverwatch.control import dashboard, pages
from riverwatch.sources import base

ROOT = pathlib.Path(riverwatch.__file__).parents[2]
PANELS = json.loads(dashboard.render())["panels"]
MONITORING = ROOT / "manifests" / "monitoring"


def test_file_is_fresh():
    assert dashboard.main(["--check", "--root", str(ROOT)]) == 0


def test_stale_file_is_told(tmp_path, capsys):
    (tmp_path / dashboard.TARGET.parent).mkdir(parents=True)
    assert dashboard.main(["--check", "--root", str(tmp_path)]) == 1
    assert "stale; run python -m riverwatch.control.dashboard" in capsys.readouterr().err
    assert dashboard.main(["--root", str(tmp_path)]) == 0
    assert dashboard.main(["--check", "--root", str(tmp_path)]) == 0


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    assert len({one["id"] for one in PANELS}) == len(PANELS)
    for one, other in itertools.combinations([panel["gridPos"] for panel in PANELS], 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= dashboard.COLUMNS for panel in PANELS)


def test_panels_and_alerts_name_metrics_that_exist():
    exported = metrics.Metrics(skip_reasons=list(base.SkipReason), outputs=[card.id for card in outputs.CARDS])
    exist = {line.split("{")[0].split(" ")[0] for line in exported.exposition().decode().splitlines()}
    alerts = (MONITORING / "prometheus-rule.yaml").read_text()
    expressions = [rule["expr"] for group in yaml.safe_load(alerts)["spec"]["groups"] for rule in group["rules"]]
    expressions += [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
    named = {name for text in expressions for name in re.findall(r"riverwatch_\w+", text)}

    assert len(named) > 30
    assert named <= exist


def test_names_follow_the_conventions():
    for line in pages.metrics_text().splitlines():
        if line.startswith("| `riverwatch_"):
            name, kind = line.split("|")[1].strip(" `"), line.split("|")[2].strip()
            assert name.endswith("_total") == (kind == "counter"), name
            assert not re.search(r"_(ms|millis|kb|mb|percent|count)(_|$)", name), name


def test_pod_monitor_scrapes_a_port_of_the_deployment():
    monitor = yaml.safe_load((MONITORING / "pod-monitor.yaml").read_text())["spec"]
    bodies = list(yaml.safe_load_all((ROOT / "manifests" / "deployment.yaml").read_text()))
    [deployment] = [one for one in bodies if one["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}

    assert {one["port"] for one in monitor["podMetricsEndpoints"]} <= ports
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
