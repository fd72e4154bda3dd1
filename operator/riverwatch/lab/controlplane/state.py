"""The file by which another process finds a running control plane.

Format: one JSON object, `version` first; paths as text, started programs by component. Written whole and
renamed at every change, so that a reader sees a complete one. Called by `plane`.
"""

from __future__ import annotations

import dataclasses
import pathlib

import msgspec

from riverwatch import errors
from riverwatch.lab.controlplane import layout, options, processes, versions

VERSION = 1
"""Version of the format; another one is refused."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class State:
    """What must be known to use and to end a plane.

    Parameters
    ----------
    chosen
        What the caller chose.
    ports
        Ports in use.
    programs
        Where each program was found.
    started
        What runs; changed in place when a program is restarted.
    version
        Version of the format.
    """

    chosen: options.Options
    ports: layout.Ports
    programs: dict[versions.Component, pathlib.Path]
    started: dict[versions.Component, processes.Process]
    version: int = VERSION

    def running(self) -> dict[versions.Component, bool]:
        """Say of every program that belongs to the plane whether it runs."""
        return {part: part in self.started and self.started[part].alive() for part in self.chosen.components()}


def write(path: pathlib.Path, content: State) -> None:
    """Write a state file.

    Parameters
    ----------
    path
        Where to.
    content
        What to write.
    """
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)  # it may hold the webhook's token
    draft.write_bytes(msgspec.json.encode(content, enc_hook=str))
    draft.replace(path)


def read(path: pathlib.Path) -> State:
    """Read a state file.

    Parameters
    ----------
    path
        Which.

    Raises
    ------
    BadInputError
        When it is missing, unreadable or of another version.
    """
    try:
        content = msgspec.json.decode(path.read_bytes(), type=State, dec_hook=_decode)
    except OSError as error:
        raise errors.BadInputError("no control plane here", where=str(path.parent)) from error
    except msgspec.DecodeError as error:
        raise errors.BadInputError(f"not a control plane's state: {error}", where=str(path)) from error
    if content.version != VERSION:
        raise errors.BadInputError(f"written by another riverwatch (format {content.version})", where=str(path))
    return content


def _decode(kind: type, value: object) -> object:
    """Make paths of text."""
    if kind is pathlib.Path:
        return pathlib.Path(str(value))
    raise NotImplementedError(f"no {kind} in a state file")
