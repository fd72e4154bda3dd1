"""Stage 1, files: follows a growing audit log -> `Delivery` objects of whole lines, across rotations and restarts.

For control planes that write ``--audit-log-path`` on a node. A rotation (rename and create) is followed to the end
of the old file first; a truncation starts over; the position is plain data and stands after the last line the sink
accepted, so that a restart repeats nothing and omits nothing, even when the log was rotated meanwhile and the old
file is still there. When the sink has no room, reading waits: the file keeps what is not read. Runs on the caller's
event loop, reads on a thread of its own. Plain files only; `audit_file` reads compressed ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import pathlib

import msgspec

from riverwatch import clock, errors, metrics
from riverwatch.sources import base, cards

_log = logging.getLogger(__name__)

READ_BYTES = 1024 * 1024
"""Bytes read at once, and so the usual size of a delivery: some 800 records."""

LINE_MAX_BYTES = 16 * 1024 * 1024
"""A line longer than this is handed on in parts, which the decoder counts as unusable."""

FINGERPRINT_BYTES = 1024
"""First bytes of a file that tell it from another one with the same inode number."""


class _File(msgspec.Struct):
    """The file that is being read."""

    descriptor: int
    device: int
    inode: int
    offset: int
    """Bytes accepted by the sink."""


class AuditTail:
    """A followed audit log, a `base.Source`.

    Parameters
    ----------
    sink
        Takes deliveries, or says that there is no room.
    path
        The log; it may appear later.
    position
        Where to resume, as `position` returned it; None starts at the beginning of the file.
    poll_s
        Seconds between two looks when there is nothing to read, or no room.
    counters
        Where lag and rotations are counted; throwaway ones when None.
    time
        Clock.
    """

    card = cards.AUDIT_TAIL

    def __init__(  # noqa: PLR0913 - one argument per thing a person may set
        self,
        sink: base.Sink,
        path: str | os.PathLike[str],
        *,
        position: base.Position | None = None,
        poll_s: float = 0.25,
        counters: metrics.Metrics | None = None,
        time: clock.Clock | None = None,
    ) -> None:
        self._sink = sink
        self._path = pathlib.Path(path)
        self._position = position
        self._poll_s = poll_s
        self._counters = counters or metrics.Metrics()
        self._time = time or clock.SystemClock()
        self._file: _File | None = None
        self._backlog: list[pathlib.Path] = []
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def position(self) -> base.Position | None:
        """Return where to resume: after the last line the sink accepted; None when nothing was found yet."""
        return self._position

    async def start(self) -> None:
        """Begin to follow.

        Raises
        ------
        BadInputError
            When the path is a directory, or its directory does not exist.
        """
        if self._path.is_dir():
            raise errors.BadInputError("is a directory; name the audit log in it", where=str(self._path))
        if not self._path.parent.is_dir():
            raise errors.BadInputError("there is no such directory; mount it", where=str(self._path.parent))
        self._stopping.clear()
        await asyncio.to_thread(self._resume)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop reading; what the sink did not accept is read again after a restart."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None
        self._close()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                lines = await asyncio.to_thread(self._next)
            except OSError as error:
                _log.warning("the audit log cannot be read", extra={"path": str(self._path), "cause": str(error)})
                lines = b""
            if not lines:
                await self._pause()
            else:
                await self._deliver(lines)

    async def _deliver(self, lines: bytes) -> None:
        """Offer until there is room, and move on; stays here when stopped before."""
        assert self._file is not None
        after = self._after(lines)
        where = f"{self._path}, byte {self._file.offset}"
        delivery = base.Delivery(lines, where, self._time.now_s(), after=after)
        while not self._sink(delivery):
            await self._pause()
            if self._stopping.is_set():
                return
        self._file.offset, self._position = after.offset, after

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._poll_s)

    def _next(self) -> bytes:
        """Return the next whole lines, or nothing when there are none now; moves on to the next file at an end."""
        if self._file is None and not self._open_next():
            return b""
        assert self._file is not None
        if not self._same_head():
            self._start_over()
        size = READ_BYTES
        while True:
            data = os.pread(self._file.descriptor, size, self._file.offset)
            end = data.rfind(b"\n") + 1
            if end:
                return data[:end]
            if len(data) < size:
                break
            if size >= LINE_MAX_BYTES:
                return data
            size *= 2
        return self._at_end(data)

    def _at_end(self, partial: bytes) -> bytes:
        """Decide what the end of the file means: wait, start over, or go on with the next file."""
        assert self._file is not None
        length = os.fstat(self._file.descriptor).st_size
        self._counters.tail_lag_bytes.set(max(0, length - self._file.offset))
        if length < self._file.offset:
            self._start_over()
            return b""
        if not self._backlog and self._is_current():
            return b""
        if length > self._file.offset + len(partial):
            return b""
        if partial:
            return partial
        self._close()
        self._counters.tail_rotations.inc()
        self._open_next()
        return b""

    def _start_over(self) -> None:
        assert self._file is not None
        _log.info("the audit log was truncated", extra={"path": str(self._path)})
        self._counters.tail_rotations.inc()
        self._file.offset = 0
        self._position = self._after(b"")

    def _is_current(self) -> bool:
        """Tell whether the path still names the file that is being read; also while it names none."""
        assert self._file is not None
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return True
        return (now.st_dev, now.st_ino) == (self._file.device, self._file.inode)

    def _open_next(self) -> bool:
        """Open the oldest file that was rotated away and not read, else the log itself from its beginning."""
        while self._backlog:
            with contextlib.suppress(FileNotFoundError):
                return self._open(self._backlog.pop(0), 0)
        try:
            return self._open(self._path, 0)
        except FileNotFoundError:
            return False

    def _open(self, path: pathlib.Path, offset: int) -> bool:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        self._file = _File(descriptor, status.st_dev, status.st_ino, offset)
        self._position = self._after(b"")
        return True

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None

    def _resume(self) -> None:
        """Open the file in which the last run stopped, wherever a rotation has put it."""
        last = self._position
        if last is None:
            self._open_next()
            return
        siblings = sorted(self._siblings(), key=lambda one: one.stat().st_mtime_ns)
        for index, path in enumerate(siblings):
            status = path.stat()
            if (status.st_dev, status.st_ino) != (last.device, last.inode) or status.st_size < last.offset:
                continue
            if fingerprint(path, last.offset) == last.fingerprint:
                self._backlog = [one for one in siblings[index + 1 :] if one != self._path]
                self._open(path, last.offset)
                return
        _log.warning("the audit log was rotated away while nobody followed it", extra={"path": str(self._path)})
        self._open_next()

    def _siblings(self) -> list[pathlib.Path]:
        """Return the log and what it was renamed to: ``audit-2026-01-15T08-00-00.000.log``, ``audit.log.1`` ..."""
        stem = self._path.name.split(".", 1)[0]
        plain = [one for one in self._path.parent.glob(f"{stem}*") if one.is_file()]
        return [one for one in plain if one.suffix not in (".gz", ".zst")]

    def _same_head(self) -> bool:
        """Tell whether the file still begins as it did: a truncation may have grown again beyond the offset."""
        assert self._file is not None
        assert self._position is not None
        return _digest(os.pread(self._file.descriptor, min(FINGERPRINT_BYTES, self._file.offset), 0)) == (
            self._position.fingerprint
        )

    def _after(self, lines: bytes) -> base.Position:
        """Return the position after some more lines; the head is read again only while it still grows."""
        assert self._file is not None
        one, last = self._file, self._position
        offset = one.offset + len(lines)
        if last is not None and lines and one.offset >= FINGERPRINT_BYTES:
            return base.Position(one.device, one.inode, offset, last.fingerprint)
        head = os.pread(one.descriptor, min(FINGERPRINT_BYTES, offset), 0)
        return base.Position(one.device, one.inode, offset, _digest(head))


def fingerprint(path: pathlib.Path, offset: int) -> str:
    """Return the fingerprint of a file of which `offset` bytes were delivered."""
    with path.open("rb") as file:
        return _digest(file.read(min(FINGERPRINT_BYTES, offset)))


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()
