"""Output: every revision of a detection as one JSON line, the same shape as ``riverwatch replay -o jsonl``.

For log collectors and for debugging. Appends to a file or to standard output and flushes each line.
"""

from __future__ import annotations

import pathlib
import sys
from typing import BinaryIO

import msgspec

from riverwatch import errors
from riverwatch.detections import finding, render
from riverwatch.outputs import base

STANDARD_OUTPUT = "-"
"""Path that means standard output."""

CARD = base.OutputCard(
    id="json_lines",
    summary="every ThreatDetection as a JSON line, to a file or standard output",
    retry=base.RetryClass.LIMITED,
    settings=("json_lines",),
    spacing_s=5.0,
)


class JsonLinesOutput:
    """Appends lines.

    Parameters
    ----------
    path
        File, or ``-`` for standard output; opened at the first line, so that a full disk does not stop the start.
    operator_namespace
        Namespace of detections that have none.
    """

    card = CARD

    def __init__(self, path: pathlib.Path, *, operator_namespace: str) -> None:
        self._path = path
        self._operator_namespace = operator_namespace
        self._file: BinaryIO | None = None

    def wants(self, detection: finding.Detection) -> bool:  # noqa: ARG002 - every revision is news
        """Every revision is news."""
        return True

    def deliver(self, detection: finding.Detection) -> None:
        """Append one line."""
        body = render.to_threat_detection(detection, operator_namespace=self._operator_namespace)
        try:
            file = self._opened()
            file.write(msgspec.json.encode(body) + b"\n")
            file.flush()
        except OSError as error:
            self.close()
            raise errors.TemporaryError(f"cannot write {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        file, self._file = self._file, None
        if file is not None and file is not sys.stdout.buffer:
            file.close()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = sys.stdout.buffer if str(self._path) == STANDARD_OUTPUT else self._path.open("ab")
        return self._file
