"""The command line ``riverwatch``, also found by kubectl as ``kubectl riverwatch``: one module per command.

Exit status: 0 done, 1 bad input (the message names file, line and reason), 2 usage. Heavy parts are imported by the
command that needs them, so that ``riverwatch --help`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
import typer.core
import typer.main

import riverwatch
from riverwatch import errors

GROUPS = {
    "rules": "riverwatch.cli.rules",
    "policy": "riverwatch.cli.policy",
    "crds": "riverwatch.cli.crds",
    "lab": "riverwatch.cli.lab_commands",
    "bench": "riverwatch.cli.bench_commands",
    "state": "riverwatch.cli.state_commands",
}
"""Commands that a typer application of another module answers, by the module that holds it as `app`."""

COMMANDS = {
    "replay": "riverwatch.cli.replay",
    "run": "riverwatch.cli.run",
    "surface": "riverwatch.cli.surface",
    "triage": "riverwatch.cli.triage",
}
"""Commands that one function of another module answers, by the module; the function has the command's name."""

HELP = {
    "replay": "Read audit logs and print what stands out in them.",
    "run": "Run the operator.",
    "surface": "Show what the audit stream cannot show, and who holds dangerous rights.",
    "triage": "Say what a detection was; print an exception for Git.",
    "rules": "List, test and explain rules.",
    "policy": "Check policies as code.",
    "crds": "Print the custom resource definitions.",
    "lab": "A real control plane on this machine, life on it, attacks on it, figures.",
    "state": "Look at checkpoints; take a person out of them.",
    "bench": "Measure speed, memory and start as ratios, beside installed peers.",
}
"""One line per command for the overview, in the order shown."""


class LazyGroup(typer.core.TyperGroup):
    """Loads a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base's signature
        """Return the names of all commands."""
        return list(HELP)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base's signature
        """Return a command, importing what it needs."""
        if cmd_name in COMMANDS:
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(name=cmd_name)(getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name))
            return typer.main.get_command(single)
        if cmd_name in GROUPS:
            found = typer.main.get_command(importlib.import_module(GROUPS[cmd_name]).app)
            found.name = cmd_name
            return found
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the base's signature
        """Write the overview without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
"""The program."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"riverwatch {riverwatch.__version__}")
        raise typer.Exit


@app.callback()
def _riverwatch(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Learn how every identity in a Kubernetes cluster behaves, and say so when one stops behaving like itself."""


def main() -> None:
    """Run the program; a bad input ends with its message and status 1."""
    try:
        app(prog_name="riverwatch")
    except errors.BadInputError as error:
        typer.echo(f"riverwatch: {error}", err=True)
        raise SystemExit(1) from error
