"""Stage 5a, calibrate: evidence in nats -> how many ordinary cases a day are at least this strange.

Ordinary life fills the tail of closed cases; an exponential is fitted to the upper part of that tail (peaks over a
threshold, Pickands 1975, with shape 0), so that a rate rarer than anything seen yet can be named. The largest
excesses count as censored, so that a few attacks among the cases cannot move the scale. Old cases are dropped: the
fit covers at least the younger half of what was seen, and at most four weeks. Owned by `scoring.judge`; pure, time
comes from records.
"""

from __future__ import annotations

import bisect
import math

import msgspec

KEEP = 256
"""Strongest cases kept per epoch; more than ten a day over a fortnight."""

TAIL = 20
"""Strongest cases that the fit uses: with 12 to 24 the threshold moved least on recorded life; more reach into the
bulk, whose scale says nothing about the tail."""

CENSORED = 0.2
"""Share of them, the strongest, of which only that they were stronger is believed: some may be attacks."""

TAIL_SHARE = 0.25
"""At most this share of all cases counts as tail."""

MIN_TAIL = 8
"""Fewer cases than this are no tail; the prior below is used."""

PRIOR_LEVEL_NATS = 6.0
"""Where the tail is assumed to start before enough cases were seen: about 1 in 400."""

PRIOR_SCALE_NATS = 2.0
"""Scale of the tail assumed before enough cases were seen (measured on recorded benign life: 1.2 to 2.6)."""

MAX_STRETCH = 1.1
"""The tail's scale grows at most by this factor per epoch, and its start by a quarter of a scale beside what more
traffic explains: a time full of attacks cannot lift the threshold at once, and the budget's cap holds the line
meanwhile."""

SECONDS_PER_DAY = 86_400.0
"""Seconds."""

INCIDENT_IDLE_S = SECONDS_PER_DAY
"""Seconds after which an actor's next case would be another alert."""

INCIDENT_MAX_S = 7 * SECONDS_PER_DAY
"""Seconds that cases of one actor stay one alert at most."""

MIN_EPOCH_S = 10.0
"""Shortest epoch, seconds."""

MAX_EPOCH_S = 14 * SECONDS_PER_DAY
"""Longest epoch; two are in use at a time."""


def goes_on(first_s: float, last_s: float, time_s: float) -> bool:
    """Tell whether what an actor does at this record time is part of an incident, as an alert folds it."""
    return time_s - last_s <= INCIDENT_IDLE_S and time_s - first_s <= INCIDENT_MAX_S


class Incident(msgspec.Struct):
    """Cases of one actor that would be one alert."""

    first_s: float
    last_s: float
    nats: float
    """Evidence of the strongest."""

    def holds(self, time_s: float) -> bool:
        """Tell whether a case at this record time would be part of the same alert."""
        return goes_on(self.first_s, self.last_s, time_s)


class Epoch(msgspec.Struct):
    """Cases of one stretch of time."""

    start_s: float
    count: int = 0
    top: list[float] = []
    """Strongest cases, ascending, at most `KEEP`; of one actor's incident only the strongest, as an alert is."""
    actors: dict[str, Incident] = {}
    """Actor -> the incident counted last; at most twice `KEEP`."""

    def add(self, nats: float, actor: str, time_s: float) -> None:
        """Count a case among the strongest, once for an actor's incident: an actor that is odd daily is one alert."""
        if len(self.top) >= KEEP and nats <= self.top[0]:
            return
        if actor:
            before = self.actors.get(actor)
            if before is not None and before.holds(time_s):
                before.last_s = time_s
                if nats <= before.nats:
                    return
                if before.nats >= self.top[0]:
                    del self.top[bisect.bisect_left(self.top, before.nats)]
                before.nats = nats
            else:
                self.actors[actor] = Incident(time_s, time_s, nats)
        bisect.insort(self.top, nats)
        if len(self.top) > KEEP:
            del self.top[0]
            if len(self.actors) > 2 * KEEP:
                self.actors = {name: last for name, last in self.actors.items() if last.nats >= self.top[0]}


class Tail(msgspec.Struct, frozen=True):
    """A fitted tail: ``rate(e) = rate_at_level * exp(-(e - level) / scale)`` cases a day."""

    level: float
    scale: float
    rate_at_level: float

    def rate_per_day(self, nats: float) -> float:
        """Return the expected number of ordinary cases a day that are at least this strange."""
        return self.rate_at_level * math.exp(-(nats - self.level) / self.scale)

    def nats_at(self, rate_per_day: float) -> float:
        """Return the strangeness that ordinary life reaches at this rate."""
        return self.level + self.scale * math.log(max(self.rate_at_level, 1e-12) / rate_per_day)


class Calibrator:
    """Tail of closed cases of one cluster.

    Examples
    --------
    >>> calibrator = Calibrator()
    >>> for hour in range(240):
    ...     calibrator.add(float(hour % 12), time_s=hour * 3600.0)
    >>> tail = calibrator.tail()
    >>> tail.nats_at(0.2) > tail.nats_at(5.0) > 8.0
    True
    """

    def __init__(self) -> None:
        self._epochs: list[Epoch] = []
        self._born_s: float | None = None
        self._now_s = 0.0
        self._fit: Tail | None = None
        self._trusted: Tail | None = None
        """Fit at the end of learning, then at the end of each epoch."""

    def advance(self, time_s: float) -> None:
        """Tell the calibrator the record time; begins a new epoch when the seen time has doubled."""
        if self._born_s is None:
            self._born_s = time_s
            self._epochs = [Epoch(time_s)]
        if time_s > self._now_s:
            # Whoever asks for the tail between two times, for a status, must not decide when it is fitted.
            self._now_s, self._fit = time_s, None
        current = self._epochs[-1]
        if self._now_s - current.start_s >= min(max(current.start_s - self._born_s, MIN_EPOCH_S), MAX_EPOCH_S):
            if self._trusted is not None:
                self._trusted = self.tail()
            self._epochs = [current, Epoch(self._now_s)]
            self._fit = None

    def add(self, nats: float, *, time_s: float, actor: str = "") -> None:
        """Count one closed case; those of an actor's incident count as one, like the alert."""
        self.advance(time_s)
        epoch = self._epochs[-1]
        epoch.count += 1
        epoch.add(nats, actor, time_s)
        self._fit = None

    def trust(self) -> None:
        """Take the fit of now as the one to stretch from: learning has ended."""
        if self._trusted is None and self.cases * TAIL_SHARE >= MIN_TAIL:
            self._trusted = self.tail()

    @property
    def cases(self) -> int:
        """Cases that the fit covers."""
        return sum(epoch.count for epoch in self._epochs)

    @property
    def days(self) -> float:
        """Days that the fit covers; anything shorter than one day counts as one."""
        if not self._epochs:
            return 1.0
        return max((self._now_s - self._epochs[0].start_s) / SECONDS_PER_DAY, 1.0)

    def tail(self) -> Tail:
        """Return the fitted tail."""
        if self._fit is None:
            self._fit = self._fitted()
        return self._fit

    def _fitted(self) -> Tail:
        weighed = [(nats, self._weight(place)) for place, epoch in enumerate(self._epochs) for nats in epoch.top]
        weighed.sort(reverse=True)
        size = min(TAIL, int(self.cases * TAIL_SHARE), len(weighed))
        if size < MIN_TAIL:
            return Tail(PRIOR_LEVEL_NATS, PRIOR_SCALE_NATS, max(self.cases, 1) / self.days)
        level = weighed[size - 1][0]
        scale = _scale([nats - level for nats, _ in weighed[:size]])
        rate = sum(weight for _, weight in weighed[:size]) / self.days
        fitted = Tail(level, max(scale, PRIOR_SCALE_NATS / 4), rate)
        return fitted if self._trusted is None else _stretched(self._trusted, fitted)

    def _weight(self, place: int) -> float:
        """Return how often, 0..1, what an epoch showed would happen now, once where it happened once then.

        What is new gets rarer as one over the age of what is known (Heaps' law, in its limit): by the age in the middle
        of the epoch over the age now.
        """
        born_s, epoch = self._born_s or 0.0, self._epochs[place]
        end_s = self._epochs[place + 1].start_s if place + 1 < len(self._epochs) else self._now_s
        age_s = self._now_s - born_s
        return ((epoch.start_s + end_s) / 2 - born_s) / age_s if age_s > 0.0 else 1.0

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint; the fit, too, which depends on when it was made."""
        epochs = [msgspec.to_builtins(epoch) for epoch in self._epochs]
        return [self._born_s, self._now_s, epochs, *(msgspec.to_builtins(one) for one in (self._trusted, self._fit))]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self._born_s, self._now_s, epochs, trusted, fit = data  # type: ignore[assignment]
        self._trusted, self._fit = (msgspec.convert(one, Tail | None) for one in (trusted, fit))
        self._epochs = [msgspec.convert(epoch, Epoch) for epoch in epochs]  # type: ignore[attr-defined]


def _scale(excesses: list[float]) -> float:
    """Return the maximum likelihood scale of an exponential whose largest values are censored.

    Time on test over uncensored values (Epstein and Sobel 1953, "Life testing").

    Parameters
    ----------
    excesses
        Descending.
    """
    censored = int(len(excesses) * CENSORED)
    return (censored * excesses[censored] + sum(excesses[censored:])) / (len(excesses) - censored)


def _stretched(trusted: Tail, fitted: Tail) -> Tail:
    """Bound a fit by the one that was trusted before."""
    growth = math.log(max(fitted.rate_at_level / trusted.rate_at_level, 1.0))
    return Tail(
        min(fitted.level, trusted.level + trusted.scale * (growth + 0.25)),
        min(fitted.scale, trusted.scale * MAX_STRETCH),
        fitted.rate_at_level,
    )
