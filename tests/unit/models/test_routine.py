"""The cache of known combinations answers as the models would, and forgets when they change."""

from __future__ import annotations

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.models import levels, novelty, routine

START_S = testing.START_S


def known_habit() -> tuple[novelty.Novelty, levels.Habit]:
    home = novelty.Novelty(("action",))
    return home, home.learn("web/front", "", ("get configmaps",), time_s=START_S)


def test_inside_a_burst_a_known_record_passes_and_is_counted() -> None:
    home, habit = known_habit()
    cache = routine.Routine()
    cache.remember(7, home, habit, START_S)
    assert cache.passes(7, START_S + 1.0)
    assert (habit.records, home.records, habit.last_s) == (2, 2, START_S + 1.0)


def test_the_record_that_opens_a_burst_does_not_pass() -> None:
    home, habit = known_habit()
    cache = routine.Routine()
    cache.remember(7, home, habit, START_S)
    assert not cache.passes(7, START_S + levels.TRIAL_MIN_S)
    assert habit.records == 1


def test_a_forgotten_value_ends_what_was_known() -> None:
    home, habit = known_habit()
    cache = routine.Routine()
    cache.remember(7, home, habit, START_S)
    for number in range(levels.MAX_VALUES):
        habit.learn((f"action {number}",), START_S)
    assert not cache.passes(7, START_S + 1.0)


def test_what_was_never_remembered_does_not_pass() -> None:
    assert not routine.Routine().passes(7, START_S)


def test_it_is_emptied_when_full(monkeypatch) -> None:
    monkeypatch.setattr(routine, "MAX_KNOWN", 2)
    home, habit = known_habit()
    cache = routine.Routine()
    for key in range(3):
        cache.remember(key, home, habit, START_S)
    assert len(cache) == 1


def test_a_key_tells_credentials_and_addresses_apart() -> None:
    def key(**fields: str) -> int:
        return routine.key_of(normalise.from_audit(testing.audit_record(**fields)))

    assert key() == key()
    assert len({key(), key(source_ip="10.9.9.9"), key(user="system:serviceaccount:web:back"), key(verb="list")}) == 4
