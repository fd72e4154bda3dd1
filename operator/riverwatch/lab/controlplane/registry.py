"""Control planes by name: several at once, found again by any later command.

In: a name. Out: a folder. The folders lie together in the user's state folder unless one is named; what is running
is read from each plane's own state file, so there is no list that could be wrong. Called by `riverwatch lab`.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping

from riverwatch import errors
from riverwatch.lab.controlplane import layout

DEFAULT = "default"
"""Name of the plane when none is given."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""Names are folder names and appear in messages: short, and without anything a shell would touch."""


def root(environ: Mapping[str, str] | None = None) -> pathlib.Path:
    """Return the folder that holds the planes.

    Parameters
    ----------
    environ
        Environment variables; the process' own by default.
    """
    variables = os.environ if environ is None else environ
    base = variables.get("XDG_STATE_HOME") or str(pathlib.Path.home() / ".local" / "state")
    return pathlib.Path(base) / "riverwatch" / "lab"


def folder(name: str, *, planes: pathlib.Path | None = None) -> pathlib.Path:
    """Return a plane's folder, whether or not it exists.

    Parameters
    ----------
    name
        The plane's name.
    planes
        The folder that holds the planes; `root` by default.

    Raises
    ------
    BadInputError
        When the name cannot be one.
    """
    if not NAME.fullmatch(name):
        raise errors.BadInputError(
            f"{name!r} is no name of a control plane; use at most 40 lower-case letters, digits and dashes"
        )
    return (planes or root()) / name


def names(planes: pathlib.Path | None = None) -> list[str]:
    """Give the names of all planes that have a state file, sorted.

    Parameters
    ----------
    planes
        The folder that holds the planes; `root` by default.
    """
    base = planes or root()
    found = base.iterdir() if base.is_dir() else iter(())
    return sorted(path.name for path in found if layout.Layout(path).state.is_file())
