"""Stage 5d, explain: a case -> reasons, a counterfactual and a title, in words that need no statistics.

Each reason says what was seen, against what it was compared, and how rare that is. Pure; called by `detections.fold`
when a detection opens or grows.
"""

from __future__ import annotations

from collections.abc import Sequence

from riverwatch import vocabulary
from riverwatch.features import catalog
from riverwatch.models import base
from riverwatch.rules import base as rules_base
from riverwatch.scoring import argument

MAX_REASONS = 8
"""Reasons kept in one explanation; the rest is counted in evidence."""

MAX_RULES = 3
"""Rules told one by one in an explanation; the others are counted."""

HOUR_S = 3_600.0
"""Seconds."""

DAY_S = 86_400.0
"""Seconds."""

_FREQUENCY_BY_REACH = {
    "cluster": vocabulary.Frequency.UNSEEN,
    "namespace": vocabulary.Frequency.RARE,
    "siblings": vocabulary.Frequency.RARE,
}

_GROUP_WORDS = {
    "siblings": "none of its {siblings} sibling identities",
    "namespace": "nobody else from its namespace",
    "cluster": "nobody else in the cluster",
}


def span(seconds: float) -> str:
    """Write a length of time as people say it.

    Examples
    --------
    >>> span(90), span(7200), span(1.3e6)
    ('2 minutes', '2 hours', '15 days')
    """
    if seconds < 2 * HOUR_S:
        return f"{max(1, round(seconds / 60))} minutes"
    return f"{round(seconds / HOUR_S)} hours" if seconds < 2 * DAY_S else f"{round(seconds / DAY_S)} days"


def frequency(part: base.Surprise) -> vocabulary.Frequency:
    """Return the frequency class of an observation: how far around the identity nobody showed it."""
    for group in ("cluster", "namespace", "siblings"):
        if group in part.unseen_in:
            return _FREQUENCY_BY_REACH[group]
    return vocabulary.Frequency.INFREQUENT


def reasons(
    parts: list[base.Surprise], hits: list[rules_base.RuleHit], *, share_of_rules: float
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
    """
    told = _rule_reasons(hits, share_of_rules)
    strongest = by_feature(parts)
    if hits:
        strongest.pop("rule", None)
    total = sum(part.nats for listed in strongest.values() for part in listed) or 1.0
    for listed in strongest.values():
        share = (1.0 - share_of_rules) * sum(part.nats for part in listed) / total
        told.append(_reason(listed[0], share, more=len(listed) - 1))
    told.sort(key=lambda reason: -reason.contribution)
    return told[:MAX_REASONS]


def _rule_reasons(hits: Sequence[rules_base.RuleHit], share: float) -> list[argument.Reason]:
    """Tell the most severe rules; they overlap, so they share one part of the evidence."""
    told: list[argument.Reason] = []
    for place, hit in enumerate(hits[:MAX_RULES]):
        matched = "; ".join(f"{name}={value}" for name, value in hit.matched) or hit.summary
        others = len(hits) - MAX_RULES
        more = f" {others} more rules hit." if place == MAX_RULES - 1 and others > 0 else ""
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


def _reason(part: base.Surprise, contribution: float, *, more: int) -> argument.Reason:
    expected = ", ".join(value for value, _ in part.usual) or "nothing of the kind"
    return argument.Reason(
        feature=part.feature,
        observed=part.observed,
        expected=expected,
        frequency=frequency(part),
        contribution=round(contribution, 3),
        text=sentence(part)
        + (f" It counts less, because {part.damped}." if part.damped else "")
        + (f" So were {more} more." if more > 1 else " So was one more." if more else ""),
    )


def sentence(part: base.Surprise) -> str:
    """Return one sentence about a surprise: what, against what, how often, and what was usual."""
    if part.feature == "credential":
        return _credential_sentence(part)
    wording = _wording(part.feature)
    start = f"{wording[0].upper()}{wording[1:]} {part.observed!r} is new"
    if not part.usual:
        return f"{start}: this identity never showed {wording} before{_others(part)}."
    usual = ", ".join(f"{value!r} ({count}x)" for value, count in part.usual)
    return f"{start}: in {span(part.age_s)} and {part.bursts} bursts of activity it was {usual}{_others(part)}."


def _wording(feature: str) -> str:
    return next((card.wording for card in catalog.ATTRIBUTES if card.name == feature), feature)


def _credential_sentence(part: base.Surprise) -> str:
    usual = ", ".join(value for value, _ in part.usual)
    text = f"One and the same credential was used from {part.observed}"
    if usual:
        text += f", and it belongs to {usual}"
    if "ended owner" in part.unseen_in:
        text += "; its owner had already ended"
    return text + ". A bound credential has one place; two places mean that it was copied."


def _others(part: base.Surprise) -> str:
    # What nobody in the cluster showed, nobody in the namespace did: the widest group says it all.
    widest = [name for name in ("cluster", "namespace") if name in part.unseen_in][:1]
    kin = ["siblings"] if "siblings" in part.unseen_in and part.siblings > 1 else []
    groups = [_GROUP_WORDS[name].format(siblings=part.siblings - 1) for name in kin + widest]
    return f"; {' and '.join(groups)} ever showed it" if groups else ""


def counterfactual(parts: list[base.Surprise], *, nats: float, threshold: float, by_rule: bool) -> str:
    """Say the smallest change that would have stayed below the threshold.

    Takes away surprises, strongest first, until what is left is ordinary; each is replaced by what was usual.
    """
    if by_rule and not parts:
        return "None: the rule holds whatever the habits are; an exception with a reason would silence it."
    left, swaps = nats, []
    for feature, listed in by_feature(parts).items():
        if left < threshold:
            break
        left -= sum(part.nats for part in listed)
        usual = repr(listed[0].usual[0][0]) if listed[0].usual else "nothing"
        swaps.append(f"{_wording(feature)} {usual} instead of {listed[0].observed!r}")
    if not swaps:
        return "The case was weak; any one of these fewer would have been ordinary."
    text = "It would have been ordinary with " + " and ".join(swaps[:3]) + "."
    return text + (" The rule would have hit all the same." if by_rule else "")


def title(actor: str, parts: list[base.Surprise], hits: list[rules_base.RuleHit]) -> str:
    """Return one line that says who and what, at most 120 characters."""
    if hits:
        best = max(hits, key=lambda hit: hit.card.severity.rank)
        text = f"{best.card.title} by {actor}"
    else:
        where, what = _seen(parts)
        if where and what:
            text = f"Credential of {actor} used from elsewhere for something new"
        elif where:
            text = f"Credential of {actor} used from elsewhere"
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
        text = f"was used from elsewhere{f' for something new: {what}' if what else ''}"
    else:
        text = f"did something new: {what}" if what else "behaved unlike itself"
    return text if len(text) <= 120 else text[:117] + "..."


def _seen(parts: list[base.Surprise]) -> tuple[bool, str]:
    """Tell whether the place was strange, and what was done that was new, among the strongest surprises."""
    where = any(part.feature in {"network", "agent", "credential"} for part in parts[:4])
    deeds = {"action", "scope", "object", "outcome", "namespace"}
    return where, next((part.observed for part in parts[:4] if part.feature in deeds), "")
