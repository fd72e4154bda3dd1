"""Stage 3 helper: how often an identity could have been active in an hour of the week, and was not.

A first hour is only news where there was such an hour before: on the first weekend of a stream every hour is new to
everybody. Pure; asked by `models.novelty`, which knows since when an identity lives.
"""

from __future__ import annotations

import math

from riverwatch.features import vector

DAY_S = 86_400.0
"""Seconds."""

MAX_CHANCES = 14
"""Most such hours that are counted, about three weeks of working days: who lived through more is no surer."""

MAX_DAYS = 21
"""Days that are looked back at most."""


def chances(born_s: float, time_s: float) -> int:
    """Return how many earlier days, working days or weekend days alike, had the same hour while the identity lived.

    Examples
    --------
    >>> thursday_8h = 1768464000.0
    >>> chances(thursday_8h - 3 * DAY_S, thursday_8h), chances(thursday_8h - DAY_S, thursday_8h + 2 * DAY_S)
    (3, 0)
    """
    same, count = vector.hour_of_week(time_s), 0
    for days in range(1, MAX_DAYS + 1):
        earlier_s = time_s - days * DAY_S
        if earlier_s < born_s or count >= MAX_CHANCES:
            break
        count += vector.hour_of_week(earlier_s) == same
    return count


def most_nats(born_s: float, time_s: float) -> float:
    """Return the most that a first activity at this hour can say, nats: after `n` such hours it is 1 in ``n + 1``."""
    return math.log(1 + chances(born_s, time_s))
