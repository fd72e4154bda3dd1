"""Steps of pressure: entered late, left later."""

from __future__ import annotations

import pytest

from riverwatch.runtime import pressure

FULL, RULES, REFUSING = pressure.Step


@pytest.mark.parametrize(
    ("now", "fill", "then"),
    [
        pytest.param(FULL, 0.0, FULL, id="idle"),
        pytest.param(FULL, 0.49, FULL, id="below the first border"),
        pytest.param(FULL, 0.5, RULES, id="at the first border"),
        pytest.param(RULES, 0.2, RULES, id="held until nearly empty"),
        pytest.param(RULES, 0.09, FULL, id="left when nearly empty"),
        pytest.param(FULL, 1.0, REFUSING, id="full at once"),
        pytest.param(REFUSING, 0.75, REFUSING, id="refusing is held"),
        pytest.param(REFUSING, 0.6, RULES, id="one step down"),
        pytest.param(REFUSING, 0.0, FULL, id="all the way down"),
        pytest.param(RULES, 5.0, REFUSING, id="one body larger than all room"),
    ],
)
def test_step_follows_the_fill(now, fill, then):
    assert pressure.next_step(now, fill) is then
