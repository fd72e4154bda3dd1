"""Stage 5c, budget: keeps what ordinary life raises within the alerts a day that a policy allows.

Two parts. The threshold: the strangeness that ordinary life reaches less often than `QUIET_SHARE` of the budget, from
the calibrated tail. The cap: when the budget of the last 24 hours is spent, a weak candidate must beat the weakest
one raised in that time. Strong findings, and rule hits of severity High or Critical, are never shed and spend nothing:
the budget is for what ordinary life may raise. Time comes from records.
"""

from __future__ import annotations

import collections
from typing import Any

import msgspec

from riverwatch.scoring import calibrate

QUIET_SHARE = 0.1
"""Share of the budget that anomalies of ordinary life may use: 5 a day become one in two days. The rest is headroom
for life that changes, so that the stated budget holds on bad days, too."""

FLOOR_NATS = 10.0
"""Least evidence that is ever raised: a chance of about 1 in 22,000 for the whole case."""

STRONG_PER_DAY = 1.0 / 7.0
"""Evidence that ordinary life reaches less often than this, alerts a day, is strong and is never shed."""

DAY_S = 86_400.0
"""Seconds."""

MAX_SHED = 50
"""Shed candidates remembered, newest last."""

MAX_RAISED = 10_000
"""Detections remembered per budget; a day with more is far over any budget."""


class Shed(msgspec.Struct, frozen=True):
    """A candidate that was not raised for want of budget."""

    time_s: float
    actor: str
    nats: float
    summary: str


class Budget:
    """Budgets of all policies: what was raised in the last 24 hours, what was shed."""

    def __init__(self) -> None:
        self._raised: dict[str, dict[str, tuple[float, float]]] = {}
        """Budget -> actor -> record time and evidence of the last case raised, the oldest first."""
        self.shed: collections.deque[Shed] = collections.deque(maxlen=MAX_SHED)
        self.shed_total = 0

    @staticmethod
    def threshold(tail: calibrate.Tail, per_day: float) -> float:
        """Return the evidence, in nats, that a case needs under a budget of `per_day` alerts."""
        return max(FLOOR_NATS, tail.nats_at(max(per_day, 0.01) * QUIET_SHARE))

    @staticmethod
    def strong(tail: calibrate.Tail, threshold: float) -> float:
        """Return the evidence, in nats, from which a case is raised whatever the budget says."""
        return max(threshold, tail.nats_at(STRONG_PER_DAY))

    def admits(self, ref: str, actor: str, *, nats: float, per_day: float, time_s: float) -> bool:
        """Tell whether a weak candidate fits what is left of the last 24 hours, or folds into what was raised."""
        recent = self._recent(ref, time_s)
        if actor in recent or len(recent) < per_day:
            return True
        return nats > min(strength for _, strength in recent.values())

    def spend(self, ref: str, actor: str, *, nats: float, time_s: float) -> None:
        """Count a case that was raised; cases of one actor within a day are one alert."""
        recent = self._recent(ref, time_s)
        _, strongest = recent.pop(actor, (0.0, 0.0))
        recent[actor] = (time_s, max(nats, strongest))
        if len(recent) > MAX_RAISED:
            del recent[next(iter(recent))]

    def drop(self, candidate: Shed) -> None:
        """Count a candidate that was shed."""
        self.shed_total += 1
        self.shed.append(candidate)

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "raised": {ref: [[actor, *last] for actor, last in one.items()] for ref, one in self._raised.items()},
            "shed": msgspec.to_builtins(list(self.shed)),
            "shed_total": self.shed_total,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        for ref, recent in data["raised"].items():
            self._raised[ref] = {actor: (time_s, nats) for actor, time_s, nats in recent}
        self.shed.extend(msgspec.convert(data["shed"], list[Shed]))
        self.shed_total = data["shed_total"]

    def _recent(self, ref: str, time_s: float) -> dict[str, tuple[float, float]]:
        recent = self._raised.setdefault(ref, {})
        for actor in [actor for actor, (last_s, _) in recent.items() if last_s < time_s - DAY_S]:
            del recent[actor]
        return recent
