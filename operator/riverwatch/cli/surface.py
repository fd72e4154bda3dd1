"""``riverwatch surface``: what the audit stream cannot show, and who holds dangerous rights; most dangerous first.

Two parts, each printed when its input is given: the blind-spot report (audit logs) and the attack-surface map (objects
of the cluster, from files or from the API server). Thin: `runtime.coverage` and `runtime.attack_surface` work it out.
"""

from __future__ import annotations

import enum
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
import rich.console
import rich.text
import typer

from riverwatch import errors, models
from riverwatch.cli import objects as objects_of
from riverwatch.cli import surface_page
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources
from riverwatch.rules import loading
from riverwatch.runtime import attack_surface, coverage
from riverwatch.sources import audit_file, base

LIVE = (
    resources.CLUSTER_ROLES,
    resources.CLUSTER_ROLE_BINDINGS,
    resources.ROLES,
    resources.ROLE_BINDINGS,
    resources.SERVICE_ACCOUNTS,
    resources.PODS,
)
"""What is read from a cluster."""


class Format(enum.StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


class Whole(msgspec.Struct, frozen=True, omit_defaults=True):
    """Both parts, as JSON shows them."""

    coverage: coverage.Report | None = None
    surface: attack_surface.Surface | None = None


def surface(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Audit logs for the blind spots: files, folders, - for standard input."
        ),
    ] = None,
    *,
    objects: Annotated[
        list[pathlib.Path] | None,
        typer.Option("--objects", help="Objects of the cluster (YAML or JSON): roles, bindings, accounts, pods."),
    ] = None,
    kubeconfig: Annotated[
        pathlib.Path | None, typer.Option(help="Read the objects from this cluster; KUBECONFIG counts, too.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Also show what Kubernetes' own bindings give.")] = False,
    output: Annotated[Format, typer.Option("-o", "--output", help="table or json")] = Format.TABLE,
) -> None:
    """Show what the audit stream cannot show, and who holds dangerous rights.

    Without --objects and --kubeconfig the map is left out, unless KUBECONFIG names a cluster and no audit log is given.
    """
    live = kubeconfig is not None or (not paths and not objects and bool(os.environ.get("KUBECONFIG")))
    if not (paths or objects or live):
        raise errors.BadInputError("nothing to look at; name audit logs, --objects or --kubeconfig", where="surface")
    whole = Whole(
        coverage=_coverage(paths) if paths else None,
        surface=attack_surface.survey(_bodies(objects or (), kubeconfig, live=live), defaults=defaults)
        if objects or live
        else None,
    )
    if output is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
        return
    console = rich.console.Console()
    if whole.coverage is not None:
        surface_page.coverage_part(whole.coverage, console)
    if whole.coverage is not None and whole.surface is not None:
        console.print()
    if whole.surface is not None:
        surface_page.surface_part(whole.surface, console)


def _coverage(paths: list[str]) -> coverage.Report:
    """Look at every record of some logs."""
    seen, tally = coverage.Coverage(), base.Tally()
    for batch in audit_file.read_paths(paths, tally=tally):
        for one in batch.records:
            seen.look(one)
    sys.stderr.write(f"{tally.summary()}\n")
    return seen.report(loading.load_catalog(), models.CARDS)


def _bodies(files: Iterable[pathlib.Path], kubeconfig: pathlib.Path | None, *, live: bool) -> Iterator[dict[str, Any]]:
    for path in files:
        yield from objects_of.read(path)
    if not live:
        return
    client = kube_client.Client(connection.discover(kubeconfig))
    try:
        for resource in LIVE:
            yield from client.list(resource)
    except (errors.TemporaryError, errors.PermanentError) as error:
        raise errors.BadInputError(str(error), where=str(kubeconfig or "KUBECONFIG")) from error
    finally:
        client.close()
