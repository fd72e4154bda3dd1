"""Nobody teaches a model everything in a burst."""

from __future__ import annotations

import pytest

from riverwatch.models import levels

BORN_S = 1_767_600_000.0
OLD_S = BORN_S + levels.YOUNG_S


def habit_with(new: int, *, time_s: float) -> levels.Habit:
    habit = levels.Habit(1, BORN_S)
    for number in range(new):
        habit.learn((f"action {number}",), time_s)
    return habit


@pytest.mark.parametrize(
    ("time_s", "most"),
    [
        pytest.param(OLD_S, levels.MAX_NEW_PER_HOUR, id="an identity with a habit"),
        pytest.param(BORN_S, min(levels.MAX_NEW_YOUNG, levels.MAX_VALUES), id="a new identity"),
    ],
)
def test_what_an_hour_may_teach_is_bounded(time_s, most):
    assert 0 < len(habit_with(1000, time_s=time_s).attributes[0].values) <= most


def test_beyond_the_bound_values_stay_new_and_do_not_count_as_habit_of_the_new():
    habit = habit_with(levels.MAX_NEW_PER_HOUR, time_s=OLD_S)
    fresh = habit.attributes[0].fresh
    assert habit.learn(("one more",), OLD_S) == []
    assert not habit.whole
    assert "one more" not in habit.attributes[0].values
    assert habit.attributes[0].fresh == fresh


def test_the_next_hour_may_teach_again():
    habit = habit_with(levels.MAX_NEW_PER_HOUR + 1, time_s=OLD_S)
    assert habit.learn(("one more",), OLD_S + levels.HOUR_S) == [0]
    assert habit.whole


def test_the_bound_survives_a_checkpoint():
    habit = levels.Habit.load(habit_with(levels.MAX_NEW_PER_HOUR, time_s=OLD_S).dump())
    assert habit.learn(("one more",), OLD_S + 1.0) == []


def test_what_something_else_explains_is_learned_but_is_no_habit_of_the_new():
    """A deployer that works in a new namespace daily is still one that never enters an old one."""
    plain, explained = levels.Habit(1, BORN_S), levels.Habit(1, BORN_S)
    for day in range(20):
        plain.learn((f"preview-{day}",), BORN_S + day * 86_400.0)
        explained.learn((f"preview-{day}",), BORN_S + day * 86_400.0, frozenset({0}))
    assert list(explained.attributes[0].values) == list(plain.attributes[0].values)
    assert explained.attributes[0].trials == plain.attributes[0].trials
    assert (explained.attributes[0].fresh, plain.attributes[0].fresh > 15.0) == (0.0, True)
