"""Stage 5 helper: how much a record weighs under its circumstances, who acts, on what and how.

A novelty is a chance; whether it is an attack depends on more than how rare it is. Service accounts do the same all
their life, people do not; making something new is what work consists of, reading what one never read is not. Each
circumstance multiplies the evidence of its record, in nats; what the case holds that is strange, an hour or a place,
counts for every further record of it. The weights are a logistic regression of "is an attack" on the logarithm of the
evidence of cases and their circumstances, over fourteen recordings of ten clusters kept for tuning, checked on each
with weights from the others (`docs/concepts/models-measured.md`); rounded. They say what kind of identity it is, never
which. Pure; called by `scoring.cases`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from riverwatch import vocabulary
from riverwatch.activity import derived_facts, identities, record
from riverwatch.models import base
from riverwatch.rules import base as rules_base
from riverwatch.scoring import damping, sensitivity

STRANGE_NATS = 1.0
"""Novelty of a place, a client or an hour above which it is a circumstance of its case: a chance below 1 in 3."""

USUAL = 0.9
"""Weight of a record about which nothing of the table holds: it keeps the scale on which `budget.FLOOR_NATS` and the
prior of `calibrate` were measured."""

LEAST_WEIGHT = 0.2
"""Least that all circumstances together may leave of the evidence."""

KNOWN_S = 86_400.0
"""Seconds of record time after which the weights hold in full; at first nobody knows what is seldom here, and they hold
by the share of it that has passed, as a power."""

LEAST_ALIKE = 2
"""Usual names that must end alike before an ending says anything."""


class Scene(NamedTuple):
    """One record, and what is strange about the case so far."""

    activity: record.Activity
    strange: Mapping[str, float]
    """Attribute -> largest novelty that the case holds of it, nats."""
    much: bool
    """Whether this record reached an amount that is strange by itself."""
    young: bool
    """Whether the namespace or the object is so new that nobody has a habit about it."""
    alike: bool
    """Whether the name of what was touched for the first time ends like those that the identity usually touches."""
    rule: bool
    """Whether a rule of severity Medium hits."""

    @property
    def software(self) -> bool:
        """Whether a program acts that is no part of the control plane."""
        return identities.is_software(self.activity.principal)

    @property
    def person(self) -> bool:
        """Whether a person acts, or an account that people share."""
        principal = self.activity.principal
        named = principal.kind is identities.PrincipalKind.USER and not principal.username.startswith("system:")
        return named and not self.software and not identities.is_managed(principal)

    @property
    def read(self) -> bool:
        """Whether something was read; what was refused or does not exist was not."""
        activity = self.activity
        return (
            activity.verb in derived_facts.READ_VERBS
            and activity.subresource not in sensitivity.WAYS_IN
            and not activity.failed
        )

    @property
    def made(self) -> bool:
        """Whether an object was made; many subresources are used by the same verb."""
        return self.activity.verb == "create" and not self.activity.subresource

    @property
    def moved(self) -> bool:
        """Whether a program calls from another private network, and its credential is where it belongs."""
        strange = not self.person and self.new("network")
        return strange and not self.new("credential") and not self.new("zone")

    def new(self, attribute: str) -> bool:
        """Tell whether an attribute is strange in this case."""
        return self.strange.get(attribute, 0.0) > STRANGE_NATS


class Circumstance(NamedTuple):
    """One row of the table."""

    words: str
    """What is the case, for people."""
    weight: float
    holds: Callable[[Scene], bool]


TABLE = (
    Circumstance("programs seldom do anything new", 1.4, lambda at: at.software),
    Circumstance("a program read other things or more than ever", 1.85, lambda at: at.software and at.read),
    Circumstance("programs do much at times", 0.6, lambda at: not at.person and at.much),
    Circumstance("its name ends like those the program usually touches", 0.5, lambda at: at.software and at.alike),
    Circumstance("programs move to other nodes", 0.5, lambda at: at.moved),
    Circumstance("programs do not change their clients", 1.45, lambda at: not at.person and at.new("agent")),
    Circumstance("people change their clients", 0.5, lambda at: at.person and at.new("agent")),
    Circumstance("a person was elsewhere than usual", 1.6, lambda at: at.person and at.new("network")),
    Circumstance("a person read logs", 1.6, lambda at: at.person and at.activity.subresource == "log"),
    Circumstance(
        "people look after software so", 0.7, lambda at: at.person and at.activity.subresource in sensitivity.WAYS_IN
    ),
    Circumstance("a token was asked for", 1.4, lambda at: at.activity.subresource == "token"),
    Circumstance("something was made, as every day", 0.6, lambda at: at.made),
    Circumstance("what was asked for does not exist", 0.7, lambda at: at.activity.code == damping.NOT_FOUND),
    Circumstance("it is about something that is new itself", 0.65, lambda at: at.young),
    Circumstance("a rule hit", 1.8, lambda at: at.rule),
    Circumstance("it was an unusual hour", 1.5, lambda at: at.new("hour")),
)
"""What was found to tell attacks from ordinary novelty, and by how much it multiplies the evidence."""


class Weight(NamedTuple):
    """What its circumstances make of one record."""

    factor: float
    because: tuple[str, ...] = ()
    """The circumstances that make it more, or less, in the words of the table, the weightiest first."""


NONE = Weight(1.0)
"""Nothing is known that would make a record more or less than it is."""


def weigh(
    activity: record.Activity,
    strange: Mapping[str, float],
    parts: Sequence[base.Surprise],
    hits: Sequence[rules_base.RuleHit],
    *,
    age_s: float,
) -> Weight:
    """Return the weight of one record's evidence under its circumstances.

    Parameters
    ----------
    activity
        The record's activity.
    strange
        Attribute -> largest novelty that the case holds of it, nats, this record's included.
    parts
        What was new in this record, damped.
    hits
        Rules that hit it and may raise.
    age_s
        Seconds of record time since the first record.
    """
    scene = Scene(
        activity,
        strange,
        much=any(part.feature == "volume" and part.nats > STRANGE_NATS for part in parts),
        young=any(part.damped in damping.NEW for part in parts),
        alike=any(_is_alike(part) for part in parts if part.feature == "object"),
        rule=any(hit.card.severity is vocabulary.Severity.MEDIUM for hit in hits),
    )
    held = [one for one in TABLE if one.holds(scene)]
    weight = max(USUAL * math.prod(one.weight for one in held), LEAST_WEIGHT) ** min(1.0, age_s / KNOWN_S)
    told = sorted((one for one in held if (one.weight > 1.0) is (weight > 1.0)), key=lambda one: -abs(one.weight - 1.0))
    return Weight(weight, tuple(one.words for one in told))


def _is_alike(part: base.Surprise) -> bool:
    """Tell whether a new object is named like at least two usual ones of its kind: ``web-tls`` beside ``shop-tls``."""
    kind = part.observed.partition(" ")[0]
    endings = [_ending(name) for name, _ in part.usual if name.partition(" ")[0] == kind]
    return len(endings) >= LEAST_ALIKE and {*endings} == {_ending(part.observed)}


def _ending(name: str) -> str:
    return name.rpartition("/")[2].rpartition("-")[2]
