"""Stage 5d helper: one surprise -> sentences: what was seen, against what, how often, and what would have been normal.

Every number in a sentence is one that the model counted. Sentences begin with "It", the identity. Pure; called by
`scoring.explain`.
"""

from __future__ import annotations

import msgspec

from riverwatch.models import base

CLUSTER_WIDE = "cluster-wide"
"""What stands for the namespace of objects that have none (`features.vector`)."""

HOUR_S = 3_600.0
"""Seconds."""

DAY_S = 86_400.0
"""Seconds."""

TOLD_NATS = 1.0
"""Surprise from which on the model tells what was usual (`novelty.LEAST_TOLD_NATS`); below it, nothing usual means only
that nobody asked."""


class Wording(msgspec.Struct, frozen=True):
    """How people speak about one attribute."""

    first: str
    """What happened; ``{value}`` stands for what was seen."""
    usual: str
    """Stands before the usual values."""
    never: str
    """What is said when the identity showed no value of the kind before."""
    plural: str
    """Further ones."""
    swap: str
    """What would have been ordinary; ``{value}`` and ``{usual}`` stand for what was seen and what is usual."""
    alone: bool = False
    """Whether other identities say nothing about it."""


WORDINGS = {
    "action": Wording("did {value}", "it did", "it had done nothing at all", "actions", "without {value}"),
    "outcome": Wording(
        "was refused ({value})",
        "it was refused with",
        "it had never been refused",
        "refusals",
        "without the refusal {value}",
    ),
    "rule": Wording(
        "was hit by the rule {value}",
        "it was hit by",
        "no rule had hit it",
        "rules",
        "without the rule {value}",
        alone=True,
    ),
    "namespace": Wording(
        "touched the namespace {value}",
        "it touched",
        "it had touched no namespace",
        "namespaces",
        "without touching the namespace {value}",
    ),
    "scope": Wording("did {value}", "it did", "it had done nothing at all", "actions", "without {value}"),
    "object": Wording(
        "touched {value}",
        "of what is followed by name it touched",
        "it had touched nothing that is followed by name",
        "objects",
        "without touching {value}",
    ),
    "network": Wording(
        "was used from {value}",
        "it was used from",
        "it had been used from nowhere",
        "networks",
        "from {usual}, not {value}",
    ),
    "zone": Wording(
        "was used from {value}",
        "it was used from",
        "it had been used from nowhere",
        "kinds of address",
        "from {usual}, not {value}",
    ),
    "agent": Wording(
        "was used with the client {value}",
        "it was used with",
        "it had been used with no client",
        "clients",
        "with {usual}, not {value}",
    ),
    "image": Wording(
        "brought an image from {value}",
        "it brought images from",
        "it had brought no images",
        "image sources",
        "with an image from {usual}, not {value}",
    ),
    "hour": Wording(
        "was active in the hour {value} (UTC)",
        "it was active in",
        "it had never been active",
        "hours",
        "at an hour such as {usual}, not {value}",
        alone=True,
    ),
    "volume": Wording(
        "came to {value}",
        "it had come to",
        "it had never reached an amount that is counted",
        "amounts",
        "with less than {value}",
        alone=True,
    ),
}
"""By attribute of `features.catalog`."""

_OTHER = Wording("showed {value}", "it showed", "it had shown nothing of the kind", "values", "without {value}")


def of(feature: str) -> Wording:
    """Return the words for an attribute."""
    return WORDINGS.get(feature, _OTHER)


def span(seconds: float) -> str:
    """Write a length of time as people say it.

    Examples
    --------
    >>> span(90), span(30), span(7200), span(1.3e6)
    ('2 minutes', '1 minute', '2 hours', '15 days')
    """
    if seconds < 2 * HOUR_S:
        minutes = max(1, round(seconds / 60))
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{round(seconds / HOUR_S)} hours" if seconds < 2 * DAY_S else f"{round(seconds / DAY_S)} days"


def value(feature: str, text: str) -> str:
    """Quote a value, unless its words are ours."""
    if feature in {"hour", "volume", "zone"} or text in {"its own pods", CLUSTER_WIDE}:
        return text
    if feature == "rule":
        return " and ".join(f"'{rule}'" for rule in text.split("+"))
    if feature in {"action", "scope"}:
        whom, colon, done = text.partition(": ")
        text, whom = (done, f" {whom}") if colon and whom.startswith("as ") else (text, "")
        return f"'{text.replace(f' in {CLUSTER_WIDE}', f' {CLUSTER_WIDE}')}'{whom}"
    return f"'{text}'"


def sentence(part: base.Surprise, *, home: str) -> str:
    """Return the sentences about one surprise.

    Parameters
    ----------
    part
        The surprise.
    home
        Words for the group of the identity, for example ``in its namespace``.
    """
    if part.feature == "credential":
        return _credential(part)
    words = of(part.feature)
    if (part.feature, part.observed) == ("namespace", CLUSTER_WIDE):
        words = msgspec.structs.replace(words, first="acted {value}")
    text = f"It {words.first.format(value=value(part.feature, part.observed))} for the first time"
    usual = _usual(part)
    if usual:
        counted = "" if part.feature == "volume" else f" ({part.bursts} sample{'' if part.bursts == 1 else 's'})"
        text += f": in {span(part.age_s)}{counted} {words.usual} {usual}"
    elif part.nats >= TOLD_NATS:
        text += f": in {span(part.age_s)} {words.never}" if part.age_s > 0.0 else ": nothing was known about it before"
    return f"{text}.{'' if words.alone else _others(part, home)}"


def _usual(part: base.Surprise) -> str:
    if part.bursts <= 0:
        return ""
    if part.feature == "volume":
        return ", ".join(text for text, _ in part.usual)
    return ", ".join(f"{value(part.feature, text)} ({_share(count / part.bursts)})" for text, count in part.usual)


def _share(share: float) -> str:
    return "under 1%" if share < 0.01 else f"{min(share, 1.0):.0%}"


def _credential(part: base.Surprise) -> str:
    usual = " or ".join(address for address, _ in part.usual)
    text = part.observed.replace(" with the ", " used the ", 1)
    if usual:
        text += f"; its own place is {usual}"
    if "ended owner" in part.unseen_in:
        text += "; its owner had already ended"
    return f"{text}. Such a credential belongs in one place; a second one means that it was copied."


def _others(part: base.Surprise, home: str) -> str:
    """Say who else showed it, the widest group that did not first."""
    kin = f"none of its {part.siblings - 1} siblings" if "siblings" in part.unseen_in and part.siblings > 1 else ""
    if "cluster" in part.unseen_in:
        wide = "nobody else in the cluster"
    elif "namespace" in part.unseen_in:
        wide = f"nobody else {home}"
    else:
        return (
            f" {kin[0].upper()}{kin[1:]} ever showed this; others {home} did so before."
            if kin
            else f" Others {home} did so before."
        )
    said = f"{kin} and {wide}" if kin else wide
    elsewhere = "" if "cluster" in part.unseen_in else ", though others in the cluster did"
    return f" {said[0].upper()}{said[1:]} ever showed this{elsewhere}."


def swap(part: base.Surprise) -> str:
    """Say what would have been ordinary in place of a surprise."""
    usual = part.usual[0][0] if part.usual else ""
    if part.feature == "credential":
        seen = part.observed.partition(" ")[0]
        return f"from {usual}, not {seen}" if usual else f"not from {seen}"
    words = of(part.feature)
    seen = value(part.feature, part.observed)
    if "{usual}" in words.swap and not usual:
        return f"not {words.first.format(value=seen).removeprefix('was used ')}"
    return words.swap.format(value=seen, usual=value(part.feature, usual))
