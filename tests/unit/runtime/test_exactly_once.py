"""Whenever the process ends: every acknowledged batch is judged, none is counted twice, and nothing else differs."""

import os
import pathlib
import random

import checkpoint_stream

from riverwatch import testing
from riverwatch.rules import engine
from riverwatch.runtime import checkpoint, pipeline, spooled_queue
from riverwatch.sources import base
from riverwatch.state import snapshot, spool, store

RULES = engine.load_catalog()
STREAM = checkpoint_stream.records()
BATCH = 40
CRASHES = 12


class Process:
    """One life of the operator's durable part; `crash` leaves everything as kill -9 would."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.pipeline = pipeline.Pipeline(
            rules=engine.RuleEngine(RULES), policies=checkpoint_stream.FRUGAL, learn_until_s=checkpoint_stream.LEARN_S
        )
        self.checkpoints = checkpoint.Checkpointer(
            store.Store(folder / "checkpoints"), every_s=300.0, time=testing.FakeClock()
        )
        self.spool = spool.Spool(folder / "spool", segment_bytes=500)
        self.recovery = self.checkpoints.recover(self.pipeline)
        self.queue: spooled_queue.SpooledQueue[object] = spooled_queue.SpooledQueue(
            self.spool, after=self.recovery.position
        )
        self.checkpoints.follow(
            resume=lambda: checkpoint.spool_resume(self.queue.position), trims=self.spool, unfinished=list
        )

    def send(self, number: int) -> bool:
        return self.queue.offer(base.Delivery(str(number).encode(), "sender", 1.0))

    def judge(self) -> bool:
        delivery = self.queue.take(wait_s=0.0).delivery
        if delivery is None:
            return False
        start = int(delivery.body) * BATCH
        self.pipeline.process(STREAM[start : start + BATCH], tally=base.Tally())
        return True

    def checkpoint(self) -> None:
        self.checkpoints.take(self.pipeline)
        with self.checkpoints._changed:
            assert self.checkpoints._changed.wait_for(
                lambda: self.checkpoints._waiting is None and not self.checkpoints._writing, 60.0
            )

    def crash(self) -> None:
        self.checkpoints.finish(within_s=60.0)
        os.close(self.spool._guard)


def test_a_process_that_ends_at_any_point_changes_nothing(tmp_path: pathlib.Path) -> None:
    rng = random.Random(3)
    count = len(STREAM) // BATCH
    ends = sorted(rng.sample(range(1, count), CRASHES))
    life = Process(tmp_path)
    sent = 0
    while sent < count:
        assert life.send(sent)
        sent += 1
        while rng.random() < 0.6 and life.judge():
            pass
        if rng.random() < 0.15:
            life.checkpoint()
        if sent in ends:
            life.crash()
            life = Process(tmp_path)
            assert life.recovery.report.rejected == ()
    while life.judge():
        pass
    whole = checkpoint_stream.Run(RULES)
    for start in range(0, count * BATCH, BATCH):
        whole.pipeline.process(STREAM[start : start + BATCH], tally=base.Tally())
    assert life.pipeline.used == whole.pipeline.used
    assert snapshot.pack(life.pipeline.snapshot()) == whole.state()
    assert life.spool.start.segment > 1, "what every checkpoint includes was trimmed"
    life.crash()
