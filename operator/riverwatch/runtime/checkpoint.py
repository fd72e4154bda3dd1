"""Checkpoints of a running pipeline: taken on the worker's thread, written by a thread of their own.

`recover` before the worker starts; `tick` as a duty of the worker; `finish` at the end. Invariants: judging stops only
while the memory is copied, never for a disk or a network; a checkpoint that cannot be written costs nothing but its
age; the spool loses only what every checkpoint that is kept includes. Built by `control.assembly`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable

from riverwatch import clock
from riverwatch.detections import finding
from riverwatch.models import bank
from riverwatch.runtime import pipeline
from riverwatch.state import snapshot, spool, store

_log = logging.getLogger(__name__)

LEAST_S = 10.0
"""Shortest time between two checkpoints, seconds, however much the spool presses."""

PRESSING = 0.5
"""Fill of the spool, 0..1, from which a checkpoint is taken before its time, so that the spool can be trimmed."""

SPOOL = "spool"
"""Name of the spool in `snapshot.Resume`."""


@dataclasses.dataclass
class Counts:
    """What was done so far; written by one thread each, read by anyone."""

    taken: int = 0
    written: int = 0
    failed: int = 0
    skipped: int = 0
    """Times a checkpoint was due while the one before was still being written."""
    digest: str = ""
    """Checksum of the last one, ``sha256:...``; empty when none was written."""
    stored_bytes: int = 0
    """Size of the last one."""
    pause_s: float = 0.0
    """Seconds for which the last one stopped the judging."""
    written_at_s: float = 0.0
    """Wall time at which the last one was written; 0 when none was."""
    trouble: str = ""
    """Why the last one could not be written; empty when it was."""


@dataclasses.dataclass(frozen=True)
class Recovery:
    """What a start took over."""

    report: store.Report
    empty: list[str]
    """Parts that start empty although a checkpoint was there, with the reason."""
    unfinished: list[finding.Detection]
    """Detections that outputs had not confirmed when the checkpoint was taken; hand them over again."""
    waiting: list[bytes] = dataclasses.field(default_factory=list)
    """Records that had left the spool and waited behind others; let them wait again."""

    @property
    def position(self) -> spool.Position | None:
        """Where the spool goes on; None for its beginning."""
        place = self.report.resume.get(SPOOL)
        return None if place is None else spool.Position(int(place["segment"]), int(place["offset"]))

    def __str__(self) -> str:
        return "; ".join([str(self.report), *(f"starts empty: {one}" for one in self.empty)])


class Checkpointer:
    """Takes, writes and takes over checkpoints of one pipeline.

    Parameters
    ----------
    place
        Where checkpoints are kept.
    every_s
        Seconds between two checkpoints.
    time
        Clock.
    """

    def __init__(self, place: store.Store, *, every_s: float, time: clock.Clock) -> None:
        self.counts = Counts()
        self._place = place
        self._every_s = every_s
        self._time = time
        self._due_s = time.monotonic_s() + every_s
        self._last_s = float("-inf")
        self._resume: Callable[[], snapshot.Resume] = dict
        self._unfinished: Callable[[], Iterable[str]] | None = None
        self._behind: Callable[[], list[bytes]] = list
        self._spool: spool.Spool | None = None
        self._waiting: snapshot.Snapshot | None = None
        self._writing = False
        self._ended = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def follow(
        self,
        *,
        resume: Callable[[], snapshot.Resume],
        trims: spool.Spool | None = None,
        unfinished: Callable[[], Iterable[str]] | None = None,
        behind: Callable[[], list[bytes]] = list,
    ) -> None:
        """Say what belongs into a checkpoint beside the memory; only before the first `tick`.

        Parameters
        ----------
        resume
            Asked on the worker's thread: where the sources go on after what was judged.
        trims
            Spool that is trimmed behind the checkpoints.
        unfinished
            Asked on the worker's thread: uids of detections that outputs have not confirmed; without it every open
            incident counts as such.
        behind
            Asked on the worker's thread: records that wait behind others.
        """
        self._resume, self._spool, self._unfinished = resume, trims, unfinished
        self._behind = behind

    def recover(self, memory: pipeline.Pipeline) -> Recovery:
        """Take over the newest checkpoint that can be; as a whole if any can, else what can be of the newest.

        Raises
        ------
        TemporaryError
            When the place cannot be reached; trying again is better than starting cold.
        """
        empty: list[str] = []
        unfinished: list[str] | None = None
        behind: list[bytes] = []

        def take(one: snapshot.Snapshot, *, partial: bool) -> None:
            nonlocal unfinished
            data = snapshot.unpack(one.content)
            empty[:] = memory.restore(data, partial=partial)
            unfinished = data.get("unfinished")
            behind[:] = data.get("behind", ())

        report = self._place.load(lambda one: take(one, partial=False))
        if report.cold and report.rejected:
            partly = self._place.load(lambda one: take(one, partial=True))
            report = report if partly.cold else partly
        again = list(memory.folder.open.values())
        if unfinished is not None:
            again = [one for one in again if one.uid in frozenset(unfinished)]
        recovery = Recovery(report, list(empty), again, behind)
        log = _log.warning if report.rejected or empty else _log.info
        log("state", extra={"reason": str(recovery)})
        return recovery

    def tick(self, memory: pipeline.Pipeline) -> bool:
        """Take a checkpoint when it is time; on the worker's thread, between two deliveries. Tell whether it was."""
        now_s = self._time.monotonic_s()
        pressing = self._spool is not None and self._spool.fill >= PRESSING
        if now_s < self._due_s and not (pressing and now_s >= self._last_s + LEAST_S):
            return False
        self._due_s, self._last_s = now_s + self._every_s, now_s
        with self._changed:
            if self._waiting is not None or self._writing:
                self.counts.skipped += 1
                return False
        self.take(memory)
        return True

    def take(self, memory: pipeline.Pipeline) -> None:
        """Take a checkpoint now, to be written after the one that is being written, in place of one that waits."""
        began_s = self._time.monotonic_s()
        plain = dict(memory.snapshot())
        if self._unfinished is not None:
            plain["unfinished"] = sorted(self._unfinished())
        if behind := self._behind():
            plain["behind"] = behind
        one = snapshot.Snapshot(
            snapshot.pack(plain), bank.MODEL_VERSION, record_s=memory.learning.now_s, resume=self._resume()
        )
        self.counts.taken += 1
        self.counts.pause_s = self._time.monotonic_s() - began_s
        with self._changed:
            self._waiting = one
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def finish(self, *, within_s: float) -> bool:
        """Wait until what was taken is written, and end the thread; False when time ran out."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(within_s)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._ended)
                one, self._waiting = self._waiting, None
                self._writing = one is not None
            if one is None:
                return
            self._write(one)
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, one: snapshot.Snapshot) -> None:
        try:
            saved = self._place.save(one)
            self._trim(saved)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next one must still be tried
            self.counts.failed += 1
            self.counts.trouble = str(error)
            _log.error("a checkpoint could not be written", extra={"cause": str(error)})
            return
        self.counts.written += 1
        self.counts.stored_bytes = saved.stored_bytes
        self.counts.digest = saved.digest
        self.counts.written_at_s = self._time.now_s()
        self.counts.trouble = ""

    def _trim(self, saved: store.Saved) -> None:
        places = [resume[SPOOL] for resume in saved.resumes if SPOOL in resume]
        if self._spool is None or len(places) < store.KEEP:
            return
        with contextlib.suppress(KeyError, ValueError):
            self._spool.trim(min(spool.Position(int(one["segment"]), int(one["offset"])) for one in places))


def spool_resume(position: spool.Position) -> snapshot.Resume:
    """Write the spool's position as a checkpoint holds it."""
    return {SPOOL: {"segment": position.segment, "offset": position.offset}}
