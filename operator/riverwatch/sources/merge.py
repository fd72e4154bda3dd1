"""Stage 1, files: `Batch`es of several files -> `Batch`es in the order of time.

The API servers of one cluster write a log each, at the same time: three masters with four servers give twelve files
that cover the same hours. Read one after the other, the clock would jump back eleven times, and what belongs together
would lie days apart. Each file is nearly in order by itself; here they are read side by side, in bounded memory. A file
is opened when the others have come to its first record. Called by `audit_file`.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence

import msgspec

from riverwatch import errors
from riverwatch.activity import normalise, record
from riverwatch.sources import base

SLACK_S = 1.0
"""Seconds by which one file may run ahead of the others: an API server itself writes a request after its end, and
delivers it up to 30 s later, so that nothing depends on less."""

MAX_OPEN = 64
"""Files read side by side; every further one waits until another has ended. Twelve servers need twelve."""

BATCH_RECORDS = 2_000
"""Records of several files that are put into one batch."""

_NEVER_S = float("inf")


class Series(msgspec.Struct, frozen=True):
    """One file: when it begins, and its batches, which are not read before they are asked for."""

    first_s: float
    """Time of its first record, infinity when it has none."""
    batches: Iterable[base.Batch]


def by_time(series: Sequence[Series]) -> Iterator[base.Batch]:
    """Read several files side by side.

    Parameters
    ----------
    series
        Files; those that begin at the same time are read in the order given, those without a time last.
    """
    waiting = sorted(series, key=lambda one: one.first_s)
    waiting.reverse()
    open_files: list[_Head] = []
    mixed = _Mixed()
    with contextlib.ExitStack() as stack:
        while open_files or waiting:
            now_s = min((head.time_s for head in open_files), default=_NEVER_S)
            while waiting and len(open_files) < MAX_OPEN and (not open_files or waiting[-1].first_s <= now_s):
                head = _Head(waiting.pop().batches)
                stack.callback(head.close)
                if head.advance():
                    open_files.append(head)
                    now_s = min(now_s, head.time_s)
            if not open_files:
                continue
            first = min(open_files, key=lambda head: head.time_s)
            others = [head.time_s for head in open_files if head is not first]
            if waiting and len(open_files) < MAX_OPEN:
                others.append(waiting[-1].first_s)
            until_s = min(others, default=_NEVER_S) + SLACK_S
            if first.last_s <= until_s:
                yield from mixed.add(first.rest(), whole=True)
                if not first.advance():
                    open_files.remove(first)
            else:
                yield from mixed.add(first.run(until_s), whole=False)
        yield from mixed.flush()


class _Head:
    """An open file and how far it has been taken."""

    __slots__ = ("_batch", "_batches", "_index", "last_s", "time_s")

    def __init__(self, batches: Iterable[base.Batch]) -> None:
        self._batches = iter(batches)
        self._batch = base.Batch([], "")
        self._index = 0
        self.time_s = 0.0
        """Time of the next record."""
        self.last_s = 0.0
        """Time of the last record of the batch at hand."""

    def advance(self) -> bool:
        """Read the next batch; False at the end."""
        for batch in self._batches:
            if batch.records:
                self._batch, self._index = batch, 0
                self.time_s = _time_of(batch.records[0], self.last_s)
                self.last_s = _time_of(batch.records[-1], self.time_s)
                return True
        return False

    def rest(self) -> base.Batch:
        """Return what is left of the batch at hand."""
        return self._batch if not self._index else base.Batch(self._batch.records[self._index :], self._where)

    def run(self, until_s: float) -> base.Batch:
        """Take the records up to a time, at least one. At least one is left, because the last one lies beyond."""
        records, start, where = self._batch.records, self._index, self._where
        end = bisect.bisect_right(records, until_s, lo=start + 1, key=lambda one: _time_of(one, self.time_s))
        self._index = end = min(end, len(records) - 1)
        self.time_s = _time_of(records[end], self.time_s)
        return base.Batch(records[start:end], where)

    def close(self) -> None:
        """Stop reading."""
        if isinstance(self._batches, Generator):
            self._batches.close()

    @property
    def _where(self) -> str:
        return self._batch.place(self._index) if self._index else self._batch.where


class _Mixed:
    """Gathers short runs of several files, so that what follows still gets batches worth their price."""

    __slots__ = ("_records", "_where")

    def __init__(self) -> None:
        self._records: list[record.AuditRecord] = []
        self._where = ""

    def add(self, batch: base.Batch, *, whole: bool) -> Iterator[base.Batch]:
        """Take a run; give batches that are ready. A batch of one file goes on as it is when nothing waits."""
        if whole and not self._records:
            yield batch
            return
        if not self._records:
            self._where = f"{batch.where}, files side by side"
        self._records += batch.records
        if len(self._records) >= BATCH_RECORDS:
            yield from self.flush()

    def flush(self) -> Iterator[base.Batch]:
        """Give what is left."""
        if self._records:
            yield base.Batch(self._records, self._where)
            self._records = []


def _time_of(one: record.AuditRecord, before_s: float) -> float:
    """Return when a record was written, which is what a log is in order of; without a time it goes with the one before.

    A request may have begun hours before: an open shell is written when it is closed.
    """
    try:
        return normalise.parse_time(one.stage_timestamp) if one.stage_timestamp else normalise.time_of(one)
    except (errors.MalformedRecordError, ValueError, OverflowError):
        return before_s
