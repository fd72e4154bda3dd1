"""``riverwatch policy validate``: checks policies in files by the code that loads them in a cluster."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from riverwatch.scoring import policy_files

app = typer.Typer(help="Work with policies as code.", no_args_is_help=True)
"""The command; registered by `cli.main`."""


@app.callback()
def policy() -> None:
    """Work with policies as code."""


@app.command()
def validate(
    files: Annotated[
        list[pathlib.Path], typer.Argument(metavar="FILE...", help="Files of policies, or directories of such files.")
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")] = False,
) -> None:
    """Check policies: exit 0 when all are good, 1 when any is not, 2 when called wrongly."""
    loaded = policy_files.inspect(files)
    for note in () if quiet else loaded.notes:
        typer.echo(f"note: {note}", err=True)
    for problem in loaded.problems:
        typer.echo(problem, err=True)
    if loaded.problems:
        count = len(loaded.problems)
        typer.echo(f"{count} problem{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(1)
    if not quiet:
        for compiled in loaded.policies:
            typer.echo(f"{compiled.ref}: good")
