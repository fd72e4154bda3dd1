"""A lane: order, coalescing, retries, giving up, stopping."""

from __future__ import annotations

import threading

import pytest

from riverwatch import errors
from riverwatch.outputs import lane, pending


class Receiver:
    """Remembers what came; raises what is queued."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.raises: list[Exception] = []
        self.came = threading.Condition()

    def deliver(self, item: str) -> None:
        if self.raises:
            raise self.raises.pop(0)
        with self.came:
            self.got.append(item)
            self.came.notify_all()

    def wait_for(self, count: int) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.got) >= count, timeout=10)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def outcomes() -> list[lane.Outcome]:
    return []


def make(receiver, outcomes, clock, **plan):
    return lane.Lane("test", receiver.deliver, plan=lane.Plan(**plan), report=outcomes.append, time=clock)


def test_only_the_newest_version_is_delivered_when_changes_come_together(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock)
    for version in ("v1", "v2", "v3"):
        one.submit("a", version)

    assert one.step() is None
    assert receiver.got == ["v3"]
    assert outcomes == [lane.Outcome.DELIVERED]


def test_second_delivery_of_a_key_waits_for_the_spacing(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock, spacing_s=5.0)
    one.submit("a", "v1")
    one.step()
    one.submit("a", "v2")

    assert one.step() == pytest.approx(5.0)
    fake_clock.advance(5.0)
    one.step()
    assert receiver.got == ["v1", "v2"]


def test_nothing_is_lost_when_the_receiver_is_away_for_ten_minutes(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock)
    receiver.raises = [errors.ApiTemporaryError("away")] * 60
    one.submit("a", "a", rank=1)
    one.submit("b", "b", rank=4)

    waited_s = 0.0
    while (wait_s := one.step()) is not None:
        fake_clock.advance(wait_s)
        waited_s += wait_s

    assert sorted(receiver.got) == ["a", "b"]
    assert waited_s > 600
    assert outcomes.count(lane.Outcome.RETRIED) == 60


def test_lane_does_not_hammer_a_receiver_that_is_away(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock)
    receiver.raises = [errors.ApiTemporaryError("away")] * 1_000
    for number in range(500):
        one.submit(str(number), "x")
    attempts = 0
    while fake_clock.elapsed_s < 60:
        wait_s = one.step()
        attempts += 1
        fake_clock.advance(wait_s or 1.0)

    assert len(outcomes) < 30


def test_server_decides_the_delay_when_it_says_so(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock)
    receiver.raises = [errors.ApiTemporaryError("throttled", retry_after_s=42.0)]
    one.submit("a", "x")

    assert one.step() == pytest.approx(42.0)


def test_refusal_gives_up_the_item_and_goes_on(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock)
    receiver.raises = [errors.ApiPermanentError("no", status=422)]
    one.submit("bad", "bad", rank=4)
    one.submit("good", "good")

    assert one.step() is None
    assert receiver.got == ["good"]
    assert outcomes == [lane.Outcome.GIVEN_UP, lane.Outcome.DELIVERED]


def test_fault_of_ours_gives_up_the_item_and_goes_on(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock)
    receiver.raises = [KeyError("metadata")]
    one.submit("bad", "bad", rank=4)
    one.submit("good", "good")
    one.step()

    assert receiver.got == ["good"]
    assert outcomes[0] is lane.Outcome.GIVEN_UP


def test_limited_attempts_end_in_giving_up(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock, attempts=3)
    receiver.raises = [errors.TemporaryError("disk full")] * 3
    one.submit("a", "x")
    while (wait_s := one.step()) is not None:
        fake_clock.advance(wait_s)

    assert outcomes == [lane.Outcome.RETRIED, lane.Outcome.RETRIED, lane.Outcome.GIVEN_UP]


def test_overflow_is_counted(receiver, outcomes, fake_clock):
    one = make(receiver, outcomes, fake_clock, capacity=2)
    for key in ("a", "b", "c"):
        one.submit(key, key)

    assert outcomes == [lane.Outcome.DROPPED]


def test_rate_limit_spreads_deliveries(receiver, outcomes, fake_clock):
    bucket = pending.TokenBucket(rate_per_s=1.0, burst=2)
    one = lane.Lane("test", receiver.deliver, plan=lane.Plan(), bucket=bucket, report=outcomes.append, time=fake_clock)
    for key in ("a", "b", "c"):
        one.submit(key, key)

    assert one.step() == pytest.approx(1.0)
    assert len(receiver.got) == 2


def test_thread_delivers_as_items_come_and_stops_empty(receiver, outcomes):
    one = lane.Lane("test", receiver.deliver, plan=lane.Plan(), report=outcomes.append)
    one.start()
    for number in range(50):
        one.submit(str(number), str(number))

    assert receiver.wait_for(50)
    assert one.stop(within_s=5.0) == 0


def test_waiting_items_get_a_last_chance_when_the_lane_stops(receiver, outcomes):
    one = lane.Lane("test", receiver.deliver, plan=lane.Plan(spacing_s=3_600.0), report=outcomes.append)
    one.start()
    one.submit("a", "v1")
    assert receiver.wait_for(1)
    one.submit("a", "v2")

    assert one.stop(within_s=5.0) == 0
    assert receiver.got == ["v1", "v2"]


def test_what_cannot_be_delivered_at_the_end_is_counted(receiver, outcomes):
    receiver.raises = [errors.ApiTemporaryError("away")] * 1_000
    one = lane.Lane("test", receiver.deliver, plan=lane.Plan(), report=outcomes.append)
    one.start()
    one.submit("a", "x")

    assert one.stop(within_s=0.2) == 1
    assert outcomes[-1] is lane.Outcome.DROPPED
