"""Stage 1, files: paths -> `Batch`es of `AuditRecord`s, for reading recorded audit logs from beginning to end.

Reads standard input (``-``), files and whole directories; gzip, zstd and every wrapping are recognised by content.
Streams in bounded memory, however large a file is. Several files are read side by side, in the order of their records'
times. Records that cannot be used are counted in the `Tally`; only a path that offers nothing at all is an error.
Called by the command line; it must not judge records.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import BinaryIO

from riverwatch import errors
from riverwatch.activity import normalise
from riverwatch.sources import base, compression, decode, merge, segments, stream

STDIN = "-"
"""The path that means standard input."""

Progress = Callable[[int, int], None]
"""Called with bytes read so far, as they lie on disk, and bytes in all (0 when that is unknown)."""

_HEAD_BYTES = 4096
"""Bytes of a file kept to say what it looks like, should it hold no record."""

_SHOWN_CHARS = 80
"""Characters of the first line shown in that message."""


def read_paths(
    paths: Sequence[str | os.PathLike[str]],
    *,
    tally: base.Tally,
    record_max_bytes: int = decode.RECORD_MAX_BYTES,
    progress: Progress | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[base.Batch]:
    """Read audit records from files, directories and standard input.

    A file named by itself must hold at least one audit record. Of a directory at least one file must; its other files
    are skipped and counted as `not_audit` (hidden files and empty ones silently).

    Parameters
    ----------
    paths
        Files, directories (walked in sorted order), or ``-``.
    tally
        Where reads and skips are counted.
    record_max_bytes
        Largest record, in bytes.
    progress
        Told about every chunk read.
    stdin
        What ``-`` reads; the process's own when None.

    Yields
    ------
    Batch
        At most a few thousand records each, never empty.

    Raises
    ------
    BadInputError
        When a path is missing or unreadable, a directory has no file, or a named file has no audit record.
    """
    inputs = _ordered(_parted(_resolve(paths)), record_max_bytes=record_max_bytes)
    meter = _Meter(progress, total=_total_bytes([one for _, one in inputs]))
    found: set[str] = set()

    def batches_of(one: _Input) -> Iterator[base.Batch]:
        opened = (stdin or sys.stdin.buffer) if one.name == STDIN else None
        reading = _Reading(one, meter=meter, opened=opened)
        yield from reading.batches(decode.RecordDecoder(tally=tally, record_max_bytes=record_max_bytes))
        if reading.seen:
            found.add(one.name)
        elif one.named:
            shown = _shown(one.name)
            problem = next((skip.detail for skip in tally.recent if skip.where.startswith(shown)), "")
            raise errors.BadInputError(_nothing_in(reading.head, problem), where=shown)

    yield from merge.by_time([merge.Series(first_s, batches_of(one)) for first_s, one in inputs])
    if not found:
        raise errors.BadInputError("no file holds an audit record", where=", ".join(str(path) for path in paths))


class _Input:
    """One file to read, or a part of one."""

    __slots__ = ("name", "named", "part", "size")

    def __init__(self, name: str, *, named: bool, part: segments.Part | None = None) -> None:
        self.name = name
        self.named = named
        self.part = part
        """None for the whole file, which may still grow."""
        whole = 0 if name == STDIN else pathlib.Path(name).stat().st_size
        self.size = part.end - part.start if part else whole

    @property
    def shown(self) -> str:
        """What messages call it."""
        shown = _shown(self.name)
        return f"{shown} from byte {self.part.start}" if self.part and self.part.start else shown


class _Meter:
    """Adds up the bytes read for the progress hook."""

    def __init__(self, progress: Progress | None, *, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


class _Reading:
    """Reads one file once."""

    def __init__(self, one: _Input, *, meter: _Meter, opened: BinaryIO | None = None) -> None:
        self._one = one
        self._left = one.size if one.part else None
        self._meter = meter
        self._file = opened
        self.head = b""
        """The first plain bytes."""
        self.seen = 0
        """Audit records seen, stage RequestReceived included."""

    def read(self, size: int) -> bytes:
        """Read raw bytes and tell the meter."""
        assert self._file is not None
        try:
            data = self._file.read(size if self._left is None else min(size, self._left))
        except OSError as error:
            raise errors.BadInputError(f"cannot read: {error.strerror}", where=self._one.name) from error
        if self._left is not None:
            self._left -= len(data)
        self._meter.add(len(data))
        return data

    def batches(self, decoder: decode.RecordDecoder) -> Generator[base.Batch]:
        """Decode the file."""
        with contextlib.ExitStack() as stack:
            if self._file is None:
                self._file = stack.enter_context(_open(self._one.name))
                if self._one.part:
                    self._file.seek(self._one.part.start)
            yield from self._decoded(decoder)

    def _decoded(self, decoder: decode.RecordDecoder) -> Iterator[base.Batch]:
        shown = self._one.shown
        lines = stream.StreamDecoder(decoder, where=shown)
        received_before = decoder.tally.skipped.get(base.SkipReason.STAGE_RECEIVED, 0)
        where = f"{shown}:1"
        try:
            for chunk in compression.plain_chunks(self):
                self.head = self.head or chunk[:_HEAD_BYTES]
                records = lines.feed(chunk)
                if records:
                    self.seen += len(records)
                    yield base.Batch(records, where)
                where = f"{shown}:{lines.line}"
        except compression.DamagedError as error:
            decoder.tally.read += 1
            decoder.tally.skip(base.SkipReason.TRUNCATED, where=where, detail=error.detail)
        records = lines.finish()
        if records:
            self.seen += len(records)
            yield base.Batch(records, where)
        self.seen += decoder.tally.skipped.get(base.SkipReason.STAGE_RECEIVED, 0) - received_before


def _resolve(paths: Sequence[str | os.PathLike[str]]) -> list[_Input]:
    """Turn what a person named into files, each once."""
    if not paths:
        raise errors.BadInputError("name at least one file, a directory, or - for standard input")
    inputs: dict[str, _Input] = {}
    for path in [os.fspath(one) for one in paths]:
        if path == STDIN:
            inputs.setdefault(path, _Input(path, named=True))
            continue
        place = pathlib.Path(path)
        if place.is_dir():
            files = sorted(one for one in place.rglob("*") if one.is_file() and not one.name.startswith("."))
            if not files:
                raise errors.BadInputError("the directory has no file in it; name an audit log", where=path)
            for one in files:
                inputs.setdefault(str(one), _Input(str(one), named=False))
        elif place.exists():
            inputs[path] = _Input(path, named=True)
        else:
            raise errors.BadInputError("there is no such file or directory", where=path)
    return list(inputs.values())


def _parted(inputs: list[_Input]) -> list[_Input]:
    """Take a file apart in which one log follows another of the same hours."""
    parted = []
    for one in inputs:
        parts = [] if one.name == STDIN else segments.parts_of(pathlib.Path(one.name), one.size)
        parted += [_Input(one.name, named=one.named, part=part) for part in parts] if len(parts) > 1 else [one]
    return parted


def _ordered(inputs: list[_Input], *, record_max_bytes: int) -> list[tuple[float, _Input]]:
    """Put the time of its first record to each file; one that is alone needs none."""
    if len(inputs) == 1:
        return [(0.0, inputs[0])]
    return [(_first_time(one, record_max_bytes=record_max_bytes), one) for one in inputs]


def _first_time(one: _Input, *, record_max_bytes: int) -> float:
    """Return the time of a file's first record in epoch seconds, infinity when it has none."""
    if one.name == STDIN:
        return float("inf")
    decoder = decode.RecordDecoder(tally=base.Tally(), record_max_bytes=record_max_bytes)
    with contextlib.closing(_Reading(one, meter=_Meter(None, total=0)).batches(decoder)) as batches:
        for batch in batches:
            for source in batch.records:
                with contextlib.suppress(errors.MalformedRecordError):
                    return normalise.time_of(source)
    return float("inf")


def _open(name: str) -> BinaryIO:
    try:
        return pathlib.Path(name).open("rb", buffering=0)
    except OSError as error:
        raise errors.BadInputError(f"cannot open: {error.strerror}", where=name) from error


def _total_bytes(inputs: list[_Input]) -> int:
    return 0 if any(one.name == STDIN for one in inputs) else sum(one.size for one in inputs)


def _shown(name: str) -> str:
    return "<stdin>" if name == STDIN else name


def _nothing_in(head: bytes, problem: str) -> str:
    """Say that there is no audit record, what there is instead, and what was wrong first."""
    kind = compression.looks_like(head)
    message = f"no Kubernetes audit record in it; it looks like {kind}"
    if kind in ("JSON", "text"):
        first_line = head.lstrip().split(b"\n", 1)[0].decode(errors="replace")
        shown = "".join(char if char.isprintable() else "?" for char in first_line[:_SHOWN_CHARS])
        message += f", first line: {shown}{'...' if len(first_line) > _SHOWN_CHARS else ''}"
    if problem:
        message += f" ({problem})"
    return (
        f"{message}. Give an audit log of kube-apiserver (--audit-log-path), or its export from a cloud's log service"
    )
