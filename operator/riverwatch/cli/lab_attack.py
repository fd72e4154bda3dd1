"""`riverwatch lab attack` and `lab latency`: run attack simulations, show their cards, time their detections.

Thin: options in, one call into `lab.attacks`, a table out. Exit status: 0 done, 1 something failed or was left behind,
2 wrong usage. A cluster that the lab did not start must be confirmed by its name.
"""

from __future__ import annotations

import pathlib
import secrets
import sys
from typing import Annotated

import msgspec
import rich.console
import rich.table
import typer

from riverwatch import errors
from riverwatch.cli import lab
from riverwatch.lab.attacks import base, catalog, stage, staging
from riverwatch.lab.controlplane import plane, registry
from riverwatch.lab.evaluation import latency as measuring
from riverwatch.lab.evaluation import table

Names = Annotated[list[str] | None, typer.Argument(help="Ids of attacks; all of them when none is named.")]

TargetFile = Annotated[
    pathlib.Path | None, typer.Option(help="Kubeconfig of another cluster, instead of a control plane of the lab.")
]
Confirm = Annotated[str, typer.Option(help="Name of that cluster, to run without being asked.")]
Wide = Annotated[
    bool, typer.Option(help="Allow attacks beyond one namespace on that cluster (the lab's own always allows them).")
]
Home = Annotated[str, typer.Option(help="Namespace to create and play in.")]
Seed = Annotated[int, typer.Option(help="Seeds every choice.")]


@lab.app.command()
def attack(
    names: Names = None,
    *,
    name: lab.Name = registry.DEFAULT,
    directory: lab.Directory = None,
    target: TargetFile = None,
    confirm: Confirm = "",
    cluster_wide: Wide = False,
    namespace: Home = "",
    seed: Seed = 1,
    cards: Annotated[bool, typer.Option("--list", help="Show the cards and run nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print cards or labels as JSON lines.")] = False,
) -> None:
    """Run attack simulations on a control plane of the lab or on a cluster you name, and clean up after them."""
    with lab.reported():
        chosen = catalog.named(names or [])
        if cards:
            _show_cards(chosen, as_json=as_json)
            return
        where = Where(name=name, directory=directory, target=target, confirm=confirm, cluster_wide=cluster_wide)
        scene, issue = _scene(where, namespace)
        played = []
        for one in staging.play(scene, chosen, seed=seed, issue=issue):
            played.append(one)
            _show(one, as_json=as_json)
        failed = [one.attack for one in played if one.failed]
        if failed:
            raise errors.PermanentError(f"{len(failed)} of {len(played)} attacks failed: {', '.join(failed)}")


@lab.app.command()
def latency(
    names: Names = None,
    *,
    name: lab.Name = registry.DEFAULT,
    directory: lab.Directory = None,
    target: TargetFile = None,
    confirm: Confirm = "",
    cluster_wide: Wide = False,
    namespace: Home = "",
    seed: Seed = 1,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for each detection.")] = measuring.PATIENCE_S,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Write the figures here, for `evaluate`.")
    ] = None,
) -> None:
    """Attack a cluster on which the operator runs, and time its detections from request to ThreatDetection."""
    with lab.reported():
        where = Where(name=name, directory=directory, target=target, confirm=confirm, cluster_wide=cluster_wide)
        scene, issue = _scene(where, namespace)
        found = measuring.measure(scene, catalog.named(names or []), seed=seed, issue=issue, patience_s=patience)
        if json_file is not None:
            json_file.write_bytes(msgspec.json.encode(found) + b"\n")
        typer.echo(
            f"seen {found.seen} of {found.attacks}; request to ThreatDetection: "
            f"median {table.duration(found.median_s)}, 95th {table.duration(found.p95_s)}"
        )
        for missed in found.missed:
            typer.echo(f"not seen: {missed}")


class Where(msgspec.Struct, frozen=True):
    """Which cluster was asked for."""

    name: str
    directory: pathlib.Path | None
    target: pathlib.Path | None
    confirm: str
    cluster_wide: bool


def _scene(where: Where, namespace: str) -> tuple[stage.Stage, stage.Issuer | None]:
    """Find the cluster, have a foreign one confirmed, and give an empty stage on it."""
    home = namespace or f"{staging.NAMESPACE}-{secrets.token_hex(3)}"
    if where.target is None:
        running = plane.ControlPlane.load(where.directory or registry.folder(where.name))
        found = staging.target(running.admin_kubeconfig)
        return stage.Stage(found.director, namespace=home, wide=True), _issuer(running)
    found = staging.target(where.target)
    _confirm(found.cluster, where.confirm)
    return stage.Stage(found.director, namespace=home, wide=where.cluster_wide), None


def _issuer(running: plane.ControlPlane) -> stage.Issuer:
    """Give people and nodes certificates from the lab's own CA."""

    def issue(user: str, groups: tuple[str, ...]) -> base.Credential:
        pair = running.client_certificate(user, groups)
        return stage.certificate(pair.certificate, pair.key)

    return issue


def _confirm(cluster: str, given: str) -> None:
    """Have the cluster's name typed before anything is sent to it."""
    if not given and sys.stdin.isatty():
        given = typer.prompt(f"This sends simulated attacks to the cluster {cluster!r}. Type its name to go on")
    if given != cluster:
        raise errors.BadInputError(f"not confirmed; give --confirm {cluster} to attack the cluster {cluster!r}")


def _show_cards(chosen: list[base.Attack], *, as_json: bool) -> None:
    """Print what the attacks say about themselves."""
    if as_json:
        for one in chosen:
            typer.echo(msgspec.json.encode(one.card).decode())
        return
    grid = rich.table.Table("attack", "kind", "use case", "ATT&CK", "reach", "what it does", box=None)
    for one in chosen:
        card = one.card
        grid.add_row(card.id, card.subtlety, card.use_case, card.technique.id, card.reach, card.does)
    rich.console.Console().print(grid)


def _show(one: staging.Played, *, as_json: bool) -> None:
    """Print what came of one attack."""
    if as_json:
        typer.echo(msgspec.json.encode(one).decode())
        return
    if one.label is not None:
        outcome = f"{len(one.label.audit_ids)} requests as {', '.join(one.label.actors)}"
    else:
        outcome = f"skipped: {one.skipped}" if one.skipped else f"failed: {one.failed}"
    rich.console.Console(soft_wrap=True).print(f"{one.attack:30} {outcome}", highlight=False, markup=False)
