"""``riverwatch crds``: prints the custom resource definitions, ready for ``kubectl apply --server-side -f -``."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from riverwatch.api import render
from riverwatch.api.v1alpha1 import kinds

app = typer.Typer(help="Print the custom resource definitions.")
"""The command; registered by `cli.main`."""


@app.callback(invoke_without_command=True)
def crds(
    check: Annotated[
        bool, typer.Option("--check", help="Print nothing; exit with 1 when crds/ differs from the types.")
    ] = False,
    root: Annotated[
        pathlib.Path, typer.Option("--root", help="Root of the repository whose crds/ is checked.", file_okay=False)
    ] = pathlib.Path(),
) -> None:
    """Print the custom resource definitions as YAML documents."""
    if check:
        stale = render.stale(root)
        for path in stale:
            typer.echo(f"{path}: stale; run python -m riverwatch.api.render", err=True)
        raise typer.Exit(1 if stale else 0)
    typer.echo("---\n".join(render.text(kind) for kind in kinds.KINDS), nl=False)
