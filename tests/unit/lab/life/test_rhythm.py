"""When things happen: density over the day, weekends, and seeds that do not disturb each other."""

from __future__ import annotations

import pytest

from riverwatch.lab import world
from riverwatch.lab.life import rhythm

FORTNIGHT = rhythm.Span(world.START_S, world.START_S + 14 * world.DAY_S)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(lambda rng: rhythm.every(rng, FORTNIGHT, 900.0), id="timer"),
        pytest.param(lambda rng: rhythm.traffic(rng, FORTNIGHT, 50), id="customers"),
        pytest.param(lambda rng: rhythm.office(rng, FORTNIGHT, 9), id="people"),
        pytest.param(lambda rng: rhythm.daily(rng, FORTNIGHT, 1.5), id="nightly"),
    ],
)
def test_times_ascend_inside_the_span_and_follow_from_the_seed(stream):
    times = list(stream(rhythm.seeded(3, "a")))
    assert times == sorted(times)
    assert all(FORTNIGHT.holds(time_s) for time_s in times)
    assert times == list(stream(rhythm.seeded(3, "a")))
    assert times != list(stream(rhythm.seeded(4, "a")))
    assert times != list(stream(rhythm.seeded(3, "b")))


def test_timer_keeps_its_period():
    times = list(rhythm.every(rhythm.seeded(1), FORTNIGHT, 900.0))
    assert len(times) == pytest.approx(14 * 96, rel=0.02)


def test_people_rest_at_night_and_at_weekends():
    times = list(rhythm.office(rhythm.seeded(1), FORTNIGHT, 200))
    at_work = [time_s for time_s in times if 8 <= rhythm.local_hour(time_s) < 18 and not rhythm.weekend(time_s)]
    assert len(at_work) / len(times) > 0.95
    assert len(times) == pytest.approx(10 * 200, rel=0.15)


def test_customers_come_at_weekends_and_less_before_dawn():
    times = list(rhythm.traffic(rhythm.seeded(1), FORTNIGHT, 500))
    hours = [rhythm.local_hour(time_s) for time_s in times]
    assert hours.count(4) < 0.3 * hours.count(19)
    assert any(rhythm.weekend(time_s) for time_s in times)


def test_daily_leaves_weekends_out_when_asked():
    times = list(rhythm.daily(rhythm.seeded(1), FORTNIGHT, 6.0, weekdays=True))
    assert len(times) == 10
    assert len(list(rhythm.daily(rhythm.seeded(1), FORTNIGHT, 6.0))) == 14


@pytest.mark.parametrize(
    ("day", "expected"),
    [(0, False), (4, False), (5, True), (6, True), (7, False)],
    ids=["Mon", "Fri", "Sat", "Sun", "Mon again"],
)
def test_recordings_start_on_a_monday(day, expected):
    assert rhythm.weekend(world.START_S + day * world.DAY_S + 43_200) is expected
