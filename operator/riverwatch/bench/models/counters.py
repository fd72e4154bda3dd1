"""Sixteen plain numbers a record, and the plain sum of novelty counters that every model must beat.

Four numbers say how new action, namespace, address and client are for the identity, one how rare the action is in the
whole cluster; the others are what anybody would add. Numbers describe a record before it is counted. The half-space
trees and the forest read all sixteen; the plain sum adds the first five.
"""

from __future__ import annotations

import math

from riverwatch.bench.models import stream

NAMES = (
    "new action",
    "new namespace",
    "new address",
    "new client",
    "rarity",
    "rate",
    "gap",
    "verb class",
    "refused",
    "own namespace",
    "subresource",
    "size",
    "secret",
    "impersonated",
    "anonymous",
    "hour",
)
"""Names of the numbers, in order; each lies in 0..1."""

NOVELTIES = 5
"""How many of them, from the first, the plain sum adds up."""

REFUSED = NAMES.index("refused")
"""Place of the number that earns the bonus."""

REFUSED_BONUS = 1.0
"""What the second plain sum adds for a refused request: as much as one value that was never seen."""

RATE_HALF_LIFE_S = 60.0
"""Half-life of the rate of an identity, seconds."""

WRITES = {"create": 0.6, "update": 0.6, "patch": 0.6, "delete": 1.0, "deletecollection": 1.0}
"""Verb class of verbs that change something; reads have 0.2, informers 0."""

READS = {"list": 0.3, "get": 0.2, "watch": 0.0}
"""Verb class of reads."""


class Counters:
    """Counts of one stream.

    Examples
    --------
    >>> len(NAMES)
    16
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], int] = {}
        self._global: dict[str, int] = {}
        self._records = 0
        self._last: dict[str, list[float]] = {}

    def novelty(self, point: stream.Point) -> list[float]:
        """Return the five numbers that the plain sum adds up; changes nothing."""
        seen, who = self._seen, point.measured.identity
        rarity = 1.0 - math.log1p(self._global.get(point.action, 0)) / math.log1p(max(1, self._records))
        return [
            1.0 / (1.0 + seen.get((who, "action", point.action), 0)),
            1.0 / (1.0 + seen.get((who, "namespace", point.namespace), 0)),
            1.0 / (1.0 + seen.get((who, "address", point.address), 0)),
            1.0 / (1.0 + seen.get((who, "client", point.client), 0)),
            rarity,
        ]

    def numbers(self, point: stream.Point) -> list[float]:
        """Return all numbers; changes nothing."""
        measured = point.measured
        rate, gap = 0.0, 1.0
        last = self._last.get(measured.identity)
        if last is not None:
            gap_s = max(0.0, measured.time_s - last[0])
            rate = min(1.0, math.log1p(last[1] * 0.5 ** (gap_s / RATE_HALF_LIFE_S)) / 10.0)
            gap = min(1.0, math.log1p(gap_s) / 12.0)
        return [
            *self.novelty(point),
            rate,
            gap,
            WRITES.get(point.verb, READS.get(point.verb, 0.5)),
            float(point.refused),
            float(point.namespace == measured.home),
            float(bool(point.subresource)),
            min(1.0, math.log1p(point.size_bytes) / 14.0),
            float(point.resource == "secrets"),
            float(point.impersonated),
            float(point.anonymous),
            measured.time_s % 86_400.0 / 86_400.0,
        ]

    def count(self, point: stream.Point) -> None:
        """Count a record for the five numbers."""
        seen, who = self._seen, point.measured.identity
        for key in (
            (who, "action", point.action),
            (who, "namespace", point.namespace),
            (who, "address", point.address),
            (who, "client", point.client),
        ):
            seen[key] = seen.get(key, 0) + 1
        self._global[point.action] = self._global.get(point.action, 0) + 1
        self._records += 1

    def count_all(self, point: stream.Point) -> None:
        """Count a record for all numbers."""
        self.count(point)
        time_s = point.measured.time_s
        last = self._last.setdefault(point.measured.identity, [time_s, 0.0])
        last[1] = last[1] * 0.5 ** (max(0.0, time_s - last[0]) / RATE_HALF_LIFE_S) + 1.0
        last[0] = time_s
