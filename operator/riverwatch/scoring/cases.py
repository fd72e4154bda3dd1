"""Stage 5b, cases: what one actor did that was new, added up over a stretch of activity.

An attack is several requests, and each may be only a little odd. A case collects an actor's novelties until it was
ordinary for `IDLE_S`; each novelty counts once, the strongest fully and every further record by `FADE` less, so that
a burst adds up while a long day of small novelties does not. Owned by `scoring.judge`; a case is dropped when it
closes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from riverwatch.activity import record
from riverwatch.features import vector, volumes
from riverwatch.models import base, credential
from riverwatch.rules import base as rules_base
from riverwatch.scoring import argument, circumstances, overlap, sensitivity

IDLE_S = 1_800.0
"""Seconds without novelty that close a case: longer than the ten minutes between steps of a patient attacker."""

IDLE_SHARE = 0.02
"""While less than a day was seen, a case closes after this share of the time seen, so that a short log closes cases,
too."""

IDLE_MIN_S = 5.0
"""Shortest such time, seconds."""

MAX_IDLES = 12
"""Longest case, as a multiple of the idle time: six hours."""

FADE = 0.3
"""Weight of each further record against the one before it, strongest first; bounds a case at 1.4 times its strongest.
0.3 ranked cases best on the generated load (0, 0.3, 0.5, 0.75 and 0.9 were tried)."""

SAME_AMOUNT = 0.25
"""Weight of an amount that is no larger than one the case holds: eight writes are eight requests and perhaps eight
namespaces, too, one growth seen from several sides."""

HABITUAL = frozenset({"network", "agent"})
"""Attributes that are no circumstance of who shows any for the first time: a new colleague is nowhere usually."""

MAX_PAIRS = 512
"""Novelties remembered per case; further ones no longer add."""

MAX_STRONGEST = 24
"""Records whose strength is added up; the next would weigh 0.1 %."""

MAX_HELD = 128
"""Vectors held back per case until it is known whether they may be learned."""

MAX_PARTS = 16
"""Surprises kept per case for the explanation."""

MAX_EVIDENCE = 20
"""Records kept per case as evidence before it is raised."""


def idle_s(age_s: float) -> float:
    """Return the seconds without novelty that close a case, `age_s` seconds after the first record."""
    return min(IDLE_S, max(IDLE_MIN_S, IDLE_SHARE * age_s))


class Held(msgspec.Struct, frozen=True):
    """An activity whose learning waits for the end of its case."""

    measured: vector.FeatureVector
    use: credential.Use | None


class Case(msgspec.Struct):
    """Open case of one actor."""

    key: str
    opened_s: float
    last_s: float
    strengths: list[float] = []
    """Surprise per record in nats under its circumstances, strongest first, at most `MAX_STRONGEST`."""
    pairs: set[str] = set()
    """Novelties already counted, ``feature=value``."""
    parts: list[base.Surprise] = []
    hits: list[rules_base.RuleHit] = []
    """Rule hits of the case, one per rule, the most severe first."""
    news: set[str] = set()
    """Ids of those rules that the identity did not trip by habit when they hit."""
    evidence: list[argument.Evidence] = []
    held: list[Held] = []
    raised: bool = False
    nats: float = 0.0
    """Evidence added up, nats."""
    strange: dict[str, float] = {}
    """Attribute -> largest novelty of it, nats."""
    weight: circumstances.Weight = circumstances.NONE
    """The circumstances of the strongest record, and what they made of it."""
    amount: int = 0
    """Largest amount among the novelties."""

    def take(
        self,
        parts: list[base.Surprise],
        activity: record.Activity,
        hits: Sequence[rules_base.RuleHit],
        *,
        age_s: float,
    ) -> float:
        """Add what is new in one record under its circumstances; return its strength, weighed, in nats.

        Parameters
        ----------
        parts
            Surprises of the record.
        activity
            The activity.
        hits
            Rules that hit it and may raise.
        age_s
            Seconds of record time since the first record.
        """
        fresh = self.fresh(parts, time_s=activity.time_s)
        weight = circumstances.weigh(activity, self.strange, parts, hits, age_s=age_s)
        return self.count(fresh, sensitivity.factor(activity), weight)

    def count(self, fresh: list[base.Surprise], factor: float, weight: circumstances.Weight) -> float:
        """Count what is new in one record and was not counted before; return its strength, weighed, in nats.

        Parameters
        ----------
        fresh
            As `fresh` returned it.
        factor
            0..2. Weight for the sensitivity of what was touched.
        weight
            What the circumstances of the record make of it.
        """
        strength = overlap.strength(fresh) * factor * weight.factor
        if strength > 0.0:
            self.parts.extend(fresh)
            self.parts.sort(key=lambda part: -part.nats)
            del self.parts[MAX_PARTS:]
            if not self.strengths or strength > self.strengths[0]:
                self.weight = weight
            self.strengths.append(strength)
            self.strengths.sort(reverse=True)
            del self.strengths[MAX_STRONGEST:]
            self.nats = weight.whole * sum(value * FADE**place for place, value in enumerate(self.strengths))
        return strength

    def fresh(self, parts: list[base.Surprise], *, time_s: float) -> list[base.Surprise]:
        """Return what is new in one record and was not counted before, and take note of it."""
        self.last_s = max(self.last_s, time_s)
        fresh = []
        for part in parts:
            pair = f"{part.feature}={part.observed}"
            if pair in self.pairs or len(self.pairs) >= MAX_PAIRS:
                continue
            self.pairs.add(pair)
            fresh.append(self._amount(part) if part.feature == "volume" else part)
            if part.usual or part.feature not in HABITUAL:
                self.strange[part.feature] = max(self.strange.get(part.feature, 0.0), fresh[-1].nats)
        return fresh

    def _amount(self, part: base.Surprise) -> base.Surprise:
        count = volumes.amount_of(part.observed)
        if count > self.amount or volumes.is_wide(part.observed):
            self.amount = max(self.amount, count)
            return part
        damped = "it is another view of an amount that was counted"
        return msgspec.structs.replace(part, nats=part.nats * SAME_AMOUNT, damped=damped)

    def hit(self, hits: list[rules_base.RuleHit], *, news: bool) -> None:
        """Add rule hits, `news` to the identity or not; of each rule the first one is kept."""
        if news:
            self.news.update(one.card.id for one in hits)
        known = {one.card.id for one in self.hits}
        self.hits.extend(one for one in hits if one.card.id not in known)
        self.hits.sort(key=lambda one: -one.card.severity.rank)
        del self.hits[MAX_PARTS:]

    def over(self, now_s: float, *, idle_s: float) -> bool:
        """Tell whether the case has ended by record time `now_s`."""
        return now_s - self.last_s > idle_s or now_s - self.opened_s > MAX_IDLES * idle_s


class CaseBook:
    """All open cases, the one touched longest ago first."""

    def __init__(self) -> None:
        self.open: dict[str, Case] = {}

    def touch(self, key: str, time_s: float) -> Case:
        """Return the actor's open case, a new one when there is none."""
        case = self.open.pop(key, None)
        if case is None:
            case = Case(key, time_s, time_s)
        self.open[key] = case
        return case

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint, the case touched longest ago first."""
        return [msgspec.to_builtins(case, order="deterministic") for case in self.open.values()]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self.open = {case.key: case for case in msgspec.convert(data, list[Case])}

    def close_until(self, now_s: float, *, age_s: float) -> list[Case]:
        """Remove and return the cases that have ended by `now_s`, `age_s` seconds after the first record."""
        idle = idle_s(age_s)
        ended = [case for case in self.open.values() if case.over(now_s, idle_s=idle)]
        for case in ended:
            del self.open[case.key]
        return ended
