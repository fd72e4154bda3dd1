"""B8: how many writes to the API server a stream makes, and how late a detection is there after its batch arrived."""

from __future__ import annotations

from riverwatch import settings
from riverwatch.bench import child, figures, setting

PACE_PER_S = 10.0
"""Batches a second: one API server at its own limit, 4,000 records/s."""

WRITES_EACH = 4.0
"""Most writes of one detection, status and Event included."""

DELAY_P99_MS = 1_000.0
"""Most milliseconds between batch and object for 99 of 100 detections."""


def run(chosen: setting.Setting) -> figures.Result:
    """Measure."""
    usual = settings.Settings()
    order = {
        "batches": str(chosen.work.batch_file),
        "count": chosen.work.batches,
        "learn_until_s": chosen.work.learn_until_s,
        "batches_per_s": PACE_PER_S,
        "writes_per_s": usual.writes_per_s,
        "writes_burst": usual.writes_burst,
    }
    found = child.run("task_writer", order, core=chosen.core)
    writes = found["writes"]
    total = sum(writes.values())
    sample = figures.Sample(
        records=found["records"],
        wall_s=found["wall_s"],
        cpu_s=found["cpu_s"],
        figures={
            **{f"writes, {name}": count for name, count in writes.items()},
            "writes per 1,000 records": total * 1e3 / max(1, found["records"]),
            "detections": found["detections"],
            "revisions": found["revisions"],
            "delay p50 ms": found["p50_ms"],
            "delay p99 ms": found["p99_ms"],
        },
    )
    row = figures.Row(name="detections as objects and Events, 4,000 records/s", samples=[sample])
    result = figures.Result(id="B8", title="Writes to the API server", rows=[row])
    result.ratios = [
        figures.Ratio(
            name="writes a detection", value=total / max(1, found["detections"]), target=WRITES_EACH, at_most=True
        ),
        figures.Ratio(name="delay p99, ms", value=found["p99_ms"], target=DELAY_P99_MS, at_most=True),
        figures.Ratio(name="detections not written", value=found["left"], target=0.0, at_most=True),
    ]
    return result
