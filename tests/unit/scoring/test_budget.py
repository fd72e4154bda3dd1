"""The budget counts alerts, not cases, and never stands in the way of what is strong."""

from __future__ import annotations

from riverwatch.scoring import budget, calibrate

TAIL = calibrate.Tail(level=5.0, scale=1.5, rate_at_level=5.0)
DAY_S = 86_400.0


def full() -> budget.Budget:
    spent = budget.Budget()
    for number in range(5):
        spent.spend("ref", f"actor-{number}", nats=11.0 + number, time_s=1000.0)
    return spent


def test_cases_of_one_actor_within_a_day_are_one_alert():
    one = budget.Budget()
    for hour in range(5):
        one.spend("ref", "actor", nats=12.0, time_s=3600.0 * hour)
    assert one.admits("ref", "other", nats=1.0, per_day=2, time_s=20_000.0)


def test_a_spent_budget_admits_what_is_stronger_or_folds_into_what_was_raised():
    spent = full()
    assert not spent.admits("ref", "new", nats=10.5, per_day=5, time_s=2000.0)
    assert spent.admits("ref", "new", nats=11.5, per_day=5, time_s=2000.0)
    assert spent.admits("ref", "actor-3", nats=10.5, per_day=5, time_s=2000.0)


def test_after_a_day_the_budget_is_whole_again():
    assert full().admits("ref", "new", nats=10.5, per_day=5, time_s=1001.0 + DAY_S)


def test_strong_is_what_ordinary_life_reaches_less_than_weekly():
    threshold = budget.Budget.threshold(TAIL, 5.0)
    strong = budget.Budget.strong(TAIL, threshold)
    assert strong >= threshold
    assert TAIL.rate_per_day(strong) <= budget.STRONG_PER_DAY + 1e-9


def test_a_checkpoint_keeps_what_was_spent():
    other = budget.Budget()
    other.load(full().dump())
    assert not other.admits("ref", "new", nats=10.5, per_day=5, time_s=2000.0)
