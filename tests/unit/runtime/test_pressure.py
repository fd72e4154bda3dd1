"""Steps of pressure: entered late, left later."""

from __future__ import annotations

import pytest

from riverwatch.runtime import pressure

EASY, BUSY, REFUSING = pressure.Step


@pytest.mark.parametrize(
    ("now", "fill", "then"),
    [
        pytest.param(EASY, 0.0, EASY, id="idle"),
        pytest.param(EASY, 0.49, EASY, id="below the first border"),
        pytest.param(EASY, 0.5, BUSY, id="at the first border"),
        pytest.param(BUSY, 0.2, BUSY, id="held until nearly empty"),
        pytest.param(BUSY, 0.09, EASY, id="left when nearly empty"),
        pytest.param(EASY, 1.0, REFUSING, id="full at once"),
        pytest.param(REFUSING, 0.75, REFUSING, id="refusing is held"),
        pytest.param(REFUSING, 0.6, BUSY, id="one step down"),
        pytest.param(REFUSING, 0.0, EASY, id="all the way down"),
        pytest.param(BUSY, 5.0, REFUSING, id="one body larger than all room"),
    ],
)
def test_step_follows_the_fill(now, fill, then):
    assert pressure.next_step(now, fill) is then


@pytest.mark.parametrize(
    ("now", "fill", "age_s", "then"),
    [
        pytest.param(EASY, 0.0, 29.0, EASY, id="old, but not too old"),
        pytest.param(EASY, 0.0, 30.0, BUSY, id="too old"),
        pytest.param(BUSY, 0.0, 6.0, BUSY, id="held until young"),
        pytest.param(BUSY, 0.0, 4.9, EASY, id="left when young"),
        pytest.param(BUSY, 0.2, 0.0, BUSY, id="young, but many"),
        pytest.param(REFUSING, 0.2, 60.0, BUSY, id="age alone does not refuse"),
    ],
)
def test_step_follows_the_age(now, fill, age_s, then):
    assert pressure.next_step(now, fill, age_s=age_s) is then
