"""What the plots show: precision against recall, alerts a day, recall under a daily budget.

`matching.Matched` in, plain numbers out. Pure; called by `measures` and `page`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts, matching


class Point(msgspec.Struct, frozen=True):
    """One threshold."""

    score: float
    """Alerts at or above this score are taken."""
    precision: float
    """Share of the alerts taken that belong to an attack, 0..1."""
    recall: float
    """Share of the attacks that an alert taken belongs to, 0..1."""
    alerts: int


class Day(msgspec.Struct, frozen=True):
    """Alerts first raised on one day of the recording."""

    day: int
    """0 for the first."""
    true_alerts: int
    false_alerts: int


def precision_recall(matched: matching.Matched) -> tuple[Point, ...]:
    """Give a point for each different score, strongest first."""
    true_keys = {alert.key for alert in matched.true_alerts}
    attacks_of = _attacks_of(matched)
    ranked = sorted(_all_alerts(matched), key=lambda alert: -alert.score)
    points: list[Point] = []
    seen: set[str] = set()
    right = 0
    for taken, alert in enumerate(ranked, start=1):
        right += alert.key in true_keys
        seen.update(attacks_of.get(alert.key, ()))
        if taken == len(ranked) or ranked[taken].score != alert.score:
            recall = len(seen) / len(matched.attacks) if matched.attacks else 0.0
            points.append(Point(score=alert.score, precision=right / taken, recall=recall, alerts=taken))
    return tuple(points)


def average_precision(points: Sequence[Point]) -> float:
    """Give the area under a precision-recall curve, as the sum over its steps in recall."""
    area = 0.0
    before = 0.0
    for point in points:
        area += (point.recall - before) * point.precision
        before = point.recall
    return area


def recall_at(matched: matching.Matched, per_day: int, *, start_s: float) -> float:
    """Give the share of attacks seen by somebody who looks at so many alerts a day, strongest first.

    Parameters
    ----------
    matched
        What was matched.
    per_day
        Alerts looked at each day.
    start_s
        Where the first day begins, epoch seconds.
    """
    if not matched.attacks:
        return 0.0
    by_day: dict[int, list[alerts.Alert]] = defaultdict(list)
    for alert in _all_alerts(matched):
        by_day[_day(alert, start_s)].append(alert)
    attacks_of = _attacks_of(matched)
    seen: set[str] = set()
    for raised in by_day.values():
        for alert in sorted(raised, key=lambda alert: (-alert.score, alert.observed_s, alert.key))[:per_day]:
            seen.update(attacks_of.get(alert.key, ()))
    return len(seen) / len(matched.attacks)


def per_day(matched: matching.Matched, *, start_s: float, end_s: float) -> tuple[Day, ...]:
    """Count the alerts first raised on each day, days without any included.

    Parameters
    ----------
    matched
        What was matched.
    start_s
        Where the first day begins, epoch seconds.
    end_s
        Where the last day ends, epoch seconds.
    """
    true_counts: dict[int, int] = defaultdict(int)
    false_counts: dict[int, int] = defaultdict(int)
    for alert in matched.true_alerts:
        true_counts[_day(alert, start_s)] += 1
    for wrong in matched.false_alerts:
        false_counts[_day(wrong.alert, start_s)] += 1
    last = max([int((end_s - start_s - 1) // world.DAY_S), *true_counts, *false_counts, 0])
    return tuple(Day(day=day, true_alerts=true_counts[day], false_alerts=false_counts[day]) for day in range(last + 1))


def _all_alerts(matched: matching.Matched) -> list[alerts.Alert]:
    """Give every alert, in the order in which they were raised."""
    found = [*matched.true_alerts, *(wrong.alert for wrong in matched.false_alerts)]
    return sorted(found, key=lambda alert: (alert.observed_s, alert.key))


def _attacks_of(matched: matching.Matched) -> dict[str, set[str]]:
    """Map alerts to the attacks they belong to."""
    owners: dict[str, set[str]] = defaultdict(set)
    for attack in matched.attacks:
        for hit in attack.hits:
            owners[hit.alert.key].add(attack.episode.id)
    return owners


def _day(alert: alerts.Alert, start_s: float) -> int:
    """Give the day on which an alert was raised."""
    return max(0, int((alert.observed_s - start_s) // world.DAY_S))
