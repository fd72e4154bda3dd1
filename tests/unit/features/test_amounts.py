"""Counts are compared with earlier windows of the same identity; what is held back does not become usual."""

from __future__ import annotations

import math

import msgspec
import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.features import amounts, volumes

DAY_S = 86_400.0
START_S = 20_000 * DAY_S


def days(*counts: int) -> object:
    numbers = amounts.past(1)
    for count in counts:
        amounts.close(numbers, 0, count)
    return numbers


def nats(numbers: object, count: int, *, windows: float = 14.0) -> float:
    return amounts.nats(numbers, 0, count, windows=windows)


def test_the_same_count_is_stranger_where_days_are_alike() -> None:
    assert nats(days(*[8] * 14), 128) > 3 * nats(days(*[1, 4, 60, 2, 100, 8, 30] * 2), 128)


def test_more_is_stranger() -> None:
    usual = days(*[8] * 14)
    told = [nats(usual, 1 << power) for power in range(3, 10)]
    assert told == sorted(told)


def test_a_usual_count_is_no_news() -> None:
    assert nats(days(*[60] * 14), 32) < 0.2


def test_the_first_time_is_stranger_the_longer_it_did_not_happen() -> None:
    never = amounts.past(1)
    assert nats(never, 8, windows=300.0) - nats(never, 8, windows=3.0) == pytest.approx(math.log(301 / 4))


def test_old_windows_fade() -> None:
    assert nats(days(*[1000] * 64, *[8] * 200), 1024) > nats(days(*[1000] * 64, *[8] * 20), 1024)


def test_deviations_are_those_of_the_counts() -> None:
    seen, mean, squares, most = days(2, 8, 32)  # type: ignore[misc]
    assert (seen, mean, squares, most) == (3.0, 3.0, pytest.approx(8.0), 32.0)


def reads(counts: volumes.Volumes, day: int, many: int) -> list[amounts.Amount]:
    """Have one account read so many different secrets on a day, a minute apart; return what was told."""
    told = []
    for number in range(many):
        time_s = START_S + day * DAY_S + 60.0 * number
        activity = normalise.from_audit(testing.audit_record(time_s=time_s, resource="secrets", name=f"s-{number}"))
        told.append(counts.count(activity))
    return [amount for amount in told if amount is not None]


@pytest.mark.parametrize(("doubted", "usual"), [(False, "at most 64"), (True, "at most 8")])
def test_a_window_that_was_held_back_does_not_become_usual(doubted: bool, usual: str) -> None:  # noqa: FBT001 - a case
    counts = volumes.Volumes()
    for day in range(8):
        reads(counts, day, 8)
    reads(counts, 8, 64)
    if doubted:
        counts.doubt("system:serviceaccount:web:front", START_S + 8 * DAY_S + 3_600.0)
    of_day = [amount for amount in reads(counts, 9, 128) if amount.text.endswith("in 1 day")]
    assert of_day[-1].usual.startswith(usual)


def test_what_was_counted_survives_a_checkpoint() -> None:
    counts, again = volumes.Volumes(), volumes.Volumes()
    for day in range(8):
        reads(counts, day, 9)
    counts.doubt("system:serviceaccount:web:front", START_S + 7 * DAY_S)
    again.load(msgspec.json.decode(msgspec.json.encode(counts.dump())))
    assert again.dump() == counts.dump()
    assert reads(again, 9, 64) == reads(counts, 9, 64)


def test_the_same_refusal_again_is_no_growth() -> None:
    counts = volumes.Volumes()
    reads(counts, -4, 1)
    told = []
    for number in range(64):
        name, namespace = ("one", "web") if number < 32 else (f"other-{number}", f"team-{number}")
        source = testing.audit_record(
            time_s=START_S + number, resource="pods", name=name, namespace=namespace, code=403
        )
        told.append(counts.count(normalise.from_audit(source)))
    assert not any(told[:32])
    assert any(amount is not None and "different requests refused" in amount.text for amount in told[32:])
