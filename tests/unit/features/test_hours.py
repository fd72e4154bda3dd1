"""A first hour is news only to who lived through such hours before."""

from __future__ import annotations

import math

import pytest

from riverwatch.features import hours
from riverwatch.models import novelty

MONDAY_S = 20_458 * 86_400.0
"""2026-01-05T00:00:00Z."""

DAY_S = 86_400.0
HOUR_S = 3_600.0


@pytest.mark.parametrize(
    ("born", "now", "count"),
    [
        pytest.param(0.0, 0.5, 0, id="the first day"),
        pytest.param(0.0, 4.5, 4, id="Friday after four working days"),
        pytest.param(0.5, 4.4, 3, id="who began later on Monday"),
        pytest.param(0.0, 5.5, 0, id="the first Saturday"),
        pytest.param(0.0, 6.5, 1, id="the first Sunday"),
        pytest.param(0.0, 7.5, 5, id="the second Monday"),
        pytest.param(0.0, 60.5, hours.MAX_CHANCES, id="long after"),
    ],
)
def test_chances_are_days_of_the_same_kind(born, now, count):
    assert hours.chances(MONDAY_S + born * DAY_S, MONDAY_S + now * DAY_S) == count


def nats_of_hour(model: novelty.Novelty, time_s: float, hour: str) -> float:
    found = model.opinion("web", "", ("get pods", hour), time_s=time_s)
    return sum(part.nats for part in found if part.feature == "hour")


def test_the_first_weekend_of_a_stream_is_no_news():
    model = novelty.Novelty(("action", "hour"))
    for step in range(5 * 24 * 6):
        model.learn("web", "", ("get pods", "weekday 08h"), time_s=MONDAY_S + step * 600.0)
    assert nats_of_hour(model, MONDAY_S + 5.3 * DAY_S, "weekend 07h") == 0.0
    assert nats_of_hour(model, MONDAY_S + 4.9 * DAY_S, "weekday 21h") == pytest.approx(math.log(5))
