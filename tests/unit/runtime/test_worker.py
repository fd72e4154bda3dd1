"""The worker: order of changes and deliveries, bounds, faults, own records, stopping."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec
import pytest

from riverwatch import clock
from riverwatch.activity import record
from riverwatch.detections import finding
from riverwatch.runtime import pressure, worker, worker_identity, worker_queue
from riverwatch.sources import base


class Judge:
    """Remembers what it was asked; raises on batches in which a record says so."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.policy = "none"
        self.found: list[finding.Detection] = []

    def process(
        self,
        records: Iterable[record.AuditRecord],
        *,
        tally: base.Tally,  # noqa: ARG002 - the protocol's
        where: str = "",  # noqa: ARG002 - the protocol's
    ) -> list[finding.Detection]:
        seen = list(records)
        if any(one.audit_id == "poison" for one in seen):
            raise KeyError("poison")
        self.log += [f"{one.audit_id} under {self.policy}" for one in seen]
        return self.found


def delivery(*ids: str, user: str = "ana", **fields: object) -> base.Delivery:
    items = [
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "auditID": one,
            "stage": "ResponseComplete",
            "verb": "get",
            "user": {"username": user},
            "requestReceivedTimestamp": "2026-01-15T08:00:00.000000Z",
        }
        | fields
        for one in ids
    ]
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}
    return base.Delivery(msgspec.json.encode(body), "test", 1_768_464_000.0)


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def delivered() -> list[finding.Detection]:
    return []


@pytest.fixture
def one(judge, delivered) -> worker.Worker[Judge]:
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=4, octets=100_000))
    return worker.Worker(judge, delivered.extend, queue=queue, time=clock.SystemClock())


def finish(one: worker.Worker[Judge]) -> None:
    one.start()
    assert one.stop(within_s=10)


def test_delivery_is_judged_and_counted(one, judge, delivered, detection):
    judge.found = [detection()]
    assert one.offer(delivery("a", "b"))
    finish(one)

    assert judge.log == ["a under none", "b under none"]
    assert delivered == [detection()]
    assert (one.counts.batches, one.tally.read) == (1, 2)


def test_change_holds_for_the_deliveries_that_wait(one, judge):
    one.offer(delivery("a"))
    one.change(lambda owner: setattr(owner, "policy", "strict"))
    finish(one)

    assert judge.log == ["a under strict"]


def test_changes_of_one_name_are_applied_once(one, judge):
    calls: list[int] = []
    for number in range(5):
        one.change_once("policies", lambda _, number=number: calls.append(number))
    finish(one)

    assert calls == [0]


def test_change_of_a_name_can_come_again_after_it_was_applied(one):
    calls: list[int] = []
    one.start()
    one.change_once("policies", lambda _: calls.append(1))
    assert one.settle(within_s=10)
    one.change_once("policies", lambda _: calls.append(2))
    assert one.stop(within_s=10)

    assert calls == [1, 2]


def test_full_queue_refuses_by_count(one):
    assert [one.offer(delivery(str(number))) for number in range(6)] == [True] * 4 + [False] * 2
    assert one.counts.refused == 2


def test_full_queue_refuses_by_bytes(judge, delivered):
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=100, octets=100))
    one = worker.Worker(judge, delivered.extend, queue=queue, time=clock.SystemClock())

    assert one.offer(delivery("a")), "one body alone may always enter"
    assert not one.offer(delivery("b"))
    assert one.queue.octets > 100
    assert one.queue.fill > 1


def test_room_comes_back_when_the_worker_works(one):
    for number in range(4):
        one.offer(delivery(str(number)))
    one.turn(one.queue.take(wait_s=0))

    assert one.offer(delivery("again"))


def test_only_the_delivery_whose_judging_raises_is_lost_and_counted(one, judge):
    one.offer(delivery("a", "poison", "b"))
    one.offer(delivery("c"))
    finish(one)

    assert judge.log == ["c under none"]
    assert one.tally.skipped == {base.SkipReason.FAULT: 3}
    assert str(one.tally.recent[0]) == "test: fault: KeyError('poison')"
    assert one.tally.used == 1


def test_change_that_raises_does_not_end_the_worker(one, judge):
    one.change(lambda _: {}["missing"])
    one.offer(delivery("a"))
    finish(one)

    assert judge.log == ["a under none"]


def test_malformed_delivery_is_counted_and_the_next_is_judged(one, judge):
    one.offer(base.Delivery(b'{"kind": "EventList", "items": [', "test", 0.0))
    one.offer(delivery("a"))
    finish(one)

    assert judge.log == ["a under none"]
    assert one.tally.skipped_total == 1


def test_own_records_are_left_out_and_counted(one, judge):
    own = worker_identity.OwnIdentity("system:serviceaccount:rw:rw", "u", "", "", frozenset({("", "pods", "list")}))
    one.exclude(own)
    pods = {"resource": "pods", "apiVersion": "v1"}
    one.offer(delivery("mine", user=own.username, verb="list", objectRef=pods))
    one.offer(delivery("theirs", verb="list", objectRef=pods))
    finish(one)

    assert judge.log == ["theirs under none"]
    assert one.tally.skipped == {base.SkipReason.OWN_IDENTITY: 1}


def test_everything_that_was_accepted_is_judged_before_the_end(one, judge):
    for number in range(4):
        one.offer(delivery(str(number)))
    finish(one)

    assert len(judge.log) == 4
    assert one.offer(delivery("late")) is False


def test_duty_runs_on_the_workers_thread_and_once_more_at_the_end(one):
    threads: list[str] = []
    one.add_duty(worker.Duty(3_600.0, lambda: threads.append(threading.current_thread().name)))
    finish(one)

    assert threads == ["worker"]


def test_duty_may_do_something_else_at_the_end(one):
    done: list[str] = []
    one.add_duty(worker.Duty(3_600.0, lambda: done.append("run"), at_end=lambda: done.append("end")))
    finish(one)

    assert done == ["end"]


def test_failing_duty_does_not_end_the_worker(one, judge):
    def fail() -> None:
        raise OSError("disk full")

    one.add_duty(worker.Duty(0.000001, fail))
    one.offer(delivery("a"))
    finish(one)

    assert judge.log == ["a under none"]


def test_pressure_is_told_when_it_changes(one):
    steps: list[pressure.Step] = []
    one.on_step(lambda _, step: steps.append(step))
    for number in range(4):
        one.offer(delivery(str(number)))
    while one.queue.depth:
        one.turn(one.queue.take(wait_s=0))

    assert steps == [pressure.Step.BUSY, pressure.Step.EASY]


def test_age_of_the_queue_is_that_of_the_oldest(one):
    assert one.queue.age_s(1_768_464_030.0) == 0.0
    one.offer(delivery("a"))

    assert one.queue.age_s(1_768_464_030.0) == 30.0


def test_deliveries_wait_while_held_and_changes_do_not(one, judge):
    one.hold(within_s=60.0)
    one.start()
    assert one.offer(delivery("a"))
    one.change(lambda owner: setattr(owner, "policy", "strict"))
    assert one.settle(within_s=10.0)
    assert one.held
    assert judge.log == []
    one.release()
    assert one.stop(within_s=10)
    assert judge.log == ["a under strict"]


@pytest.mark.parametrize(
    ("within_s", "deliveries"), [pytest.param(0.0, 1, id="time is up"), pytest.param(60.0, 2, id="the queue fills")]
)
def test_a_hold_ends_by_itself(one, judge, within_s, deliveries):
    one.hold(within_s=within_s)
    for number in range(deliveries):
        assert one.offer(delivery(str(number)))
    judged = threading.Event()
    one.add_duty(worker.Duty(0.0, lambda: judged.set() if len(judge.log) == deliveries else None))
    one.start()
    one.change(lambda _: None)
    assert judged.wait(10.0)
    assert one.stop(within_s=10)


def test_what_is_held_is_judged_at_the_end(one, judge):
    one.hold(within_s=60.0)
    assert one.offer(delivery("a"))
    finish(one)
    assert judge.log == ["a under none"]
