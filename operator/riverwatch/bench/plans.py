"""All benchmarks in order, and the run through those that were asked for."""

from __future__ import annotations

import os
import pathlib
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence

import riverwatch
from riverwatch import errors
from riverwatch.bench import (
    cores,
    figures,
    plan_fairness,
    plan_files,
    plan_memory,
    plan_start,
    plan_webhook,
    plan_writer,
    setting,
    workload,
)

PLANS: Mapping[str, Callable[[setting.Setting], figures.Result]] = {
    "B1": plan_files.run,
    "B2": plan_webhook.run_rules,
    "B3": plan_webhook.run_product,
    "B6": plan_webhook.run_burst,
    "B7": plan_memory.run,
    "B8": plan_writer.run,
    "B9": plan_start.run,
    "B10": plan_fairness.run,
}
"""Benchmark -> what runs it."""


def wanted(only: str) -> list[str]:
    """Return the benchmarks of a list such as ``B1,B3``; all for an empty one.

    Raises
    ------
    BadInputError
        When one is unknown.
    """
    names = [name.strip().upper() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in PLANS:
            raise errors.BadInputError(f"no benchmark {name}; there are {', '.join(PLANS)}", where="--only")
    return names or list(PLANS)


def run(  # noqa: PLR0913 - one argument per thing a person may choose
    names: Sequence[str],
    work: workload.Workload,
    *,
    seed: int,
    rounds: int,
    small: bool,
    detail: bool = False,
    tell: Callable[[figures.Result], None] | None = None,
) -> figures.Report:
    """Run benchmarks, one after the other.

    Parameters
    ----------
    names
        As `wanted` gave them.
    work
        The load.
    seed
        From which it was made; only told.
    rounds
        Runs of each contender.
    small
        Whether only structure and sanity matter.
    detail
        Whether the breakdown names functions.
    tell
        Told each result as soon as it is there.
    """
    core, client_core = cores.measured_and_client()
    machine = figures.Machine(
        cores=os.cpu_count() or 1,
        python=f"{platform.python_version()} on {platform.machine()}",
        load_before=cores.load_average(),
    )
    report = figures.Report(
        version=riverwatch.__version__, seed=seed, records=work.records, rounds=rounds, machine=machine
    )
    with tempfile.TemporaryDirectory(prefix="riverwatch-bench-") as folder:
        chosen = setting.Setting(
            work=work,
            folder=pathlib.Path(folder),
            rounds=rounds,
            small=small,
            core=core,
            client_core=client_core,
            detail=detail,
        )
        for name in names:
            result = PLANS[name](chosen)
            report.results.append(result)
            if tell is not None:
                tell(result)
    machine.load_after = cores.load_average()
    return report
