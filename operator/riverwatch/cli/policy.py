"""``riverwatch policy validate``: checks policies in files by the code that loads them in a cluster."""

from __future__ import annotations

import importlib
import pathlib
import pkgutil
from typing import Annotated

import typer

from riverwatch import models
from riverwatch.rules import loading
from riverwatch.scoring import policy as compiled_policy
from riverwatch.scoring import policy_files, policy_match

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
    if quiet:
        return
    known = detectors()
    for compiled in loaded.policies:
        for name in strangers(compiled, known):
            typer.echo(f"note: {compiled.ref}: no built-in rule or model is called {name}", err=True)
        typer.echo(f"{compiled.ref}: good")


def detectors() -> frozenset[str]:
    """Return the ids of the built-in rules and the names of the models."""
    modules = (
        importlib.import_module(f"{models.__name__}.{found.name}") for found in pkgutil.iter_modules(models.__path__)
    )
    cards = (getattr(module, "CARD", None) for module in modules)
    return frozenset(
        [rule.card.id for rule in loading.load_catalog()] + [card.name for card in cards if card is not None]
    )


def strangers(compiled: compiled_policy.CompiledPolicy, known: frozenset[str]) -> list[str]:
    """Return the ids and globs of a policy that mean nothing built in: a slip, or a rule of the user's own."""
    named = [override.matcher for override in compiled.overrides]
    named += [exception.detectors for exception in compiled.exceptions if exception.detectors is not None]
    return sorted({name for matcher in named for name in _unmatched(matcher, known)})


def _unmatched(matcher: policy_match.Globs, known: frozenset[str]) -> set[str]:
    return {name for name in matcher.patterns if not any(policy_match.globs([name]).match(item) for item in known)}
