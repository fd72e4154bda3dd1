"""Prints ``manifests/monitoring/dashboard.json``, the Grafana dashboard, from one table of panels.

``python -m riverwatch.control.dashboard`` writes the file, ``--check`` fails when it differs (`make verify`). A real
Prometheus runs every query in the tests.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from riverwatch import generated

TARGET = pathlib.Path("manifests") / "monitoring" / "dashboard.json"
"""File, from the root of the repository."""

COLUMNS = 24
"""Width of a dashboard in Grafana's units."""

HEIGHT = 8
"""Height of a panel in Grafana's units."""

RATE = "$__rate_interval"
"""Window of rates; Grafana puts in four scrape intervals."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """One panel."""

    title: str
    text: str
    """What it shows and what is good, for people."""
    queries: tuple[tuple[str, str], ...]
    """PromQL and the legend of its series."""
    unit: str = "short"
    """Grafana's name of the unit."""
    kind: str = "timeseries"
    width: int = 8


def _rate(metric: str, by: str = "") -> str:
    return f"sum by ({by}) (rate(riverwatch_{metric}[{RATE}]))" if by else f"sum(rate(riverwatch_{metric}[{RATE}]))"


def _p99(metric: str) -> str:
    return f"histogram_quantile(0.99, sum by (le) (rate(riverwatch_{metric}_bucket[{RATE}])))"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Is it well",
        (
            Panel(
                "In service",
                "1 per replica in service.",
                (("sum(riverwatch_ready)", "replicas"),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Stream healthy",
                "1 when heartbeats come back through the audit stream, 0 when they do not, no value while unknown.",
                (("min(riverwatch_stream_healthy)", "healthy"),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Blind rules",
                "Rules that cannot fire with the audit policy as it is.",
                (("sum(max by (severity) (riverwatch_blind_rules))", "rules"),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Pressure",
                "0: models and rules judge, 1: rules only, 2: deliveries are refused.",
                (("max(riverwatch_pressure_step)", "step"),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Rules off",
                "Rules that kept failing, and policies and rules of users that cannot be used.",
                (
                    ("max(riverwatch_rules_disabled)", "failing"),
                    ("max(riverwatch_invalid_rules)", "invalid rules"),
                    ("max(riverwatch_invalid_policies)", "invalid policies"),
                ),
                kind="stat",
                width=8,
            ),
        ),
    ),
    (
        "What was found",
        (
            Panel(
                "New detections",
                "New incidents per hour, by severity.",
                (("sum by (severity) (increase(riverwatch_detections_total[1h]))", "{{severity}}"),),
            ),
            Panel(
                "Kept quiet",
                "Per hour: suppressed by exceptions and verdicts, shed by the alert budget.",
                (
                    ("sum by (reason) (increase(riverwatch_suppressed_total[1h]))", "{{reason}}"),
                    ("sum(increase(riverwatch_shed_total[1h]))", "budget"),
                ),
            ),
            Panel(
                "Deliveries",
                "To each output, by outcome; dropped and given up should stay at 0.",
                ((_rate("deliveries_total", "output, outcome"), "{{output}} {{outcome}}"),),
                unit="ops",
            ),
        ),
    ),
    (
        "Stream",
        (
            Panel(
                "Records",
                "Audit records read, and judged.",
                ((_rate("records_read_total"), "read"), (_rate("records_used_total"), "judged")),
                unit="rps",
            ),
            Panel(
                "Records not used",
                "By reason; no_room is loss, malformed ones are a broken sender.",
                ((_rate("records_skipped_total", "reason"), "{{reason}}"),),
                unit="rps",
            ),
            Panel(
                "Lag",
                "From record to arrival, from arrival to judgement, and a heartbeat's whole way.",
                (
                    ("max(riverwatch_stream_lag_seconds)", "to arrival"),
                    ("max(riverwatch_judge_lag_seconds)", "to judgement"),
                    ("max(riverwatch_heartbeat_round_trip_seconds)", "heartbeat"),
                ),
                unit="s",
            ),
            Panel(
                "Receiver's answers",
                "By HTTP code; 429 tells API servers to wait, 401 is a wrong credential.",
                ((_rate("receiver_answers_total", "code"), "{{code}}"),),
                unit="reqps",
            ),
            Panel(
                "Senders",
                "API servers and files that deliver, and those that stopped while others go on.",
                (("max(riverwatch_senders)", "known"), ("max(riverwatch_silent_senders)", "silent")),
            ),
            Panel(
                "Heartbeats",
                "Per minute, by outcome.",
                (("sum by (outcome) (increase(riverwatch_heartbeats_total[1m]))", "{{outcome}}"),),
            ),
        ),
    ),
    (
        "Work",
        (
            Panel(
                "Time by stage",
                "Cores used by the worker; one is all it has.",
                ((_rate("stage_seconds_total", "stage"), "{{stage}}"),),
                unit="percentunit",
            ),
            Panel(
                "A delivery, 99th percentile",
                "Answering a delivery, and judging it.",
                ((_p99("receiver_seconds"), "answer"), (_p99("batch_seconds"), "judge")),
                unit="s",
            ),
            Panel(
                "Queue",
                "Age of the oldest delivery that waits.",
                (("max(riverwatch_queue_age_seconds)", "age"),),
                unit="s",
            ),
            Panel(
                "Queue and spool",
                "Bytes that wait, and bytes on disk.",
                (("sum(riverwatch_queue_bytes)", "waiting"), ("sum(riverwatch_spool_bytes)", "on disk")),
                unit="bytes",
            ),
            Panel(
                "Process",
                "Resident memory.",
                (("sum(riverwatch_process_resident_memory_bytes)", "resident"),),
                unit="bytes",
            ),
            Panel(
                "CPU",
                "Cores used by the whole process.",
                ((_rate("process_cpu_seconds_total"), "cores"),),
                unit="percentunit",
            ),
        ),
    ),
    (
        "Models",
        (
            Panel(
                "Namespaces by phase",
                "Where the models of each namespace stand.",
                (("sum by (phase) (riverwatch_namespaces)", "{{phase}}"),),
            ),
            Panel("Identities", "Identities that the models know.", (("sum(riverwatch_identities)", "identities"),)),
            Panel(
                "Checkpoints",
                "Age of the last one, and for how long it stopped the judging.",
                (
                    ("max(riverwatch_checkpoint_age_seconds)", "age"),
                    ("max(riverwatch_checkpoint_pause_seconds)", "pause"),
                ),
                unit="s",
            ),
            Panel(
                "Work by namespace",
                "Cores spent on the records of the ten costliest namespaces; an estimate from a sample.",
                ((f"sum by (namespace) (rate(riverwatch_namespace_work_seconds[{RATE}]))", "{{namespace}}"),),
                unit="percentunit",
                width=12,
            ),
            Panel(
                "State by namespace",
                "What was learned about the ten largest namespaces, as a checkpoint stores it.",
                (("sum by (namespace) (riverwatch_namespace_state_bytes)", "{{namespace}}"),),
                unit="bytes",
                width=12,
            ),
        ),
    ),
)
"""Rows of the dashboard."""

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def render() -> str:
    """Return the whole file."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
        panels.append({"type": "row", "title": title, "id": len(panels) + 1, "gridPos": place, "panels": []})
        top, left = top + 1, 0
        for panel in row:
            if left + panel.width > COLUMNS:
                top, left = top + HEIGHT, 0
            panels.append(_panel(panel, number=len(panels) + 1, left=left, top=top))
            left += panel.width
        top += HEIGHT
    dashboard = {
        "title": "riverwatch",
        "uid": "riverwatch",
        "description": "Is riverwatch well, what does it hear, does it keep up. Generated; see make docs.",
        "tags": ["riverwatch", "security"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(dashboard, indent=2) + "\n"


def _panel(panel: Panel, *, number: int, left: int, top: int) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "id": number,
        "gridPos": {"h": HEIGHT, "w": panel.width, "x": left, "y": top},
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.queries)
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the file; return the exit status."""
    return generated.main(lambda: {TARGET: render()}, arguments, module="riverwatch.control.dashboard")


if __name__ == "__main__":
    raise SystemExit(main())
