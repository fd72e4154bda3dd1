"""``riverwatch bench``: speed, memory and start as ratios inside one run, beside every peer that is installed.

Thin: options in, `bench.plans` in the middle, a table or JSON out. Progress goes to standard error. Exit status 0
whether or not every target was met: figures are for people, and a busy machine must not fail a build.
"""

from __future__ import annotations

import enum
import pathlib
import sys
import tempfile
from typing import Annotated, Any

import msgspec
import typer
import typer.core

from riverwatch.bench import page, plans, workload


class DefaultsToRun(typer.core.TyperGroup):
    """A group of which ``run`` may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` in front unless a command, or the help, is asked for."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=DefaultsToRun,
    help="Measure speed, memory and start as ratios, beside installed peers; `run` may be left out.",
    rich_markup_mode=None,
)

SMALL_RECORDS = 4_000
"""Records of a small run: ten batches."""

RECORDS = 100_000
"""Records of a whole run."""


class Format(enum.StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def _bench() -> None:
    """Measure speed, memory and start as ratios, beside installed peers; `run` may be left out."""


@app.command()
def run(
    *,
    only: Annotated[str, typer.Option(help="Benchmarks to run, for example B1,B3; all by default.")] = "",
    small: Annotated[bool, typer.Option("--small", help="A short run that checks that everything works.")] = False,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Runs of each contender; the median counts.")] = 5,
    output: Annotated[Format, typer.Option("-o", "--output", help="What to print.")] = Format.TABLE,
    load: Annotated[
        pathlib.Path | None, typer.Option(help="Folder with audit.jsonl and batches.jsonl, in place of made records.")
    ] = None,
    records: Annotated[int, typer.Option(min=0, help="Records to make; 0 takes the usual number.")] = 0,
    seed: Annotated[int, typer.Option(help="From which records are made.")] = 7,
    detail: Annotated[bool, typer.Option("--detail", help="Break down by function in place of stage.")] = False,
) -> None:
    """Measure what is fast, small and quick, as ratios inside one run."""
    names = plans.wanted(only)
    with tempfile.TemporaryDirectory(prefix="riverwatch-load-") as folder:
        if load is None:
            work = workload.made(
                pathlib.Path(folder), seed=seed, records=records or (SMALL_RECORDS if small else RECORDS)
            )
        else:
            work = workload.opened(load)
        report = plans.run(
            names,
            work,
            seed=seed,
            rounds=1 if small else rounds,
            small=small,
            detail=detail,
            tell=lambda result: typer.echo(f"{result.id} done", err=True),
        )
    if output is Format.JSON:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(page.plain(report)), indent=2).decode() + "\n")
    else:
        page.show(report)
