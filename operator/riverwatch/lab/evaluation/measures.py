"""The figures: precision, recall, false alerts, time to detect, whole and by use case, obvious and subtle apart.

`world.Labels` and `alerts.Alert`s in, `Figures` out; the same input gives the same figures. Pure; called by
`lab evaluate` and by tests. Definitions stand beside each field.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence

import msgspec

from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts, curves, matching

BUDGETS = (5, 20)
"""Alerts a day for which recall is given: what one person reads, and what a shift reads."""

EVERYDAY = "everyday life"
"""Name under which false alerts outside every happening are counted."""


class Delay(msgspec.Struct, frozen=True):
    """Seconds from an attack's first request to its first alert, over the detected attacks."""

    median_s: float | None
    p95_s: float | None


class Group(msgspec.Struct, frozen=True):
    """Figures of some of the attacks."""

    name: str
    attacks: int
    detected: int
    recall: float | None
    """Share of these attacks that an alert belongs to; none without attacks."""
    precision: float | None
    """For a use case: share of the alerts of this use case that belong to any attack; none without alerts."""
    alerts: int
    delay: Delay


class AttackRow(msgspec.Struct, frozen=True):
    """One attack."""

    episode: str
    attack: str
    use_case: str
    visibility: str
    detected: bool
    by: str
    """`matching.By` of the first alert; empty when undetected."""
    delay_s: float | None
    best_score: float
    alerts: int


class Figures(msgspec.Struct, frozen=True):
    """Everything that is said about one set of detections on one recording."""

    attacks: int
    detected: int
    recall: float | None
    detected_by_evidence: int
    """Attacks with at least one alert that shows a labelled record."""
    alerts: int
    true_alerts: int
    false_alerts: int
    precision: float | None
    days: float
    false_alerts_per_day: float
    false_by_happening: dict[str, int]
    average_precision: float
    recall_at: dict[str, float]
    """Recall of somebody who looks at so many alerts a day, strongest first."""
    ceiling_at: dict[str, float]
    """What that recall could be at most if each alert showed one attack: below 1 when attacks are crowded together."""
    delay: Delay
    visibilities: list[Group]
    use_cases: list[Group]
    rows: list[AttackRow]


def measure(labels: world.Labels, found: Sequence[alerts.Alert]) -> Figures:
    """Compute every figure.

    Parameters
    ----------
    labels
        The truth.
    found
        What was raised.
    """
    start_s = world.parse_rfc3339(labels.start)
    end_s = world.parse_rfc3339(labels.end)
    matched = matching.match(labels, found)
    right, wrong = len(matched.true_alerts), len(matched.false_alerts)
    days = max((end_s - start_s) / world.DAY_S, 1e-9)
    detected = [attack for attack in matched.attacks if attack.detected]
    evident = [a for a in detected if any(hit.by is matching.By.EVIDENCE for hit in a.hits)]
    return Figures(
        attacks=len(matched.attacks),
        detected=len(detected),
        recall=_ratio(len(detected), len(matched.attacks)),
        detected_by_evidence=len(evident),
        alerts=right + wrong,
        true_alerts=right,
        false_alerts=wrong,
        precision=_ratio(right, right + wrong),
        days=days,
        false_alerts_per_day=wrong / days,
        false_by_happening=_by_happening(labels, matched),
        average_precision=curves.average_precision(curves.precision_recall(matched)),
        recall_at={str(budget): curves.recall_at(matched, budget, start_s=start_s) for budget in BUDGETS},
        ceiling_at={str(budget): _ceiling(budget, days, len(matched.attacks)) for budget in BUDGETS},
        delay=delay_of(detected),
        visibilities=_by_visibility(matched),
        use_cases=_by_use_case(matched),
        rows=[_row(attack) for attack in matched.attacks],
    )


def delay_of(detected: Sequence[matching.MatchedAttack]) -> Delay:
    """Give the median and the 95th percentile of the time to detect."""
    delays = [attack.delay_s for attack in detected]
    return Delay(median_s=statistics.median(delays) if delays else None, p95_s=percentile(delays, 0.95))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Give the smallest value that at least this share of the values does not exceed; none for no values.

    Parameters
    ----------
    values
        In any order.
    share
        0..1.

    Examples
    --------
    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    if not values:
        return None
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def _ratio(part: int, whole: int) -> float | None:
    """Divide; none by nothing."""
    return part / whole if whole else None


def _ceiling(budget: int, days: float, attacks: int) -> float:
    """Give the share of attacks that so many alerts a day can show, one attack each."""
    return min(1.0, budget * math.ceil(days) / attacks) if attacks else 1.0


def _by_happening(labels: world.Labels, matched: matching.Matched) -> dict[str, int]:
    """Count false alerts by happening, happenings without any included."""
    counts = Counter(wrong.happening or EVERYDAY for wrong in matched.false_alerts)
    names = [EVERYDAY, *sorted({episode.name for episode in labels.happenings()})]
    return {name: counts[name] for name in names}


def _by_visibility(matched: matching.Matched) -> list[Group]:
    """Group attacks by obvious and subtle."""
    names = sorted({attack.episode.visibility for attack in matched.attacks})
    return [_group(name, [a for a in matched.attacks if a.episode.visibility == name]) for name in names]


def _by_use_case(matched: matching.Matched) -> list[Group]:
    """Group attacks and alerts by use case."""
    right = Counter(alert.use_case for alert in matched.true_alerts)
    wrong = Counter(false.alert.use_case for false in matched.false_alerts)
    names = sorted({attack.episode.use_case for attack in matched.attacks} | set(right) | set(wrong))
    return [
        _group(
            name,
            [a for a in matched.attacks if a.episode.use_case == name],
            alerts_total=right[name] + wrong[name],
            precision=_ratio(right[name], right[name] + wrong[name]),
        )
        for name in names
    ]


def _group(
    name: str,
    attacks: Sequence[matching.MatchedAttack],
    *,
    alerts_total: int | None = None,
    precision: float | None = None,
) -> Group:
    """Give the figures of some attacks."""
    detected = [attack for attack in attacks if attack.detected]
    own = {hit.alert.key for attack in attacks for hit in attack.hits}
    return Group(
        name=name,
        attacks=len(attacks),
        detected=len(detected),
        recall=_ratio(len(detected), len(attacks)),
        precision=precision,
        alerts=len(own) if alerts_total is None else alerts_total,
        delay=delay_of(detected),
    )


def _row(attack: matching.MatchedAttack) -> AttackRow:
    """Give the row of one attack."""
    return AttackRow(
        episode=attack.episode.id,
        attack=attack.episode.name,
        use_case=attack.episode.use_case,
        visibility=attack.episode.visibility,
        detected=attack.detected,
        by=attack.hits[0].by.value if attack.hits else "",
        delay_s=attack.delay_s if attack.detected else None,
        best_score=max((hit.alert.score for hit in attack.hits), default=0.0),
        alerts=len(attack.hits),
    )
