"""The cache of known combinations answers as the models would, and forgets when they change."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import identities
from riverwatch.features import catalog, vector
from riverwatch.models import levels, novelty, routine

START_S = testing.START_S
HOUR_S = vector.SECONDS_PER_HOUR
HOUR = vector.hour_of_week(START_S)
VALUES = tuple({"action": "get configmaps", "hour": HOUR}.get(name, "") for name in catalog.NAMES)


def known_habit() -> tuple[novelty.Novelty, levels.Habit]:
    home = novelty.Novelty(catalog.NAMES)
    return home, home.learn("web/front", "", VALUES, time_s=START_S)


@pytest.fixture
def known() -> routine.Known:
    home, habit = known_habit()
    return routine.Known(
        principal=identities.classify("system:serviceaccount:web:front"),
        place="web",
        source_ip="10.4.7.19",
        kinds=(),
        silent=True,
        own_pod=False,
        siblings="",
        namespace="web",
        home=home,
        habit=habit,
        edition=habit.edition,
        values=VALUES,
    )


def test_inside_a_burst_a_known_record_is_counted_and_teaches_nothing(known) -> None:
    assert not routine.learn(known, START_S + 1.0, hour=HOUR)
    assert (known.habit.records, known.home.records, known.habit.last_s) == (2, 2, START_S + 1.0)
    assert known.habit.attributes[0].values == {"get configmaps": 1}


@pytest.mark.parametrize("volume", ["", "8 or more writes in 1 hour"], ids=["no amount", "an amount"])
def test_the_record_that_opens_a_burst_is_learned_as_the_model_would(known, volume) -> None:
    home, habit = known_habit()
    later_s = START_S + levels.TRIAL_MIN_S
    values = tuple(volume if name == "volume" else value for name, value in zip(catalog.NAMES, VALUES, strict=True))
    assert routine.learn(known, later_s, hour=HOUR, volume=volume)
    home.learn("web/front", "", values, time_s=later_s)
    assert known.habit.dump() == habit.dump()
    assert known.home.records == home.records


def test_it_is_known_at_the_hours_that_the_habit_knows(known) -> None:
    assert routine.still_known(known)
    assert list(known.hours) == [vector.hour_of_week(START_S)]
    known.habit.attributes[routine.HOUR].adopt(vector.hour_of_week(START_S + HOUR_S))
    assert vector.hour_of_week(START_S + HOUR_S) in known.hours


def test_a_burst_is_learned_with_its_own_hour(known) -> None:
    later = vector.hour_of_week(START_S + HOUR_S)
    known.habit.attributes[routine.HOUR].adopt(later)
    assert routine.learn(known, START_S + HOUR_S, hour=later)
    assert known.habit.attributes[routine.HOUR].values == {HOUR: 1, later: 2}


def test_any_hour_is_every_hour_of_the_week() -> None:
    week = {vector.hour_of_week(START_S + hour * HOUR_S) for hour in range(7 * 24)}
    assert set(routine.ANY_HOUR) == week
    assert len(week) == 48


def test_a_forgotten_value_ends_what_was_known(known) -> None:
    for number in range(levels.MAX_VALUES):
        known.habit.attributes[0].adopt(f"action {number}")
    known.habit.edition += 1
    assert not routine.still_known(known)


def test_another_forgotten_value_does_not(known) -> None:
    known.habit.edition += 1
    assert routine.still_known(known)
    assert known.edition == known.habit.edition


def test_an_amount_is_known_when_it_was_reached_before(known) -> None:
    assert not routine.knows_volume(known, "8 or more writes in 1 hour")
    known.habit.attributes[routine.VOLUME].adopt("8 or more writes in 1 hour")
    assert routine.knows_volume(known, "8 or more writes in 1 hour")


def test_the_values_of_a_combination_hold_no_amount() -> None:
    values = tuple("64 or more deletes in 1 day" if name == "volume" else name for name in catalog.NAMES)
    assert routine.without_volume(values) == tuple("" if name == "volume" else name for name in catalog.NAMES)


def test_it_is_emptied_when_full(monkeypatch, known) -> None:
    monkeypatch.setattr(routine, "MAX_KNOWN", 2)
    cache = routine.Routine()
    for key in range(3):
        cache.remember(key, known)
    assert len(cache.known) == 1


def test_all_of_it_is_asked_about_again_when_told(known) -> None:
    cache = routine.Routine()
    cache.remember(7, known)
    generation = cache.generation
    cache.expire()
    assert cache.generation > generation
