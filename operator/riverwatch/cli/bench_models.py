"""``riverwatch bench models``: every model and the plain sum over the same labelled records, in one run.

Thin: options in, `bench.models` in the middle, a table or JSON out. Adds itself to `bench.app`.
"""

from __future__ import annotations

import pathlib
import tempfile
from typing import Annotated

import msgspec
import typer

from riverwatch import errors
from riverwatch.bench import workload
from riverwatch.bench.models import contest, footprint, page
from riverwatch.cli import bench

RECORDS = 100_000
"""Records that are made when no folder is named."""

SEED = 7
"""Seed from which they are made."""


@bench.app.command()
def models(
    *,
    load: Annotated[
        list[pathlib.Path] | None, typer.Option(help="Folder with audit.jsonl and labels.csv; may be repeated.")
    ] = None,
    recording: Annotated[
        list[pathlib.Path] | None, typer.Option(help="Folder of a lab recording; may be repeated.")
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Records to read of each, from the beginning; 0 reads all.")] = 0,
    peer: Annotated[bool, typer.Option(help="Run AWS Random Cut Forest, too, where Java is installed.")] = True,
    memory: Annotated[bool, typer.Option("--memory", help="Measure memory instead of quality.")] = False,
    identities: Annotated[int, typer.Option(min=1, help="With --memory: identities.")] = 10_000,
    namespaces: Annotated[int, typer.Option(min=1, help="With --memory: namespaces.")] = 1_000,
    output: Annotated[bench.Format, typer.Option("-o", "--output", help="What to print.")] = bench.Format.TABLE,
) -> None:
    """Hold every model against the plain sum of novelty counters, on labelled records."""
    try:
        if memory:
            found = footprint.measure(identities=identities, namespaces=namespaces)
            typer.echo(_json(found) if output is bench.Format.JSON else page.memory(found))
            return
        with tempfile.TemporaryDirectory(prefix="riverwatch-load-") as scratch:
            folders = [*(load or ()), *(recording or ())]
            if not folders:
                typer.echo("making records", err=True)
                workload.made(pathlib.Path(scratch), seed=SEED, records=rows or RECORDS)
                folders = [pathlib.Path(scratch)]
            outcomes = [
                contest.run(folder, rows=rows or None, with_peer=peer, progress=lambda text: typer.echo(text, err=True))
                for folder in folders
            ]
    except errors.BadInputError as error:
        typer.echo(f"riverwatch: {error}", err=True)
        raise typer.Exit(1) from error
    if output is bench.Format.JSON:
        typer.echo(_json(outcomes))
    else:
        typer.echo("\n\n".join(page.table(outcome) for outcome in outcomes))


def _json(found: object) -> str:
    return msgspec.json.format(msgspec.json.encode(found)).decode()
