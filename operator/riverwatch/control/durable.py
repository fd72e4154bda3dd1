"""What survives the process when there is a state folder: checkpoints of the memory, and acknowledged batches.

``state_dir/checkpoints``, or the place that is set, holds what was learned; ``state_dir/spool`` holds a delivery from
its acknowledgement until a checkpoint includes it. After a restart the worker goes on exactly where the checkpoint
stands: nothing is judged twice and nothing is missed. Built by `control.assembly` before the worker.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from riverwatch import clock, errors
from riverwatch.runtime import checkpoint, pipeline, spooled_queue, worker, worker_queue
from riverwatch.sources import base
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
    checkpoints
        Folder or URL of the checkpoints, see `store.Store`; None for one in the state folder.
    every_s
        Seconds between two checkpoints.
    memory
        The pipeline, still untouched; takes over the newest checkpoint.
    time
        Clock.

    Raises
    ------
    BadInputError
        When a folder or the place of the checkpoints cannot be used, or another process uses the folder.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        every_s: float,
        memory: pipeline.Pipeline,
        time: clock.Clock,
        checkpoints: str | None = None,
    ) -> None:
        self._memory = memory
        kept = store.Store(checkpoints or folder / "checkpoints")
        self._checkpoints = checkpoint.Checkpointer(kept, every_s=every_s, time=time)
        self._spool = spool.Spool(folder / "spool")
        try:
            self.recovery = self._checkpoints.recover(memory)
        except errors.TemporaryError as error:
            self._spool.close()
            raise errors.BadInputError(f"checkpoints cannot be read: {error}", where=kept.place) from error
        if self.recovery.position is not None:
            self._spool.go_on_after(self.recovery.position)
        self._queue: spooled_queue.SpooledQueue[pipeline.Pipeline] = spooled_queue.SpooledQueue(
            self._spool, after=self.recovery.position
        )
        self._queue.after = _position(self.recovery.report.resume.get(TAIL))

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
        """Where the followed audit log goes on, after what the spool still holds; None for its beginning."""
        return self._queue.resume_of_source()

    def follow(self, *, unfinished: Callable[[], Iterable[str]], behind: Callable[[], list[bytes]] = list) -> None:
        """Say what belongs into checkpoints; before the worker starts.

        Parameters
        ----------
        unfinished
            Gives the uids of detections that outputs have not confirmed.
        behind
            Gives the records that left the spool and wait behind others.
        """
        self._checkpoints.follow(resume=self._resume, trims=self._spool, unfinished=unfinished, behind=behind)

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
        # After what was judged, not where the log is read: what lies between is in the spool.
        position = self._queue.after
        if position is not None:
            resume[TAIL] = msgspec.structs.asdict(position)
        return resume


def _position(found: Mapping[str, Any] | None) -> base.Position | None:
    return None if found is None else msgspec.convert(found, base.Position, strict=False)
