"""The work of one run: a folder with ``audit.jsonl``, ``batches.jsonl`` and ``labels.csv``, and facts about it.

Either made on the spot by `load`, or given by the user (``--load``) in the same form.
"""

from __future__ import annotations

import pathlib

import msgspec

from riverwatch import clock, errors
from riverwatch.activity import record
from riverwatch.bench import load

LEARNING_SHARE = 0.2
"""Share of the records at the start in which nothing suspicious happens; the product learns then and is silent."""


class Workload(msgspec.Struct, frozen=True):
    """A folder of records, opened."""

    folder: pathlib.Path
    records: int
    batches: int
    learn_until_s: float
    """Record time, epoch seconds, at the end of the learning part."""

    @property
    def audit(self) -> pathlib.Path:
        """Records as JSON lines."""
        return self.folder / "audit.jsonl"

    @property
    def batch_file(self) -> pathlib.Path:
        """The same records as EventLists, one a line."""
        return self.folder / "batches.jsonl"

    @property
    def labels(self) -> pathlib.Path:
        """Ids of the suspicious records."""
        return self.folder / "labels.csv"


def opened(folder: pathlib.Path) -> Workload:
    """Look at a folder.

    Parameters
    ----------
    folder
        Holds at least ``audit.jsonl`` and ``batches.jsonl``.

    Raises
    ------
    BadInputError
        When a file is missing or its records have no time.
    """
    audit, batches = folder / "audit.jsonl", folder / "batches.jsonl"
    for path in (audit, batches):
        if not path.is_file():
            raise errors.BadInputError("is not there; --load needs audit.jsonl and batches.jsonl", where=str(path))
    records = _count_lines(audit)
    border = int(records * LEARNING_SHARE)
    with audit.open("rb") as file:
        line = next((line for number, line in enumerate(file) if number == border), b"")
    try:
        stamp = msgspec.json.decode(line, type=record.AuditRecord).request_received_timestamp or ""
        learn_until_s = clock.parse_rfc3339(stamp)
    except (msgspec.DecodeError, ValueError) as error:
        raise errors.BadInputError(
            f"line {border + 1} is no audit record with a time: {error}", where=str(audit)
        ) from error
    return Workload(folder, records, _count_lines(batches), learn_until_s)


def made(folder: pathlib.Path, *, seed: int, records: int) -> Workload:
    """Make the work in a folder.

    Parameters
    ----------
    folder
        An empty folder.
    seed
        Same seed, same bytes.
    records
        How many, from 400.
    """
    return made_as(folder, load.Size(records=records), seed=seed)


def made_as(folder: pathlib.Path, size: load.Size, *, seed: int) -> Workload:
    """Make the work of a cluster of some size in a folder."""
    load.write(folder, size, seed=seed)
    return opened(folder)


def _count_lines(path: pathlib.Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1024 * 1024), b""))
