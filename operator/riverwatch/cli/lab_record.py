"""`riverwatch lab record`: days of a company's life on a real API server, with or without attacks, in minutes.

Thin: options in, one call into `lab.recording`, a few lines about the result out. Exit status: 0 done, 1 it could not
be done, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import sys
import tempfile
from collections.abc import Iterator
from typing import Annotated

import rich.console
import rich.progress
import typer

from riverwatch import errors
from riverwatch.cli import lab
from riverwatch.lab.controlplane import binaries, plane, registry
from riverwatch.lab.recording import choice, kubelet, output, recorder, weaving

Days = Annotated[float, typer.Option(min=0.05, max=90, help="Simulated days.")]
Seed = Annotated[int, typer.Option(help="Seeds every choice.")]
Attacks = Annotated[
    str, typer.Option(metavar="none|all|sample:K|NAME,...", help="Attacks to weave in; `lab attack --list` shows them.")
]
Quiet = Annotated[float, typer.Option("--quiet-share", min=0, max=0.9, help="Share of the days before any attack.")]
Out = Annotated[pathlib.Path, typer.Option(help="Folder for the recording.")]


@lab.app.command()
def record(
    *,
    days: Days = 14,
    seed: Seed = 1,
    attacks: Attacks = "none",
    quiet_share: Quiet = weaving.QUIET_SHARE,
    out: Out,
    name: Annotated[
        str | None, typer.Option(help="Control plane that is up and unused; by default one is started and removed.")
    ] = None,
    happenings: Annotated[bool, typer.Option(help="Weave in benign but odd happenings.")] = True,
    compress: Annotated[bool, typer.Option(help="Write audit.jsonl.zst instead of audit.jsonl.")] = False,
    assets: lab.Assets = None,
    envtest_archive: lab.Archive = None,
) -> None:
    """Record the life of a company on a real API server: audit log, labels, objects, facts about the recording."""
    with lab.reported():
        try:
            chosen = choice.attacks(attacks, seed=seed)
        except errors.BadInputError as error:
            raise typer.BadParameter(str(error), param_hint="--attacks") from error
        order = recorder.Order(
            days=days,
            seed=seed,
            attacks=tuple(chosen),
            with_happenings=happenings,
            quiet_share=quiet_share,
            compress=compress,
            command=shlex.join(["riverwatch", *sys.argv[1:]]),
        )
        places = binaries.Places(assets=assets, envtest_archive=envtest_archive)
        with _plane(name, places) as on, _bar() as bar:
            task = bar.add_task("founding", total=1.0)
            facts = recorder.record(
                on, out, order, progress=lambda what, share: bar.update(task, description=what, completed=share)
            )
    console = rich.console.Console(stderr=True, soft_wrap=True)
    rate = facts["requests"] / max(facts["playedInSeconds"], 0.1)
    console.print(
        f"{facts['records']} records of {facts['identities']} identities, {facts['attacks']} attacks, "
        f"{facts['happenings']} happenings; {facts['requests']} requests at {rate:.0f} a second"
    )
    for key in output.COMPLAINTS:
        if facts[key]:
            console.print(f"{key}: {facts[key]}", style="yellow", markup=False)
    typer.echo(str(out))


@contextlib.contextmanager
def _plane(name: str | None, places: binaries.Places) -> Iterator[plane.ControlPlane]:
    """Give the named control plane, or one that lives as long as the recording."""
    if name is not None:
        yield plane.ControlPlane.load(registry.folder(name))
        return
    with tempfile.TemporaryDirectory(prefix="riverwatch-record-") as scratch:
        folder = pathlib.Path(scratch)
        with plane.ControlPlane.start(folder / "plane", kubelet.tunnelled(folder), places=places) as started:
            yield started


def _bar() -> rich.progress.Progress:
    """Make the progress bar."""
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description:<10}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
        console=rich.console.Console(stderr=True),
    )
