"""The spool: batches that were acknowledged but not yet judged, on disk, so that no end of the process loses them.

In: `append`, called by receivers before they answer. Out: `read_from`, in the order of the appends, and `trim` once a
checkpoint includes what was read. Invariants: a batch that `append` took is given out by `read_from` exactly once per
reading, whatever ended the process; what cannot be read is counted and the rest goes on; the size is bounded. Plain and
blocking; safe to use from several threads. `state.frames` says how bytes lie on disk.

What "taken" means is the `Durability`. By default the batch was handed to the kernel, which survives any end of the
process (kill -9, out of memory) and costs no flush; after a loss of power the batches of the last seconds can be
missing (Linux writes them out within about 30 s). ``machine`` waits for the disk as well; batches that arrive meanwhile
share the next flush.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import pathlib
import shutil
import threading
from collections.abc import Iterator

from riverwatch import errors
from riverwatch.state import frames, spool_words

_log = logging.getLogger(__name__)

SEGMENT_BYTES = 32 * 1024 * 1024
"""Size at which a new segment begins: at 4,000 records/s about every four seconds, so that trimming frees room soon."""

CAP_BYTES = 1024 * 1024 * 1024
"""Bytes on disk above which batches are refused: more than two minutes of 4,000 records/s without a checkpoint."""

DISK_SHARE = 0.75
"""Share of the disk's free room that the spool may take at most, whatever its cap: a checkpoint must still fit beside
it, or nothing could ever be trimmed."""

PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""Why a segment cannot be read now but can soon: the process, or the machine, has no file or memory left."""

Position = frames.Position
Durability = spool_words.Durability
Counts = spool_words.Counts


class Spool:
    """Batches on disk, in one folder that no other process may use.

    Parameters
    ----------
    folder
        Made when it does not exist.
    cap_bytes
        Bytes on disk above which batches are refused.
    segment_bytes
        Size at which a new segment begins; one larger batch may stand in a segment of its own.
    durability
        What a batch that was taken survives.

    Raises
    ------
    BadInputError
        When the folder cannot be used, or another process uses it.

    Examples
    --------
    >>> import tempfile
    >>> spool = Spool(pathlib.Path(tempfile.mkdtemp()))
    >>> start = spool.end
    >>> place = spool.append(b"first")
    >>> [payload for _, payload in spool.read_from(start)]
    [b'first']
    >>> spool.close()
    """

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        cap_bytes: int = CAP_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        durability: Durability = Durability.PROCESS,
    ) -> None:
        self.folder = folder
        self.counts = Counts()
        self.trouble = ""
        """Why the last append was refused; empty when it was taken."""
        self._segment_bytes = segment_bytes
        self._durability = durability
        self._changed = threading.Condition()
        self._guard = _lock(folder)
        self._sizes = {number: path.stat().st_size for number, path in frames.segments(folder)}
        room = int(DISK_SHARE * (shutil.disk_usage(folder).free + self.size_bytes))
        self.cap_bytes = min(cap_bytes, room)
        """Bytes on disk above which batches are refused."""
        self._ends: dict[int, int] = {}
        """Where the segments written by this process really end."""
        self._handle = -1
        self._end = Position(max(self._sizes, default=0) + 1, frames.START)
        self._last = Position(0, 0)
        self._flushed = self._last
        self._flushing = False
        self._unsure: set[int] = set()
        """Segments of which nobody knows what is on disk, because a flush failed."""

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    @property
    def fill(self) -> float:
        """How full the spool is, 0..1."""
        return self.size_bytes / self.cap_bytes

    def size_after(self, position: Position) -> int:
        """Return the bytes on disk after a position."""
        with self._changed:
            after = sum(size for number, size in self._sizes.items() if number >= position.segment)
            return max(0, after - position.offset) if position.segment in self._sizes else after

    @property
    def start(self) -> Position:
        """Where the oldest batch on disk begins."""
        with self._changed:
            return Position(min(self._sizes), frames.START) if self._sizes else self._end

    @property
    def end(self) -> Position:
        """Where the next batch will begin."""
        return self._end

    def go_on_after(self, position: Position) -> None:
        """Give batches places after a position that a checkpoint holds, also when the folder was lost and is empty.

        Otherwise new batches would come to stand before the position, where nothing is read any more. Before the first
        append only; a folder that holds batches goes on by itself.
        """
        with self._changed:
            if not self._sizes and self._end <= position and position.segment < frames.MAX_SEGMENTS:
                self._end = Position(position.segment + 1, frames.START)

    def append(self, *parts: bytes) -> Position | None:
        """Take one batch over.

        Parameters
        ----------
        parts
            The batch; several pieces are stored as one, without copying.

        Returns
        -------
        Position
            Stands after the batch. None when there is no room, or the disk fails: the sender must keep the batch.
        """
        with self._changed:
            position = self._write(parts)
            if position is None:
                return None
            self._changed.notify_all()
        if self._durability is Durability.MACHINE and not self._flush_up_to(position):
            return None
        return position

    def read_from(self, position: Position | None = None) -> Iterator[tuple[Position, bytes]]:
        """Give out the batches after a position, up to the end as it is when it gets there.

        Parameters
        ----------
        position
            As `append` or an earlier reading gave it; None, or one that is not of this folder, begins with the oldest.

        Yields
        ------
        tuple
            The position after the batch, and the batch. Reading on from there repeats nothing and omits nothing.

        Raises
        ------
        TemporaryError
            When nothing can be read for now; reading on from the last position omits nothing.
        """
        at = self.start if position is None or position > self._end else position
        while True:
            with self._changed:
                number = min((one for one in self._sizes if one >= at.segment), default=0)
                if not number:
                    return
                at = max(at, Position(number, frames.START))
                limit, complete = self._ends.get(number), number != self._end.segment
            yield from self._read_segment(at, limit)
            if complete or limit is None:
                at = Position(number + 1, frames.START)
                continue
            at = Position(number, limit)
            with self._changed:
                if self._end == at:
                    return

    def wait(self, position: Position, *, wait_s: float) -> bool:
        """Wait until a batch was appended after a position that reading has reached; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._last > position, wait_s)

    def trim(self, position: Position) -> int:
        """Remove the segments that end before a position; return how many."""
        with self._changed:
            gone = [number for number in self._sizes if number < position.segment and number != self._number_open]
            for number in gone:
                frames.path(self.folder, number).unlink(missing_ok=True)
                del self._sizes[number]
                self._ends.pop(number, None)
            return len(gone)

    def close(self) -> None:
        """Let other processes use the folder; nothing is taken any more. Safe to call twice."""
        with self._changed:
            if self._guard >= 0:
                self._close_segment()
                os.close(self._guard)
                self._guard = -1

    # ---- writing, under the lock
    @property
    def _number_open(self) -> int:
        return self._end.segment if self._handle >= 0 else -1

    def _write(self, parts: tuple[bytes, ...]) -> Position | None:
        head = frames.frame_head(parts)
        need = len(head) + sum(map(len, parts))
        if self._guard < 0:
            self._refuse("it is closed", full=False)
            return None
        if self.size_bytes + need + frames.START > self.cap_bytes:
            self._refuse(f"it holds {self.size_bytes} of {self.cap_bytes} bytes", full=True)
            return None
        try:
            if self._handle >= 0 and self._end.offset > frames.START and self._end.offset + need > self._segment_bytes:
                self._close_segment()
            if self._handle < 0:
                self._open_segment()
            self._write_all([head, *parts])
        except OSError as error:
            self._take_back()
            self._refuse(f"the disk does not take it: {error.strerror or error}", full=False)
            return None
        self._end = Position(self._end.segment, self._end.offset + need)
        self._sizes[self._end.segment] = self._ends[self._end.segment] = self._end.offset
        self.counts.appended += 1
        self.counts.appended_bytes += need
        self.trouble = ""
        self._last = self._end
        return self._end

    def _refuse(self, why: str, *, full: bool) -> None:
        if full:
            self.counts.refused_full += 1
        else:
            self.counts.refused_disk += 1
        if not self.trouble:
            _log.warning("the spool refuses batches", extra={"reason": why})
        self.trouble = why

    def _open_segment(self) -> None:
        number = self._end.segment
        self._end = Position(number, frames.START)
        path = frames.path(self.folder, number)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._sizes[number] = self._ends[number] = frames.START
        self._write_all([frames.segment_head(number)])
        if self._durability is Durability.MACHINE:
            frames.flush_folder(self.folder)

    def _write_all(self, parts: list[bytes]) -> None:
        left = sum(map(len, parts))
        written = os.writev(self._handle, parts)
        if written == left:
            return
        # A short write: a nearly full disk, or a signal. What is left goes the slow way.
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(self._handle, rest) :]

    def _take_back(self) -> None:
        """Cut off what a failed write left; when that fails, too, leave the segment, whose end is known."""
        if self._handle < 0:
            return
        number, offset = self._end.segment, self._end.offset
        if offset > frames.START:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, offset)
                return
        self._close_segment()
        if offset <= frames.START:
            frames.path(self.folder, number).unlink(missing_ok=True)
            del self._sizes[number], self._ends[number]

    def _close_segment(self) -> None:
        if self._handle < 0:
            return
        if self._durability is Durability.MACHINE:
            self._flush_now(self._handle, self._end)
        os.close(self._handle)
        self._handle = -1
        self._end = Position(self._end.segment + 1, frames.START)

    # ---- flushing: one thread flushes for all that wait
    def _flush_up_to(self, position: Position) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._flushing or self._settled(position))
            if self._settled(position):
                return position.segment not in self._unsure
            self._flushing = True
            target, handle = self._end, os.dup(self._handle)
        try:
            done = _flushed(handle)
        finally:
            os.close(handle)
        with self._changed:
            self._flushing = False
            self._note_flush(target, done=done)
            if not done and self._end.segment == target.segment:
                self._close_segment()
            self._changed.notify_all()
            return position.segment not in self._unsure

    def _settled(self, position: Position) -> bool:
        return self._flushed >= position or position.segment in self._unsure

    def _flush_now(self, handle: int, target: Position) -> None:
        if target.segment not in self._unsure:
            self._note_flush(target, done=_flushed(handle))

    def _note_flush(self, target: Position, *, done: bool) -> None:
        self.counts.flushes += 1
        if done:
            self._flushed = max(self._flushed, target)
        else:
            # What of the segment is on disk is unknown now; what is unsure was not taken, and the next one begins.
            self._unsure.add(target.segment)
            self._refuse("the disk cannot be flushed", full=False)

    # ---- reading
    def _read_segment(self, at: Position, limit: int | None) -> Iterator[tuple[Position, bytes]]:
        damage = frames.Damage()
        path = frames.path(self.folder, at.segment)
        try:
            for offset, payload in frames.read(path, at.segment, start=at.offset, limit=limit, damage=damage):
                yield Position(at.segment, offset), payload
        except OSError as error:
            if error.errno in PASSING:
                raise errors.TemporaryError(f"the spool cannot be read now: {error.strerror}") from error
            damage.segment = f"cannot be read: {error.strerror or error}"
        finally:
            self._count(damage, path)

    def _count(self, damage: frames.Damage, path: pathlib.Path) -> None:
        self.counts.torn_tails += damage.torn
        self.counts.damaged_frames += damage.frames
        self.counts.lost_bytes += damage.lost_bytes
        self.counts.damaged_segments += bool(damage.segment)
        if damage.segment or damage.frames:
            why = damage.segment or f"{damage.frames} batches have wrong checksums"
            _log.error("a part of the spool is lost", extra={"path": str(path), "reason": why})


def _flushed(handle: int) -> bool:
    """Flush; tell whether it worked."""
    try:
        os.fdatasync(handle)
    except OSError:
        return False
    return True


def _lock(folder: pathlib.Path) -> int:
    """Take the folder for this process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "spool.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise errors.BadInputError(f"cannot keep the spool there: {error.strerror}", where=str(folder)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise errors.BadInputError(
            "another process uses this spool; give each a folder of its own", where=str(folder)
        ) from error
    return handle
