"""The pending map: newest wins, order, retries, bounds; and the token bucket."""

from __future__ import annotations

import pytest

from riverwatch.outputs import pending


@pytest.fixture
def waiting() -> pending.PendingMap[str]:
    return pending.PendingMap(capacity=3)


def test_newest_item_wins_when_a_key_comes_again(waiting):
    waiting.put("a", "old", rank=1, due_s=0.0)
    waiting.put("a", "new", rank=1, due_s=0.0)

    assert waiting.take(0.0).item == "new"
    assert waiting.take(0.0) is None


def test_highest_rank_comes_first_then_the_longest_wait(waiting):
    waiting.put("low", "low", rank=1, due_s=0.0)
    waiting.put("first", "first", rank=4, due_s=0.0)
    waiting.put("second", "second", rank=4, due_s=0.0)

    assert [waiting.take(1.0).key for _ in range(3)] == ["first", "second", "low"]


def test_nothing_is_taken_before_it_is_due(waiting):
    waiting.put("later", "x", rank=4, due_s=5.0)

    assert waiting.take(4.9) is None
    assert waiting.next_due_s() == 5.0
    assert waiting.take(5.0).key == "later"


def test_weakest_and_oldest_makes_room_when_the_map_is_full(waiting):
    for key, rank in (("strong", 4), ("weak", 0), ("middle", 2)):
        waiting.put(key, key, rank=rank, due_s=0.0)

    dropped = waiting.put("another", "another", rank=3, due_s=0.0)

    assert dropped is not None
    assert dropped.key == "weak"
    assert len(waiting) == 3


def test_newcomer_itself_is_dropped_when_it_is_the_weakest(waiting):
    for key in ("a", "b", "c"):
        waiting.put(key, key, rank=4, due_s=0.0)

    assert waiting.put("weak", "weak", rank=0, due_s=0.0).key == "weak"


def test_failed_entry_waits_for_its_delay_and_counts_attempts(waiting):
    waiting.put("a", "x", rank=1, due_s=0.0)
    entry = waiting.take(0.0)
    waiting.put_back(entry, due_s=10.0)

    assert waiting.take(9.0) is None
    assert waiting.take(10.0).attempts == 1


def test_newer_version_survives_when_the_older_one_fails(waiting):
    waiting.put("a", "old", rank=1, due_s=0.0)
    entry = waiting.take(0.0)
    waiting.put("a", "new", rank=1, due_s=0.0)
    waiting.put_back(entry, due_s=10.0)

    assert waiting.take(5.0) is None, "the receiver's delay holds for the newer version as well"
    assert waiting.take(10.0).item == "new"


def test_hurry_makes_everything_due_when_the_process_stops(waiting):
    waiting.put("a", "x", rank=1, due_s=100.0)
    waiting.hurry(1.0)

    assert waiting.take(1.0).key == "a"


def test_map_stays_small_when_one_key_changes_for_ever():
    waiting: pending.PendingMap[int] = pending.PendingMap(capacity=3)
    for number in range(10_000):
        waiting.put("a", number, rank=1, due_s=0.0)

    assert len(waiting._waiting) < 200
    assert waiting.take(0.0).item == 9_999


def test_bucket_gives_a_burst_then_the_rate():
    bucket = pending.TokenBucket(rate_per_s=2.0, burst=3)

    assert [bucket.wait_s(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.wait_s(0.0) == pytest.approx(0.5)
    assert bucket.wait_s(0.5) == 0.0
    assert bucket.wait_s(0.5) > 0.0


def test_bucket_never_holds_more_than_its_burst():
    bucket = pending.TokenBucket(rate_per_s=1.0, burst=2)
    bucket.wait_s(0.0)

    assert [bucket.wait_s(1_000.0) for _ in range(2)] == [0.0, 0.0]
    assert bucket.wait_s(1_000.0) > 0.0
