"""What survives the process when there is a state folder: checkpoints of the memory, and acknowledged batches.

``state_dir/checkpoints`` holds what was learned, ``state_dir/spool`` every delivery from its acknowledgement until a
checkpoint includes it. After a restart the worker goes on exactly where the checkpoint stands: nothing is judged twice
and nothing is missed. Built by `control.assembly` before the worker.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable

from riverwatch import clock, errors
from riverwatch.runtime import checkpoint, pipeline, spooled_queue, worker, worker_queue
from riverwatch.sources import audit_tail, base
from riverwatch.state import snapshot, spool, store

TICK_S = 1.0
"""Seconds between two looks at whether a checkpoint is due."""

TAIL = "audit-tail"
"""Name of the followed audit log in `snapshot.Resume`."""


class Durable:
    """Owns checkpoints and spool of one process.

    Parameters
    ----------
    folder
        The state folder; no other process may use it.
    every_s
        Seconds between two checkpoints.
    memory
        The pipeline, still untouched; takes over the newest checkpoint.
    time
        Clock.

    Raises
    ------
    BadInputError
        When the folder cannot be used, or another process uses it.
    """

    def __init__(self, folder: pathlib.Path, *, every_s: float, memory: pipeline.Pipeline, time: clock.Clock) -> None:
        self._memory = memory
        self._checkpoints = checkpoint.Checkpointer(store.Store(folder / "checkpoints"), every_s=every_s, time=time)
        self._spool = spool.Spool(folder / "spool")
        try:
            self.recovery = self._checkpoints.recover(memory)
        except errors.TemporaryError as error:
            self._spool.close()
            raise errors.BadInputError(f"cannot be read: {error}", where=str(folder)) from error
        self._queue: spooled_queue.SpooledQueue[pipeline.Pipeline] = spooled_queue.SpooledQueue(
            self._spool, after=self.recovery.position
        )
        self._tail: audit_tail.AuditTail | None = None

    @property
    def queue(self) -> worker_queue.WorkQueue[pipeline.Pipeline]:
        """The worker's queue."""
        return self._queue

    @property
    def counts(self) -> checkpoint.Counts:
        """What the checkpoints did so far."""
        return self._checkpoints.counts

    @property
    def spool_bytes(self) -> int:
        """Bytes of the spool on disk."""
        return self._spool.size_bytes

    def tail_position(self) -> base.Position | None:
        """Where the followed audit log goes on; None for its beginning."""
        found = self.recovery.report.resume.get(TAIL)
        if found is None:
            return None
        return base.Position(
            device=int(found["device"]),
            inode=int(found["inode"]),
            offset=int(found["offset"]),
            fingerprint=str(found["fingerprint"]),
        )

    def follow(self, tail: audit_tail.AuditTail | None, *, unfinished: Callable[[], Iterable[str]]) -> None:
        """Say what belongs into checkpoints; before the worker starts.

        Parameters
        ----------
        tail
            The followed audit log, if any.
        unfinished
            Gives the uids of detections that outputs have not confirmed.
        """
        self._tail = tail
        self._checkpoints.follow(resume=self._resume, trims=self._spool, unfinished=unfinished)

    def duty(self) -> worker.Duty:
        """Return the worker's duty of taking checkpoints, one more at the end."""
        return worker.Duty(
            TICK_S,
            lambda: self._checkpoints.tick(self._memory),
            at_end=lambda: self._checkpoints.take(self._memory),
        )

    def close(self, *, within_s: float) -> bool:
        """Wait until the last checkpoint is written, and leave the folder; after the worker has ended."""
        done = self._checkpoints.finish(within_s=within_s)
        self._spool.close()
        return done

    def _resume(self) -> snapshot.Resume:
        resume = dict(checkpoint.spool_resume(self._queue.position))
        position = self._tail.position() if self._tail is not None else None
        if position is not None:
            resume[TAIL] = {
                "device": position.device,
                "inode": position.inode,
                "offset": position.offset,
                "fingerprint": position.fingerprint,
            }
        return resume
