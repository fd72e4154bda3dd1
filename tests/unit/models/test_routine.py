"""The cache of known combinations answers as the models would, and forgets when they change."""

from __future__ import annotations

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.models import levels, novelty, routine

START_S = testing.START_S


def known_habit() -> tuple[novelty.Novelty, levels.Habit]:
    home = novelty.Novelty(("action",))
    return home, home.learn("web/front", "", ("get configmaps",), time_s=START_S)


def remembered(cache: routine.Routine, key: int = 7) -> routine.Known:
    home, habit = known_habit()
    known = routine.Known("web", home, habit, habit.edition, START_S + routine.ASK_AGAIN_S, ("get configmaps",))
    cache.remember(key, known)
    return known


def test_inside_a_burst_a_known_record_is_counted_and_teaches_nothing() -> None:
    cache = routine.Routine()
    known = remembered(cache)
    found = cache.find(7, START_S + 1.0)
    assert found is known
    assert not routine.learn(found, START_S + 1.0)
    assert (known.habit.records, known.home.records, known.habit.last_s) == (2, 2, START_S + 1.0)
    assert known.habit.attributes[0].values == {"get configmaps": 1}


def test_the_record_that_opens_a_burst_is_learned_as_the_model_would() -> None:
    known = remembered(routine.Routine())
    home, habit = known_habit()
    later_s = START_S + levels.TRIAL_MIN_S
    assert routine.learn(known, later_s)
    home.learn("web/front", "", ("get configmaps",), time_s=later_s)
    assert known.habit.dump() == habit.dump()
    assert known.home.dump() == home.dump()


def test_a_forgotten_value_ends_what_was_known() -> None:
    cache = routine.Routine()
    known = remembered(cache)
    for number in range(levels.MAX_VALUES):
        known.habit.learn((f"action {number}",), START_S)
    assert cache.find(7, START_S + 1.0) is None


def test_after_a_while_it_is_asked_anew() -> None:
    cache = routine.Routine()
    remembered(cache)
    assert cache.find(7, START_S + routine.ASK_AGAIN_S) is None


def test_what_was_never_remembered_is_asked() -> None:
    assert routine.Routine().find(7, START_S) is None


def test_it_is_emptied_when_full(monkeypatch) -> None:
    monkeypatch.setattr(routine, "MAX_KNOWN", 2)
    cache = routine.Routine()
    for key in range(3):
        remembered(cache, key)
    assert len(cache) == 1


def test_a_key_tells_credentials_and_addresses_apart() -> None:
    def key(**fields: str) -> int:
        return routine.key_of(normalise.from_audit(testing.audit_record(**fields)))

    assert key() == key()
    assert len({key(), key(source_ip="10.9.9.9"), key(user="system:serviceaccount:web:back"), key(verb="list")}) == 4
