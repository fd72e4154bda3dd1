"""The queue between receivers and worker where there is a disk: deliveries are spooled before they are acknowledged.

In: `offer` (sources, any thread): True means that no end of the process loses it. Out: `take` (the worker), read back
from the spool, which the kernel still has in memory. No delivery is held here, so a backlog costs disk and no memory.
Changes from control work as in `worker_queue`. What was taken but is in no checkpoint yet comes again after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec

from riverwatch import errors
from riverwatch.runtime import worker_queue
from riverwatch.sources import base
from riverwatch.state import spool

_log = logging.getLogger(__name__)

AGAIN_S = 0.5
"""Seconds after which a spool that could not be read for want of files or memory is read again."""

_HEAD_LENGTH_BYTES = 2
"""Bytes before the head of a delivery that say how long it is."""

_MAX_WHERE_CHARS = 4_096
"""Longer names of a sender are cut; they only serve people."""


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A delivery on disk without its body; a new field needs a default, so that an older spool is still read."""

    where: str
    received_s: float
    line: int
    after: base.Position | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


class SpooledQueue(worker_queue.WorkQueue[worker_queue.P]):
    """Deliveries on disk, and changes, for one worker.

    Parameters
    ----------
    store
        The spool; closed by whoever opened it.
    after
        Where to begin: `position` as a checkpoint holds it, or None for the oldest delivery on disk.
    """

    def __init__(self, store: spool.Spool, *, after: spool.Position | None = None) -> None:
        super().__init__(worker_queue.Bounds(batches=1, octets=1))
        self._spool = store
        self._reading: Iterator[tuple[spool.Position, bytes]] = iter(())
        self._position = store.start if after is None or after > store.end else after
        self._left = True
        """Whether the spool may hold more than was taken."""
        self._behind_s = 0.0
        self._offered = self._taken = 0
        self.after: base.Position | None = None
        """Where the source that can resume stood after the last of its deliveries taken; set it at the start."""

    @property
    def position(self) -> spool.Position:
        """Where reading stands: after the last delivery taken, which is judged whenever the worker's duties run."""
        return self._position

    def offer(self, delivery: base.Delivery) -> bool:
        """Take a delivery over for good, or return False when there is no room."""
        if self._closed:
            return False
        head = _encode(Head(delivery.where[:_MAX_WHERE_CHARS], delivery.received_s, delivery.line, delivery.after))
        if self._spool.append(len(head).to_bytes(_HEAD_LENGTH_BYTES, "big"), head, delivery.body) is None:
            return False
        with self._changed:
            self._offered += 1
            self._left = True
            self._changed.notify()
        return True

    def take(self, *, wait_s: float) -> worker_queue.Work[worker_queue.P]:
        """Wait for work and take it; an empty one after `wait_s` seconds. Once closed, what is left stays on disk."""
        with self._changed:
            if (self._held or not self._left) and not self._changes and not self._closed:
                self._changed.wait(wait_s)
            changes = list(self._changes)
            self._changes.clear()
            closed = self._closed
            idle = closed or self._held
        return worker_queue.Work(changes, None if idle else self._next(), closed)

    def _next(self) -> base.Delivery | None:
        try:
            found = self._read()
        except errors.TemporaryError as error:
            _log.warning("what is spooled waits", extra={"cause": str(error)})
            self._reading = iter(())
            with self._changed:
                self._left = True
                self._changed.wait(AGAIN_S)
            return None
        return found

    def _read(self) -> base.Delivery | None:
        for fresh in (False, True):
            if fresh:
                with self._changed:
                    if not self._left:
                        return None
                    self._left = False
                self._reading = self._spool.read_from(self._position)
            for position, payload in self._reading:
                delivery = _delivery(payload)
                self._position = position
                self._taken += 1
                self._behind_s = delivery.received_s
                self.after = delivery.after or self.after
                with self._changed:
                    self._left = True
                return delivery
        return None

    def resume_of_source(self) -> base.Position | None:
        """Return where the source that can resume stood after the last of its deliveries on disk, read or not.

        It must go on there and not where the checkpoint stands: what lies between comes out of the spool already.
        """
        found = self.after
        for _, payload in self._spool.read_from(self._position):
            found = _head(payload).after or found
        return found

    @property
    def depth(self) -> int:
        """Deliveries offered since the start that wait; those left by an earlier process are not counted."""
        return max(0, self._offered - self._taken)

    @property
    def octets(self) -> int:
        """Bytes on disk after the position, roughly: whole segments before it are left out."""
        return self._spool.size_after(self._position)

    def age_s(self, now_s: float) -> float:
        """Return the seconds since the last delivery taken arrived, 0 when none waits: what waits is younger."""
        return max(0.0, now_s - self._behind_s) if self.depth and self._behind_s else 0.0

    @property
    def fill(self) -> float:
        """How full the spool is with deliveries that wait, 0..1; 1 when the last one was refused."""
        return 1.0 if self._spool.trouble else min(1.0, self.octets / self._spool.cap_bytes)


def _delivery(payload: bytes) -> base.Delivery:
    head = _head(payload)
    body = payload[_HEAD_LENGTH_BYTES + int.from_bytes(payload[:_HEAD_LENGTH_BYTES], "big") :]
    return base.Delivery(body, head.where, head.received_s, head.line, head.after)


def _head(payload: bytes) -> Head:
    end = _HEAD_LENGTH_BYTES + int.from_bytes(payload[:_HEAD_LENGTH_BYTES], "big")
    return _decode(memoryview(payload)[_HEAD_LENGTH_BYTES:end])
