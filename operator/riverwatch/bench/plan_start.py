"""B9: seconds from the start of the process until batches are received, cold and with learned state restored."""

from __future__ import annotations

import json
import pathlib
import time

from riverwatch.bench import child, figures, plan_memory, setting, workload

COLD_S = 4.0
"""Most seconds without any state."""

RESTORED_S = 6.0
"""Most seconds with the state of `plan_memory.WIDE` restored."""


def run(chosen: setting.Setting) -> figures.Result:
    """Measure."""
    size = plan_memory.WIDE_SMALL if chosen.small else plan_memory.WIDE
    wide = workload.made_as(chosen.fresh("wide"), size, seed=plan_memory.WIDE_SEED)
    state = chosen.fresh("state")
    learned = plan_memory.measured(chosen, wide, passes=1, state=str(state / "checkpoints"))
    stored = sum(path.stat().st_size for path in state.rglob("*") if path.is_file())
    kubeconfig = _kubeconfig(chosen.fresh("kube"))
    rows = []
    for name, folder in (("cold", ""), (f"with {learned['namespaces']} namespaces restored", str(state))):
        row = figures.Row(name=name, samples=[])
        for _ in range(chosen.rounds):
            order = {"began_s": time.time(), "kubeconfig": str(kubeconfig), "state": folder}
            found = child.run("task_start", order, core=chosen.core)
            row.samples.append(
                figures.Sample(
                    records=0,
                    wall_s=found["took_s"],
                    cpu_s=found["cpu_s"],
                    peak_bytes=found["peak_bytes"],
                    figures={"seconds to receiving": found["took_s"], "CPU seconds": found["cpu_s"]},
                )
            )
        rows.append(row)
    result = figures.Result(id="B9", title="Start", rows=rows)
    for row, most in zip(rows, (COLD_S, RESTORED_S), strict=True):
        found_s = figures.spread([one.wall_s for one in row.samples]).median
        result.ratios.append(figures.Ratio(name=f"seconds, {row.name}", value=found_s, target=most, at_most=True))
    result.notes.append(f"the checkpoint holds {stored / 1e6:.1f} MB")
    return result


def _kubeconfig(folder: pathlib.Path) -> pathlib.Path:
    """Write the credentials of an API server that is away."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "away",
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "nobody"}}],
        "clusters": [{"name": "away", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "nobody", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
