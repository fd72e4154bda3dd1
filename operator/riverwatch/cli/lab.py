"""`riverwatch lab`: a real control plane on this machine, by name.

Thin: options in, one call into `riverwatch.lab`, a table or a path out. Exit status: 0 done, 1 it could not be done
(the message says why and what to do), 2 wrong usage. Further commands of the lab register themselves on `app`.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Annotated

import rich.console
import rich.table
import typer

from riverwatch import clock, errors
from riverwatch.lab.controlplane import binaries, layout, options, plane, registry, state, versions

app = typer.Typer(help="A real control plane on this machine, life on it, attacks on it.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--name", help="Name of the control plane.")]
Directory = Annotated[
    pathlib.Path | None, typer.Option("--directory", help="Folder of the control plane, instead of one by its name.")
]
Assets = Annotated[pathlib.Path | None, typer.Option(help="Folder that holds etcd, kube-apiserver and so on.")]
Archive = Annotated[pathlib.Path | None, typer.Option(help="An envtest archive (.tar.gz) to take programs from.")]


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn our errors into a message on standard error and exit status 1."""
    try:
        yield
    except errors.RiverwatchError as error:
        rich.console.Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from error


@app.command()
def up(
    *,
    name: Name = registry.DEFAULT,
    directory: Directory = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The API server's port; 0 takes a free one.")] = 0,
    nodes: Annotated[int, typer.Option(min=0, max=250, help="Nodes to add; they and their pods are played.")] = 3,
    audit_policy: Annotated[pathlib.Path | None, typer.Option(help="Audit policy, instead of ours.")] = None,
    audit_log: Annotated[bool, typer.Option(help="Write the audit log to a file.")] = True,
    audit_webhook_url: Annotated[str | None, typer.Option(help="Send audit records here too.")] = None,
    audit_webhook_ca: Annotated[pathlib.Path | None, typer.Option(help="CA of that receiver, PEM.")] = None,
    audit_webhook_token_file: Annotated[pathlib.Path | None, typer.Option(help="Bearer token for it.")] = None,
    assets: Assets = None,
    envtest_archive: Archive = None,
) -> None:
    """Start a control plane and leave it running; prints the path of its kubeconfig."""
    with reported():
        webhook = None
        if audit_webhook_url is not None:
            webhook = options.Webhook(
                url=audit_webhook_url, authority=audit_webhook_ca, token=_token(audit_webhook_token_file)
            )
        elif audit_webhook_ca or audit_webhook_token_file:
            raise errors.BadInputError("--audit-webhook-ca and --audit-webhook-token-file need --audit-webhook-url")
        chosen = options.Options(audit_policy=audit_policy, audit_log=audit_log, webhook=webhook, kwok=True, port=port)
        folder = directory or registry.folder(name)
        began_s = clock.SystemClock().monotonic_s()
        started = plane.ControlPlane.start(
            folder, chosen, places=binaries.Places(assets=assets, envtest_archive=envtest_archive), detached=True
        )
        try:
            for index in range(nodes):
                started.add_node(f"worker-{index + 1}", f"10.0.1.{index + 1}")
        except BaseException:
            started.remove()
            raise
        took_s = clock.SystemClock().monotonic_s() - began_s
        note = f"ready in {took_s:.1f} s: {started.url}, files in {started.paths.folder}"
        rich.console.Console(stderr=True, soft_wrap=True).print(note, highlight=False)
        typer.echo(started.admin_kubeconfig)


@app.command()
def down(
    *,
    name: Name = registry.DEFAULT,
    directory: Directory = None,
    every: Annotated[bool, typer.Option("--all", help="All control planes that have a name.")] = False,
) -> None:
    """End a control plane and remove its folder."""
    with reported():
        folders = [registry.folder(found) for found in registry.names()] if every else []
        if not every:
            folders = [directory or registry.folder(name)]
        for folder in folders:
            plane.ControlPlane.load(folder).remove()
            rich.console.Console(stderr=True, soft_wrap=True).print(f"removed {folder}", highlight=False)


@app.command()
def status(
    *,
    name: Annotated[str | None, typer.Option("--name", help="Only this control plane.")] = None,
    directory: Directory = None,
) -> None:
    """Show control planes and which of their programs run; exit status 1 when the one asked for is not whole."""
    with reported():
        asked = name is not None or directory is not None
        folders = [registry.folder(found) for found in registry.names()]
        if asked:
            folders = [directory or registry.folder(name or registry.DEFAULT)]
        table = rich.table.Table("name", "address", "programs", "kubeconfig", box=None)
        whole = True
        for folder in folders:
            paths = layout.Layout(folder.absolute())
            found = state.read(paths.state)
            running = found.running()
            whole = whole and all(running.values())
            programs = ", ".join(f"{part}{'' if alive else ' (ended)'}" for part, alive in running.items())
            address = f"https://127.0.0.1:{found.ports.api_server}"
            table.add_row(folder.name, address, programs, str(paths.admin_kubeconfig))
        rich.console.Console(soft_wrap=True).print(table if folders else "no control plane is up")
        if asked and not whole:
            raise typer.Exit(1)


@app.command()
def build(*, assets: Assets = None, envtest_archive: Archive = None) -> None:
    """Find the control plane's programs, or build those that are missing; `up` does it too."""
    with reported():
        places = binaries.Places(assets=assets, envtest_archive=envtest_archive)
        for component, path in binaries.find_all(versions.Component, places).items():
            typer.echo(f"{component}\t{path}")


def _token(path: pathlib.Path | None) -> str | None:
    """Read a token file."""
    if path is None:
        return None
    try:
        return path.read_text().strip()
    except OSError as error:
        raise errors.BadInputError(f"cannot be read: {error.strerror}", where=str(path)) from error
