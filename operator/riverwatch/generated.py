"""Files that are written from code: the one command line that writes them or says which are stale.

Path and text in, files or an exit status out. A file is stale when it is absent or differs by one byte. Called by the
modules that render pages, manifests and custom resources, for `make docs` and `make verify`.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

Files = Mapping[pathlib.Path, str]
"""Every generated file, from the root of the repository, with its text."""


def stale(files: Files, *, root: pathlib.Path) -> list[pathlib.Path]:
    """Return the files that differ from what they are written from, below a root."""
    return [root / place for place, wanted in files.items() if _read(root / place) != wanted]


def write(files: Files, *, root: pathlib.Path) -> None:
    """Write the files below a root, and the folders that they need."""
    for place, text in files.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(
    render: Callable[[], Files],
    arguments: Sequence[str] | None = None,
    *,
    module: str,
    wrong: Callable[[pathlib.Path], list[pathlib.Path]] | None = None,
) -> int:
    """Write the files, or with ``--check`` name the stale ones on standard error.

    Parameters
    ----------
    render
        Makes the files.
    arguments
        Of the command line; those of the process unless given.
    module
        Name of the module that is run, for usage and for the way to renew a file.
    wrong
        Finds the files below a root that must change; those that `stale` finds unless given.

    Returns
    -------
    int
        The exit status: 1 when a file is stale.
    """
    command = f"python -m {module}"
    parser = argparse.ArgumentParser(prog=command, description="Write generated files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is stale")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(), help="root of the repository")
    options = parser.parse_args(arguments)
    if not options.check:
        write(render(), root=options.root)
        return 0
    found = wrong(options.root) if wrong is not None else stale(render(), root=options.root)
    for path in found:
        sys.stderr.write(f"{path}: stale; run {command}\n")
    return 1 if found else 0


def _read(path: pathlib.Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
