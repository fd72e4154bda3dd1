"""B7: resident memory at the usual size and at 10,000 identities in 1,000 namespaces, and whether it stays."""

from __future__ import annotations

from typing import Any

from riverwatch.bench import child, figures, setting, workload
from riverwatch.bench.load_world import Size

WIDE = Size(records=100_000, identities=10_000, namespaces=1_000)
"""A large cluster."""

WIDE_SMALL = Size(records=4_000, identities=400, namespaces=80)

USUAL_MB = 240.0
"""Most megabytes at the usual size, everything that `riverwatch run` imports included."""

WIDE_MB = 400.0
"""Most megabytes at the size of `WIDE`."""

PASSES, SMALL_PASSES = 10, 2
"""Times that the same life is gone through: a million records, the first half to get warm."""

GROWTH = 0.05
"""Most growth in the second half of the passes, as a share: ids and times alone must not add up."""

WIDE_SEED = 11


def run(chosen: setting.Setting) -> figures.Result:
    """Measure."""
    result = figures.Result(id="B7", title="Memory")
    size_of_wide = WIDE_SMALL if chosen.small else WIDE
    wide = workload.made_as(chosen.fresh("wide"), size_of_wide, seed=WIDE_SEED)
    loads = (("usual", chosen.work, Size(), USUAL_MB), ("wide", wide, size_of_wide, WIDE_MB))
    for name, work, size, most in loads:
        found = measured(
            chosen,
            work,
            passes=SMALL_PASSES if chosen.small else PASSES,
            state=str(chosen.fresh("state")),
            pods=size.identities,
            namespaces=size.namespaces,
        )
        row = figures.Row(
            name=f"{name}: {found['identities']} identities in {found['namespaces']} namespaces", samples=[]
        )
        resident = [octets / 1e6 for octets in found["resident"]]
        row.samples.append(
            figures.Sample(
                records=found["records"],
                wall_s=found["wall_s"],
                cpu_s=found["cpu_s"],
                peak_bytes=found["peak_bytes"],
                figures={
                    "MB before": resident[0],
                    **{f"MB after pass {number}": one for number, one in enumerate(resident[1:], start=1)},
                    "kB an identity": (resident[1] - resident[0]) * 1e3 / max(1, found["identities"]),
                },
            )
        )
        result.rows.append(row)
        growth = resident[-1] / resident[len(resident) // 2] - 1.0
        result.ratios += [
            figures.Ratio(name=f"{name}, peak MB", value=row.peak_bytes / 1e6, target=most, at_most=True),
            figures.Ratio(name=f"{name}, growth of the second half", value=growth, target=GROWTH, at_most=True),
        ]
    result.notes.append("before: everything imported, nothing learned; the peak holds inventory and checkpoint, too")
    return result


def measured(  # noqa: PLR0913 - what the task is told
    chosen: setting.Setting,
    work: workload.Workload,
    *,
    passes: int,
    state: str = "",
    pods: int = 0,
    namespaces: int = 1,
) -> dict[str, Any]:
    """Run the task over a workload."""
    order = {
        "batches": str(work.batch_file),
        "count": work.batches,
        "learn_until_s": work.learn_until_s,
        "passes": passes,
        "state": state,
        "pods": pods,
        "namespaces": namespaces,
    }
    return child.run("task_memory", order, core=chosen.core)
