"""When things happen: seeded streams of times for clocks, traffic, office hours and nights.

In: a generator, an interval, a pace. Out: epoch seconds, ascending. Every stream draws from its own generator
(`seeded`), so that one more habit does not shift the others. Called by the habits in this package.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator

import msgspec

from riverwatch.lab import world

HOUR_S = 3600.0
"""One hour, in seconds."""

TRAFFIC = (30, 22, 18, 15, 15, 20, 35, 60, 85, 95, 100, 100, 98, 92, 92, 95, 98, 100, 105, 110, 105, 90, 70, 45)
"""Customers by local hour of day, relative to a busy hour: low before dawn, highest in the evening."""

OFFICE = (0, 0, 0, 0, 0, 0, 0, 3, 40, 95, 100, 90, 35, 80, 100, 95, 75, 35, 8, 2, 1, 0, 0, 0)
"""People at work by local hour of day, relative to a busy hour."""

WEEKEND_TRAFFIC = 0.8
"""Customers on a Saturday or Sunday, relative to a weekday."""

WEEKEND_OFFICE = 0.02
"""People at work on a Saturday or Sunday, relative to a weekday."""


class Span(msgspec.Struct, frozen=True):
    """An interval of simulated time, epoch seconds, the end excluded."""

    start_s: float
    end_s: float

    @property
    def days(self) -> int:
        """Number of days begun."""
        return int(-(-(self.end_s - self.start_s) // world.DAY_S))

    def holds(self, time_s: float) -> bool:
        """Whether a time lies inside."""
        return self.start_s <= time_s < self.end_s


def seeded(seed: int, *names: object) -> random.Random:
    """Give a generator of its own to whatever the names say."""
    return random.Random("/".join(str(part) for part in (seed, *names)))


def local_hour(time_s: float) -> int:
    """Give the company's hour of day, 0 to 23."""
    return int((time_s + world.LOCAL_OFFSET_S) % world.DAY_S // HOUR_S)


def weekend(time_s: float) -> bool:
    """Say whether it is Saturday or Sunday where the company is."""
    return dt.datetime.fromtimestamp(time_s + world.LOCAL_OFFSET_S, tz=dt.UTC).weekday() >= 5


def every(rng: random.Random, span: Span, period_s: float, *, jitter: float = 0.08) -> Iterator[float]:
    """Tick like a program's timer, from a random phase on.

    Parameters
    ----------
    rng
        Source of chance.
    span
        Interval.
    period_s
        Mean seconds between ticks.
    jitter
        Share of the period by which each tick is late or early, 0 to 0.5.
    """
    time_s = span.start_s + rng.random() * period_s
    while time_s < span.end_s:
        yield time_s
        time_s += period_s * rng.uniform(1 - jitter, 1 + jitter)


def traffic(rng: random.Random, span: Span, per_day: float) -> Iterator[float]:
    """Follow the customers of a shop.

    Parameters
    ----------
    rng
        Source of chance.
    span
        Interval.
    per_day
        Times on an average weekday.
    """
    yield from _shaped(rng, span, per_day, TRAFFIC, WEEKEND_TRAFFIC)


def office(rng: random.Random, span: Span, per_day: float) -> Iterator[float]:
    """Follow people at work.

    Parameters
    ----------
    rng
        Source of chance.
    span
        Interval.
    per_day
        Times on an average weekday.
    """
    yield from _shaped(rng, span, per_day, OFFICE, WEEKEND_OFFICE)


def daily(
    rng: random.Random, span: Span, hour: float, *, spread_s: float = 60.0, weekdays: bool = False
) -> Iterator[float]:
    """Give one time a day.

    Parameters
    ----------
    rng
        Source of chance.
    span
        Interval.
    hour
        Hour of day in UTC, 0 to 24.
    spread_s
        Seconds by which it may be late.
    weekdays
        Whether weekends are left out.
    """
    for day in range(span.days + 1):
        midnight_s = span.start_s - (span.start_s % world.DAY_S) + day * world.DAY_S
        time_s = midnight_s + hour * HOUR_S + rng.random() * spread_s
        if span.holds(time_s) and not (weekdays and weekend(time_s)):
            yield time_s


def _shaped(
    rng: random.Random, span: Span, per_day: float, shape: tuple[int, ...], at_weekends: float
) -> Iterator[float]:
    """Draw times whose density follows a daily shape (a Poisson stream, thinned)."""
    busiest = max(shape)
    rate = per_day * busiest / sum(shape) / HOUR_S
    time_s = span.start_s
    while (time_s := time_s + rng.expovariate(rate)) < span.end_s:
        keep = shape[local_hour(time_s)] / busiest * (at_weekends if weekend(time_s) else 1.0)
        if rng.random() < keep:
            yield time_s
