"""Runs ``riverwatch replay`` on the recording beside this file and writes the page ``demo-report.html``."""

from __future__ import annotations

import pathlib
import shlex
import sys

from riverwatch.cli import main

FOLDER = pathlib.Path(__file__).parent
"""Where the recording lies."""

PAGE = "demo-report.html"
"""Page that is written into the current folder."""


def arguments() -> list[str]:
    """Return the command line that the demo stands for."""
    return [
        "replay",
        str(FOLDER / "audit.jsonl.zst"),
        "--objects",
        str(FOLDER / "objects.yaml"),
        "--report",
        PAGE,
    ]


if __name__ == "__main__":
    sys.stderr.write(f"$ riverwatch {shlex.join(arguments())}\n\n")
    sys.argv[1:] = arguments()
    try:
        main.main()
    except SystemExit as done:
        if done.code:
            raise
    sys.stderr.write(f"The same with evidence and plots: {PAGE}\n")
