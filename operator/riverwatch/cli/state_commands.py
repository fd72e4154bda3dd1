"""``riverwatch state``: what checkpoints there are, and taking a person out of them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from riverwatch import clock, errors
from riverwatch.state import forgetting, snapshot, store

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at checkpoints; take a person out of them.")
"""The ``riverwatch state`` group."""


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except errors.TemporaryError as error:
        raise errors.BadInputError(f"{error}; try again later", where="--state") from error


Place = Annotated[
    str,
    typer.Option(
        "--state", metavar="PLACE", help="Folder or URL of the checkpoints, for example STATE_DIR/checkpoints."
    ),
]


@app.command("list")
def show(state: Place) -> None:
    """List the checkpoints, newest first: name, time of the latest record, models, size; why one cannot be used."""
    with _reachable():
        place = store.Store(state)
        for name in place.names():
            try:
                one = place.read(name)
            except errors.StateError as error:
                typer.echo(f"{name}  cannot be used: {error}")
            else:
                time = clock.rfc3339(one.record_s) if one.record_s else "no record yet"
                typer.echo(f"{name}  {time}  {one.model_version}  {len(one.content)} bytes")


@app.command()
def forget(name: Annotated[str, typer.Argument(help="The user name, as audit records have it.")], state: Place) -> None:
    """Take a name out of all checkpoints; stop the operator first, or its next checkpoint holds the name again.

    Detections in the cluster are not touched: delete those of the person with kubectl.
    """
    if len(name) < forgetting.MIN_CHARS:
        raise errors.BadInputError(f"give a whole name of at least {forgetting.MIN_CHARS} characters", where=repr(name))
    one = forgetting.Forgetting(name, f"nobody-{secrets.token_hex(4)}")
    with _reachable():
        place = store.Store(state)
        if not place.names():
            raise errors.BadInputError("holds no checkpoint", where=state)
        rejected = place.rewrite(
            lambda old: msgspec.structs.replace(old, content=snapshot.pack(one.text_of(snapshot.unpack(old.content))))
        )
    for gone in rejected:
        typer.echo(f"{gone.name} could not be read and was removed: {gone.reason}", err=True)
    typer.echo(f"taken out at {one.places} places")
