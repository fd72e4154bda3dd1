"""Stage 5d, explain: a case -> reasons, a counterfactual and a title, in words that need no statistics.

Each reason says what was seen, against what it was compared, and how rare that is; `scoring.wording` finds the words.
Pure; called by `detections.fold` when a detection opens or grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from riverwatch import vocabulary
from riverwatch.activity import identities
from riverwatch.models import base
from riverwatch.rules import base as rules_base
from riverwatch.scoring import argument, circumstances, wording

MAX_REASONS = 8
"""Reasons kept in one explanation; the rest is counted in evidence."""

MAX_RULES = 3
"""Rules told one by one in an explanation; the others are counted."""

MAX_CIRCUMSTANCES = 3
"""Circumstances told, the weightiest first."""

LEAST_TOLD_FACTOR = 0.1
"""Weights nearer to 1 than this are not told."""

MAX_SWAPS = 4
"""Changes told one by one in a counterfactual; the others are counted."""

ALWAYS = vocabulary.Severity.HIGH
"""Rules of this severity and above are raised whatever the habits are."""

_FREQUENCY_BY_REACH = {
    "cluster": vocabulary.Frequency.UNSEEN,
    "namespace": vocabulary.Frequency.RARE,
    "siblings": vocabulary.Frequency.RARE,
}


class Weights(msgspec.Struct, frozen=True):
    """The case on the scale, nats."""

    habits: float
    """What was new."""
    rules: float
    """What rules brought."""
    threshold: float


def frequency(part: base.Surprise) -> vocabulary.Frequency:
    """Return the frequency class of an observation: how far around the identity nobody showed it."""
    for group in ("cluster", "namespace", "siblings"):
        if group in part.unseen_in and (group != "siblings" or part.siblings > 1):
            return _FREQUENCY_BY_REACH[group]
    return vocabulary.Frequency.INFREQUENT


def reasons(
    parts: list[base.Surprise],
    hits: list[rules_base.RuleHit],
    *,
    share_of_rules: float,
    home: str,
    weight: circumstances.Weight = circumstances.NONE,
) -> list[argument.Reason]:
    """Return the reasons of a case, the strongest first.

    Parameters
    ----------
    parts
        Surprises of the case.
    hits
        Rule hits of the case.
    share_of_rules
        0..1. Part of the evidence that rules brought.
    home
        Words for the group that the identity was compared with, for example ``in its namespace``.
    weight
        What the circumstances made of the strongest record.
    """
    told = _rule_reasons(hits, share_of_rules)
    strongest = by_feature(parts)
    if hits:
        strongest.pop("rule", None)
    total = sum(part.nats for listed in strongest.values() for part in listed) or 1.0
    for place, (listed, nats) in enumerate(merged(strongest)):
        one = _reason(listed, (1.0 - share_of_rules) * nats / total, home=home)
        told.append(one if place else msgspec.structs.replace(one, text=one.text + weighed(weight)))
    told.sort(key=lambda reason: -reason.contribution)
    return told[:MAX_REASONS]


def weighed(weight: circumstances.Weight) -> str:
    """Say what the circumstances made of the strongest record; nothing when it is next to nothing.

    Examples
    --------
    >>> weighed(circumstances.Weight(2.15, ("programs seldom do anything new", "it was an unusual hour")))
    ' The strongest of it counts 2.1 times as much, because programs seldom do anything new and it was an unusual hour.'
    """
    if not weight.because or abs(weight.factor - 1.0) < LEAST_TOLD_FACTOR:
        return ""
    *first, last = weight.because[:MAX_CIRCUMSTANCES]
    listed = f"{', '.join(first)} and {last}" if first else last
    return f" The strongest of it counts {weight.factor:.1f} times as much, because {listed}."


def merged(strongest: dict[str, list[base.Surprise]]) -> list[tuple[list[base.Surprise], float]]:
    """Leave out what is implied: a new action is new in every namespace, and need not be told twice.

    Returns the surprises per feature with their nats, the strongest feature first; what was left out counts for the
    action.
    """
    weights = {feature: sum(part.nats for part in listed) for feature, listed in strongest.items()}
    left = dict(strongest)
    actions = {part.observed for part in strongest.get("action", ())}
    if actions and "scope" in left:
        own = [part for part in left["scope"] if part.observed.rpartition(" in ")[0] not in actions]
        kept = sum(part.nats for part in own)
        weights["action"] += weights["scope"] - kept
        weights["scope"], left["scope"] = kept, own
    ranked = sorted(left, key=lambda feature: -weights[feature])
    return [(left[feature], weights[feature]) for feature in ranked if left[feature]]


def _rule_reasons(hits: Sequence[rules_base.RuleHit], share: float) -> list[argument.Reason]:
    """Tell the most severe rules; they overlap, so they share one part of the evidence."""
    told: list[argument.Reason] = []
    for place, hit in enumerate(hits[:MAX_RULES]):
        matched = "; ".join(f"{name}={value}" for name, value in hit.matched) or hit.summary
        others = len(hits) - MAX_RULES
        last = place == MAX_RULES - 1 and others > 0
        more = f" {others} more rule{'' if others == 1 else 's'} hit." if last else ""
        told.append(
            argument.Reason(
                feature=f"rule:{hit.card.id}",
                observed=matched,
                expected="not in ordinary operation",
                frequency=vocabulary.Frequency.RARE,
                contribution=round(share / min(len(hits), MAX_RULES), 3),
                text=f"{hit.card.title}: {hit.summary}.{more}",
            )
        )
    return told


def by_feature(parts: list[base.Surprise]) -> dict[str, list[base.Surprise]]:
    """Group surprises by feature, the strongest feature and the strongest of each first."""
    grouped: dict[str, list[base.Surprise]] = {}
    for part in sorted(parts, key=lambda part: -part.nats):
        grouped.setdefault(part.feature, []).append(part)
    return grouped


def _reason(listed: list[base.Surprise], contribution: float, *, home: str) -> argument.Reason:
    part = listed[0]
    text = wording.sentence(part, home=home)
    if part.damped:
        text += f" This counts less, because {part.damped}."
    left = len({one.observed for one in listed}) - 1
    if left:
        plural = wording.of(part.feature).plural
        text += f" {left} more {plural if left > 1 else plural.removesuffix('s')} {'were' if left > 1 else 'was'} new."
    return argument.Reason(
        feature=part.feature,
        observed=part.observed,
        expected=", ".join(value for value, _ in part.usual) or "nothing of the kind",
        frequency=frequency(part),
        contribution=round(contribution, 3),
        text=text,
    )


def counterfactual(parts: list[base.Surprise], hits: list[rules_base.RuleHit], *, weights: Weights) -> str:
    """Say the smallest change that would most likely have stayed quiet.

    Takes away what was new, feature by feature, the strongest first, until the rest would have stayed below the
    threshold. Each feature is taken for its share of the evidence, which is an estimate and is called one.

    Parameters
    ----------
    parts
        Surprises of the case.
    hits
        Rule hits of the case.
    weights
        The case on the scale.
    """
    always = next((hit.card for hit in hits if hit.card.severity.rank >= ALWAYS.rank), None)
    if always is not None:
        return (
            f'The rule "{always.title}" ({always.severity.value}) is raised whatever the habits are. If this is meant '
            "to be, riverwatch triage prints an exception for it."
        )
    total = sum(part.nats for part in parts) or 1.0
    left, swaps = weights.habits + weights.rules, list[str]()
    for listed, nats in merged(by_feature(parts)):
        if left < weights.threshold:
            break
        left -= weights.habits * nats / total
        more = len({part.observed for part in listed}) - 1
        swaps.append(wording.swap(listed[0]) + (f" and {more} more" if more else ""))
    if not swaps or left >= weights.threshold:
        if hits:
            return f'The rule "{hits[0].card.title}" is enough by itself, because it is no habit of this identity.'
        return "It was close to what is ordinary: with any one of these less, nothing would have been raised."
    told = swaps if len(swaps) <= MAX_SWAPS else [*swaps[:MAX_SWAPS], f"{len(swaps) - MAX_SWAPS} more changes"]
    listed_swaps = f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
    return f"It would probably have stayed quiet {listed_swaps}."


def title(actor: str, parts: list[base.Surprise], hits: list[rules_base.RuleHit]) -> str:
    """Return one line that says who and what, at most 120 characters."""
    if hits:
        best = max(hits, key=lambda hit: hit.card.severity.rank)
        # Nobody did it whom a name would tell.
        text = best.card.title if actor == identities.ANONYMOUS else f"{best.card.title} by {actor}"
    else:
        where, what = _seen(parts)
        if where:
            text = f"Credential of {actor} used {where}{' for something new' if what else ''}"
        elif what:
            text = f"{actor} did something new: {what}"
        else:
            text = f"{actor} behaved unlike itself"
    return text if len(text) <= 120 else text[:117] + "..."


def deed(parts: list[base.Surprise], hits: list[rules_base.RuleHit]) -> str:
    """Return what an identity did, fit to stand behind its name or "which then"; at most 120 characters."""
    where, what = _seen(parts)
    if hits:
        best = max(hits, key=lambda hit: hit.card.severity.rank)
        text = f'was seen at "{best.card.title}"'
    elif where:
        text = f"was used {where}{f' for something new: {what}' if what else ''}"
    else:
        text = f"did something new: {what}" if what else "behaved unlike itself"
    return text if len(text) <= 120 else text[:117] + "..."


def _seen(parts: list[base.Surprise]) -> tuple[str, str]:
    """Tell what was strange about where from, and what was done that was new, among the strongest surprises."""
    strongest = {part.feature for part in parts[:4]}
    where = "with other software" if "agent" in strongest else ""
    if strongest & {"network", "zone", "credential"}:
        where = "from elsewhere"
    deeds = {"action", "scope", "object", "outcome", "namespace"}
    return where, next((part.observed for part in parts[:4] if part.feature in deeds), "")
