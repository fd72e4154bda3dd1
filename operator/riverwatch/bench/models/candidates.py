"""Who competes: plain sums, our models, River's half-space trees; each scores a record first and learns it afterwards.

A `Candidate` judges one point at a time. What a candidate does per record is inside the time that is measured, what
all share (decoding, the feature vector, the sixteen numbers) is not. Called by `bench.models.contest`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from riverwatch.bench.models import counters, stream
from riverwatch.models import bank, sequence

SEED = 7
"""Seed of everything random, so that runs repeat."""

TREES = 10
"""Half-space trees of an ensemble, as in the anchor that PERFORMANCE figures are compared with."""

HEIGHT = 8
"""Height of each tree; above 8 learning becomes slower by two orders of magnitude."""

WINDOW = 250
"""Points after which the trees take over what they learned."""

AGGREGATE_S = 60.0
"""Length of a window that is aggregated before the trees see it, seconds."""

AGGREGATES = ("records", "actions", "namespaces", "addresses", "clients", "writes", "deletes", "secrets", "refused")
"""Numbers of a window, each on a logarithmic scale in 0..1."""

GUARD_SHARE = 0.01
"""Share of all points, the strangest ones, that a guarded candidate does not learn."""

GUARD_AFTER = 10_000
"""Points that a guarded candidate learns whatever they are."""

_LARGEST = 14.0
"""Logarithm of a count that maps to 1."""


class Candidate(Protocol):
    """Judges a stream of points."""

    def score(self, point: stream.Point) -> float:
        """Return how strange a point is; higher is stranger; changes nothing."""
        ...

    def learn(self, point: stream.Point) -> None:
        """Learn a point that was scored before."""
        ...


class Entry(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str
    what: str
    make: Callable[[Sequence[list[float]]], Candidate]
    """Makes a fresh candidate; is given the sixteen numbers of every point."""
    numbers: bool = False
    """Whether it reads the sixteen numbers, so that making them is part of its price, too."""


class PlainSum:
    """Sum of the novelty counters.

    Parameters
    ----------
    bonus
        What a refused request adds; 0 for none.
    """

    def __init__(self, bonus: float = 0.0) -> None:
        self._counters = counters.Counters()
        self._bonus = bonus

    def score(self, point: stream.Point) -> float:
        """Return the sum."""
        found = sum(self._counters.novelty(point))
        return found + self._bonus if point.refused else found

    def learn(self, point: stream.Point) -> None:
        """Count."""
        self._counters.count(point)


class Ours:
    """The models of the product as the product holds them: per home namespace, with the cluster behind.

    Parameters
    ----------
    credentials
        Whether the credential model speaks, too.
    """

    def __init__(self, *, credentials: bool = True) -> None:
        self._bank = bank.Bank()
        self._credentials = credentials

    def score(self, point: stream.Point) -> float:
        """Return the sum of all surprises, nats."""
        use = point.use if self._credentials else None
        return math.fsum(part.nats for part in self._bank.opinion(point.measured, use))

    def learn(self, point: stream.Point) -> None:
        """Learn."""
        self._bank.learn(point.measured, point.use if self._credentials else None)


class Order:
    """The sequence model alone."""

    def __init__(self) -> None:
        self._model = sequence.Sequence()

    def score(self, point: stream.Point) -> float:
        """Return the surprise of the step, nats."""
        measured = point.measured
        return self._model.nats(measured.identity, measured.values[0], time_s=measured.time_s)

    def learn(self, point: stream.Point) -> None:
        """Learn the step."""
        measured = point.measured
        self._model.learn(measured.identity, measured.siblings, measured.values[0], time_s=measured.time_s)


class Together:
    """Several candidates, summed.

    Parameters
    ----------
    members
        They score and learn in this order.
    """

    def __init__(self, *members: Candidate) -> None:
        self._members = members

    def score(self, point: stream.Point) -> float:
        """Return the sum of the members' scores."""
        return sum(member.score(point) for member in self._members)

    def learn(self, point: stream.Point) -> None:
        """Have every member learn."""
        for member in self._members:
            member.learn(point)


class Guarded:
    """A candidate that learns nothing that it finds strange, as the product does: nothing flagged is learned.

    Parameters
    ----------
    inner
        Whom to guard.
    """

    def __init__(self, inner: Candidate) -> None:
        self._inner = inner
        self._last = 0.0
        self._strongest: list[float] = []
        self._seen = 0

    def score(self, point: stream.Point) -> float:
        """Return what the inner candidate says."""
        self._last = self._inner.score(point)
        return self._last

    def learn(self, point: stream.Point) -> None:
        """Learn the point unless it is among the strangest share so far."""
        self._seen += 1
        if self._last > 0.0:
            heapq.heappush(self._strongest, self._last)
            while len(self._strongest) > max(1, int(GUARD_SHARE * self._seen)):
                heapq.heappop(self._strongest)
        if self._seen < GUARD_AFTER or not self._strongest or self._last < self._strongest[0]:
            self._inner.learn(point)


class Trees:
    """River's half-space trees on the sixteen numbers of each record.

    Parameters
    ----------
    numbers
        The sixteen numbers of every point, in the order in which points will come.
    """

    def __init__(self, numbers: Sequence[list[float]]) -> None:
        self._trees: Any = _half_space_trees()
        self._numbers = numbers
        self._next = 0

    def score(self, point: stream.Point) -> float:  # noqa: ARG002 - its numbers are the next ones
        """Return the trees' score, 0..1."""
        return float(self._trees.score_one(dict(enumerate(self._numbers[self._next]))))

    def learn(self, point: stream.Point) -> None:  # noqa: ARG002 - as above
        """Learn."""
        self._trees.learn_one(dict(enumerate(self._numbers[self._next])))
        self._next += 1


class WindowTrees:
    """River's half-space trees on windows of each identity; a record has the score of the last window that ended."""

    def __init__(self) -> None:
        self._trees: Any = _half_space_trees()
        self._open: dict[str, _Window] = {}

    def score(self, point: stream.Point) -> float:
        """Return the score of the identity's window with this record in it."""
        window = self._open.get(point.measured.identity)
        if window is None or window.place != point.measured.time_s // AGGREGATE_S:
            return float(self._trees.score_one(_Window(0.0).with_point(point).numbers()))
        if window.stale:
            window.score = float(self._trees.score_one(window.numbers()))
            window.stale = False
        return window.score

    def learn(self, point: stream.Point) -> None:
        """Count the record; learn the identity's window when it has ended."""
        place = point.measured.time_s // AGGREGATE_S
        window = self._open.get(point.measured.identity)
        if window is None or window.place != place:
            if window is not None:
                self._trees.learn_one(window.numbers())
            window = self._open[point.measured.identity] = _Window(place)
        window.with_point(point)


def _half_space_trees() -> Any:
    from river import anomaly  # noqa: PLC0415 - brings SciPy, a second that only those who run trees should pay

    return anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=SEED)


class _Window:
    """Aggregates of one identity in one window."""

    __slots__ = ("counts", "place", "score", "sets", "stale")

    def __init__(self, place: float) -> None:
        self.place = place
        self.sets: tuple[set[str], ...] = (set(), set(), set(), set())
        self.counts = [0, 0, 0, 0, 0]
        self.score = 0.0
        self.stale = True
        """Whether the score is older than the numbers by a new value or a doubled count."""

    def with_point(self, point: stream.Point) -> _Window:
        """Count a point; return the window."""
        for seen, value in zip(self.sets, (point.action, point.namespace, point.address, point.client), strict=True):
            if value not in seen:
                seen.add(value)
                self.stale = True
        deletes = point.verb in {"delete", "deletecollection"}
        flags = (True, point.verb in counters.WRITES, deletes, point.resource == "secrets", point.refused)
        for place, flag in enumerate(flags):
            if flag:
                self.counts[place] += 1
                # Powers of two are when a logarithmic number moves; between them the old score is good enough.
                self.stale = self.stale or self.counts[place] & (self.counts[place] - 1) == 0
        return self

    def numbers(self) -> dict[str, float]:
        """Return the numbers by name, each in 0..1."""
        first, *rest = self.counts
        values = (first, *(len(seen) for seen in self.sets), *rest)
        return {name: min(1.0, math.log1p(value) / _LARGEST) for name, value in zip(AGGREGATES, values, strict=True)}


ENTRIES: tuple[Entry, ...] = (
    Entry("plain-sum", "four new-for-this-identity counters and rarity, no model", lambda _: PlainSum()),
    Entry("plain-sum-refused", "the same and 1 for a refused request", lambda _: PlainSum(counters.REFUSED_BONUS)),
    Entry("novelty", "our novelty model", lambda _: Ours(credentials=False)),
    Entry("novelty+credential", "our novelty and credential models, summed", lambda _: Ours()),
    Entry("plain-sum-guarded", "the plain sum that does not learn its strangest 1 %", lambda _: Guarded(PlainSum())),
    Entry("novelty-guarded", "novelty and credential that do not learn their strangest 1 %", lambda _: Guarded(Ours())),
    Entry("sequence", "our sequence model alone: known actions in a new order", lambda _: Order()),
    Entry("all-three", "novelty, credential and sequence, summed", lambda _: Together(Ours(), Order())),
    Entry("hst-records", "River half-space trees, 10 x 8, on 16 numbers a record", Trees, numbers=True),
    Entry("hst-windows", "River half-space trees, 10 x 8, on windows of 60 s an identity", lambda _: WindowTrees()),
)
"""Every candidate that runs in this process, in the order of the table."""
