"""The one thread that owns the pipeline: deliveries -> records -> `process` -> outputs, and changes from control.

In: `offer` (sources, any thread), `change` (control, any thread). Out: detections to the dispatcher. Invariants:
nothing but this thread touches the pipeline; a delivery whose judging raises costs that delivery alone; whatever is not
judged is counted. Started by `cli.run`; stopped by `stop`, which drains the queue first.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from riverwatch import clock
from riverwatch.activity import record
from riverwatch.detections import finding
from riverwatch.runtime import door, fairness, pressure, stream_watch, worker_identity, worker_queue
from riverwatch.sources import base, decode, glance, patience

_log = logging.getLogger(__name__)

IDLE_S = 1.0
"""Seconds after which a worker without work looks at its periodic duties."""


class Judge(Protocol):
    """What the worker needs of a pipeline."""

    def process(
        self, records: Iterable[record.AuditRecord], *, tally: base.Tally, where: str = ""
    ) -> Sequence[finding.Detection]:
        """Judge records, count those that are skipped, return the detections that are new or have changed."""
        ...


P = TypeVar("P", bound=Judge)


@dataclasses.dataclass
class Counts:
    """What the worker did so far; written by its thread only, read by anyone."""

    batches: int = 0
    changes: int = 0
    detections: int = 0
    """Revisions handed to the outputs."""
    refused: int = 0
    """Deliveries refused because the queue was full."""
    busy_s: float = 0.0
    """Seconds spent on deliveries."""
    decode_s: float = 0.0
    """Of them, on making records of bytes."""
    judge_s: float = 0.0
    """Of them, in the pipeline."""
    deliver_s: float = 0.0
    """Of them, on handing detections to the outputs."""
    lag_s: float = 0.0
    """Seconds between arrival and judgement of the last delivery."""


@dataclasses.dataclass(frozen=True)
class Duty:
    """Something periodic that must run on the worker's thread, such as a checkpoint."""

    every_s: float
    run: Callable[[], object]
    at_end: Callable[[], object] | None = None
    """Run in place of `run` when the worker ends."""


class Worker(Generic[P]):
    """Runs one pipeline.

    Parameters
    ----------
    pipeline
        Owned from now on.
    deliver
        Takes the detections of one delivery.
    queue
        Where deliveries and changes wait.
    time
        Clock.
    record_max_bytes
        Largest record, in bytes.
    observe
        Told the seconds that each delivery took.
    quota
        What one namespace may send before it waits behind others while the worker is behind.
    """

    def __init__(  # noqa: PLR0913 - two of them have good defaults
        self,
        pipeline: P,
        deliver: Callable[[Iterable[finding.Detection]], None],
        *,
        queue: worker_queue.WorkQueue[P],
        time: clock.Clock,
        record_max_bytes: int = decode.RECORD_MAX_BYTES,
        observe: Callable[[float], object] | None = None,
        quota: fairness.Quota | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._deliver = deliver
        self._queue = queue
        self._time = time
        self.tally = base.Tally()
        self._decoder = decode.RecordDecoder(
            tally=self.tally, record_max_bytes=record_max_bytes, limited=patience.Patience()
        )
        self.fairness = fairness.Fairness(quota)
        self._door = door.Door(self.fairness)
        self.counts = Counts()
        self.watch = stream_watch.StreamWatch()
        self.step = pressure.Step.EASY
        self._observe = observe or (lambda _: None)
        self._own: worker_identity.OwnIdentity | None = None
        self._duties: list[tuple[Duty, float]] = []
        self._on_step: Callable[[P, pressure.Step], None] | None = None
        self._held_until_s = float("inf")
        self._thread: threading.Thread | None = None

    @property
    def queue(self) -> worker_queue.WorkQueue[P]:
        """The queue, for its figures."""
        return self._queue

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def offer(self, delivery: base.Delivery) -> bool:
        """Take a delivery over, or return False when there is no room: a `sources.base.Sink`."""
        if not self._door.passes(delivery, spared=self._spared):
            return True
        taken = self._queue.offer(delivery)
        if not taken:
            self.counts.refused += 1
        return taken

    def change(self, apply: Callable[[P], None]) -> None:
        """Run something with the pipeline, on its thread, before the next delivery."""
        self._queue.change(apply)

    def change_once(self, name: str, apply: Callable[[P], None]) -> None:
        """Run something with the pipeline, once for any number of calls with this name before it is run."""
        self._queue.change_once(name, apply)

    def settle(self, *, within_s: float) -> bool:
        """Wait until all changes handed over before this call are applied; False when time ran out."""
        done = threading.Event()
        self.change(lambda _: done.set())
        return done.wait(within_s)

    def exclude(self, own: worker_identity.OwnIdentity | None) -> None:
        """Leave out the operator's own requests from now on."""
        self.change(lambda _: setattr(self, "_own", own))

    def add_duty(self, duty: Duty) -> None:
        """Add something periodic; only before `start`."""
        self._duties.append((duty, self._time.monotonic_s() + duty.every_s))

    def on_step(self, tell: Callable[[P, pressure.Step], None]) -> None:
        """Have every change of the pressure step told, on the worker's thread; only before `start`."""
        self._on_step = tell

    def hold(self, *, within_s: float) -> None:
        """Judge nothing until `release`, or until some seconds have passed, or the queue fills; only before `start`."""
        self._queue.hold()
        self._held_until_s = self._time.monotonic_s() + within_s

    def release(self) -> None:
        """Judge what waits."""
        self._queue.release()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self.run, name="worker", daemon=True)
        self._thread.start()

    def stop(self, *, within_s: float) -> bool:
        """Drain the queue, run every duty once more and end the thread; False when time ran out."""
        self._queue.close()
        if self._thread is not None:
            self._thread.join(within_s)
        return not self.alive

    @property
    def held(self) -> bool:
        """Whether deliveries wait until the cluster was read."""
        return self._queue.held

    def turn(self, work: worker_queue.Work[P]) -> None:
        """Do one piece of work; the body of the thread's loop."""
        for apply in work.changes:
            self._apply(apply)
        self._count_dropped()
        if work.delivery is not None:
            self._judge(work.delivery)
        if self.fairness.waiting:
            if work.delivery is not None and self._queue.depth:
                late = self._queue.age_s(self._time.now_s()) > fairness.LATE_S
                limit = fairness.LATE_RECORDS if late else fairness.TURN_RECORDS
                self._judge_waiting(self.fairness.take(limit, at_s=work.delivery.received_s))
            else:
                self._judge_waiting(self.fairness.take(fairness.IDLE_RECORDS))
        self._look_at_pressure()

    def run(self) -> None:
        """Work until the queue is closed and empty; the body of the thread, or of whoever has a thread of his own."""
        while True:
            work = self._queue.take(wait_s=0.0 if self.fairness.waiting else IDLE_S)
            self.turn(work)
            if work.closed and not self.fairness.waiting:
                break
            self._do_duties(self._time.monotonic_s())
            if self._queue.held:
                self._look_at_hold()
        self._count_dropped()
        self._end_duties()

    def _look_at_hold(self) -> None:
        """Go on without what was waited for, when that takes too long."""
        if self._time.monotonic_s() < self._held_until_s and self._queue.fill < pressure.ENTER[pressure.Step.BUSY]:
            return
        _log.warning("judging begins before the cluster was read: policies and rules are those of the last run")
        self._queue.release()

    def _apply(self, apply: Callable[[P], None]) -> None:
        try:
            apply(self._pipeline)
        except Exception:  # noqa: BLE001 - one wrong object in the cluster must not end the judging of all others
            _log.exception("a change could not be applied")
        self.counts.changes += 1

    def _judge(self, delivery: base.Delivery) -> None:
        began_s = self._time.monotonic_s()
        records = self._decoded(delivery)
        decoded_s = self._time.monotonic_s()
        own = self._own
        if own is not None:
            mine = [one for one in records if own.named(one)]
            if mine:
                self.watch.own(mine)
                made = {id(one) for one in mine if own.made(one)}
                self.tally.count_only(base.SkipReason.OWN_IDENTITY, len(made))
                records = [one for one in records if id(one) not in made]
        if self.fairness.waiting or self._queue.depth:
            records, lost = self.fairness.admit(records, at_s=delivery.received_s)
            if lost:
                self.tally.skip(base.SkipReason.OVER_QUOTA, where=delivery.where, count=lost)
        found = self._processed(records, where=delivery.where) if records else ()
        judged_s = self._time.monotonic_s()
        if found:
            self.counts.detections += len(found)
            self._deliver(found)
        self.counts.batches += 1
        ended_s = self._time.monotonic_s()
        took_s = ended_s - began_s
        self.counts.busy_s += took_s
        self.counts.decode_s += decoded_s - began_s
        self.counts.judge_s += judged_s - decoded_s
        self.counts.deliver_s += ended_s - judged_s
        self.watch.delivered(delivery, records, took_s)
        self._observe(took_s)
        self.counts.lag_s = max(0.0, self._time.now_s() - delivery.received_s)

    def _decoded(self, delivery: base.Delivery) -> list[record.AuditRecord]:
        """Make records of a delivery; of those that could only be dropped afterwards, the names alone are read."""
        body, where = delivery.body, delivery.where
        seen = glance.look(body) if self.fairness.closed else None
        if seen is not None:
            kept = self.fairness.sift(seen.names, spared=self._spared)
            if len(kept) < len(seen.names):
                self._lose(len(seen.names) - len(kept), where)
                return glance.chosen(seen, kept, body, decoder=self._decoder, where=where)
        return self._decoder.body(body, where=where, line=delivery.line)

    @property
    def _spared(self) -> str | None:
        """The user whose records are never left out unseen: heartbeats come back under the operator's own name."""
        own = self._own
        return own.username if own is not None else None

    def _lose(self, count: int, where: str) -> None:
        """Count records that were never decoded."""
        self.fairness.lose(count)
        self.tally.read += count
        self.tally.skip(base.SkipReason.OVER_QUOTA, where=where, count=count)

    def _count_dropped(self) -> None:
        """Count what was dropped at the door, and know its senders."""
        for one in self._door.collect():
            self._lose(one.records, one.latest.where)
            self.watch.delivered(one.latest, (), 0.0)

    def _judge_waiting(self, records: list[record.AuditRecord]) -> None:
        """Judge records that waited behind others."""
        found = self._processed(records, where="records that waited behind others")
        if found:
            self.counts.detections += len(found)
            self._deliver(found)

    def _processed(self, records: list[record.AuditRecord], *, where: str) -> Sequence[finding.Detection]:
        """Judge a batch; when that raises, all of it counts as lost, and the next batch goes on.

        One record that cannot be judged does not come so far: the pipeline counts and passes over it.
        """
        try:
            return self._pipeline.process(records, tally=self.tally, where=where)
        except Exception as error:  # noqa: BLE001 - one delivery must not end the judging of all others
            _log.exception("judging failed; the batch is lost", extra={"where": where, "count": len(records)})
            self.tally.skip(base.SkipReason.FAULT, where=where, detail=f"{error!r}", count=len(records))
            return ()

    def _look_at_pressure(self) -> None:
        step = pressure.next_step(self.step, self._queue.fill, age_s=self._queue.age_s(self._time.now_s()))
        if step is self.step:
            return
        _log.warning("pressure changed", extra={"step": step.name, "depth": self._queue.depth})
        self.step = step
        if self._on_step is not None:
            self._on_step(self._pipeline, step)

    def _do_duties(self, now_s: float) -> None:
        for index, (duty, due_s) in enumerate(self._duties):
            if now_s >= due_s:
                self._do(duty.run)
                self._duties[index] = (duty, self._time.monotonic_s() + duty.every_s)

    def _end_duties(self) -> None:
        for duty, _ in self._duties:
            self._do(duty.at_end or duty.run)

    def _do(self, run: Callable[[], object]) -> None:
        try:
            run()
        except Exception:  # noqa: BLE001 - a full disk must not end the judging
            _log.exception("a periodic duty failed")
