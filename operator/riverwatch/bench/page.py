"""A benchmark's report for people, and as plain data for machines."""

from __future__ import annotations

import sys
from typing import Any

import rich.console
import rich.table

from riverwatch.bench import figures

PAPER_COLUMNS = 140
"""Width of the tables where there is no terminal."""


def plain(report: figures.Report) -> dict[str, Any]:
    """Return the report as data, with medians beside the single runs."""
    return {
        "version": report.version,
        "seed": report.seed,
        "records": report.records,
        "rounds": report.rounds,
        "machine": {
            "cores": report.machine.cores,
            "python": report.machine.python,
            "loadBefore": report.machine.load_before,
            "loadAfter": report.machine.load_after,
        },
        "results": [_plain_result(result) for result in report.results],
    }


def show(report: figures.Report, console: rich.console.Console | None = None) -> None:
    """Print the report as tables."""
    out = console or rich.console.Console(soft_wrap=True, width=None if sys.stdout.isatty() else PAPER_COLUMNS)
    machine = report.machine
    out.print(
        f"riverwatch {report.version}, {report.records:,} records, seed {report.seed}, {report.rounds} rounds, "
        f"{machine.cores} cores, Python {machine.python}, load {machine.load_before:.1f} before and "
        f"{machine.load_after:.1f} after. Only ratios compare; absolute figures are this machine's.",
        highlight=False,
    )
    for result in report.results:
        _show_result(result, out)


def _show_result(result: figures.Result, out: rich.console.Console) -> None:
    out.print(f"\n{result.id}  {result.title}", style="bold", highlight=False)
    if result.rows:
        out.print(_rows(result))
        for line in filter(None, map(_further, result.rows)):
            out.print(line, highlight=False)
    if result.stages:
        out.print(_stages(result))
    for ratio in result.ratios:
        out.print(_ratio(ratio), highlight=False)
    for note in result.notes:
        out.print(f"  {note}", highlight=False, style="dim")


def _rows(result: figures.Result) -> rich.table.Table:
    table = rich.table.Table(box=None, pad_edge=False)
    for name in ("", "records per CPU second", "by the clock", "core-ms per 1,000", "peak MB"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for row in result.rows:
        cells = [row.name, "", "", "", f"{row.peak_bytes / 1e6:,.0f}" if row.peak_bytes else ""]
        if any(one.records for one in row.samples):
            cells[1:4] = [str(row.rate), f"{row.wall_rate.median:,.0f}", f"{row.core_ms_per_1000:,.2f}"]
        table.add_row(*cells)
    return table


def _further(row: figures.Row) -> str:
    """Return the other figures of a row in one line, empty when it has none."""
    names = list(dict.fromkeys(name for one in row.samples for name in one.figures))
    found = [(name, row.figure(name)) for name in names]
    told = [f"{name} {spread.median:,.4g}" for name, spread in found if spread is not None]
    return f"  {row.name}: {', '.join(told)}" if told else ""


def _stages(result: figures.Result) -> rich.table.Table:
    table = rich.table.Table("core-ms per 1,000 by stage", box=None, pad_edge=False)
    names = list(result.stages)
    for name in names:
        table.add_column(name, justify="right")
    stages = {
        stage: max(result.stages[name].get(stage, 0.0) for name in names)
        for one in names
        for stage in result.stages[one]
    }
    for stage in sorted(stages, key=lambda one: -stages[one]):
        table.add_row(stage, *(f"{result.stages[name].get(stage, 0.0):,.2f}" for name in names))
    return table


def _ratio(ratio: figures.Ratio) -> str:
    text = f"  {ratio.name}: {ratio.value:,.3g}"
    if ratio.target is not None:
        bound = "at most" if ratio.at_most else "at least"
        text += f"  ({bound} {ratio.target:,.3g}: {'met' if ratio.met else 'missed'})"
    return f"{text}  {ratio.note}" if ratio.note else text


def _plain_result(result: figures.Result) -> dict[str, Any]:
    return {
        "id": result.id,
        "title": result.title,
        "rows": [
            {
                "name": row.name,
                "peer": row.peer,
                "recordsPerCpuSecond": _plain_spread(row.rate),
                "recordsPerSecond": _plain_spread(row.wall_rate),
                "coreMsPer1000": row.core_ms_per_1000,
                "peakBytes": row.peak_bytes,
                "runs": [
                    {"records": one.records, "wallSeconds": one.wall_s, "cpuSeconds": one.cpu_s, **one.figures}
                    for one in row.samples
                ],
            }
            for row in result.rows
        ],
        "ratios": [
            {
                "name": ratio.name,
                "value": ratio.value,
                "target": ratio.target,
                "atMost": ratio.at_most,
                "met": ratio.met,
                "note": ratio.note,
            }
            for ratio in result.ratios
        ],
        "coreMsPer1000ByStage": result.stages,
        "notes": result.notes,
    }


def _plain_spread(found: figures.Spread) -> dict[str, float]:
    return {"median": found.median, "low": found.low, "high": found.high}
