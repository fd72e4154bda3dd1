"""Stage 5 helper: how much a record weighs under its circumstances, who acts, on what and how.

A novelty is a chance; whether it is an attack depends on more than how rare it is. Service accounts do the same all
their life, people do not; making something new is what work consists of, reading what one never read is not. Each
circumstance multiplies the evidence of its record, in nats; what the case holds that is strange, an hour or a place,
counts for every further record of it. The weights are a logistic regression of "is an attack" on the logarithm of the
evidence of cases and the circumstances of their records, over sixteen recordings of fourteen clusters kept for tuning,
checked on each with weights from the others (`docs/concepts/models-measured.md`); shrunk and rounded. They say what
kind of identity it is, never which. Pure; called by `scoring.cases`.
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

_SCRIPTED = ("kubectl", "oc/", "curl", "wget", "helm", "python", "go-http-client", "openapi-generator")
_CHANGES = derived_facts.WRITE_VERBS | derived_facts.DELETE_VERBS

ALONE = 0.6
"""Weight of a person's case in which nothing is new but where and when it was: people work from home, and late."""

_ELSE = frozenset(
    {"action", "scope", "object", "namespace", "rule", "outcome", "image", "volume", "credential", "zone"}
)
"""Attributes that say more than where and when: what was done, to what, how much, or that it came from outside."""

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
        return identities.is_person(self.activity.principal)

    @property
    def read(self) -> bool:
        """Whether something was read; what was refused or does not exist was not."""
        activity = self.activity
        return activity.verb in derived_facts.READ_VERBS and not self.way_in and not activity.failed

    @property
    def made(self) -> bool:
        """Whether an object was made; many subresources are used by the same verb."""
        return self.activity.verb == "create" and not self.activity.subresource

    @property
    def moved(self) -> bool:
        """Whether a program calls from another private network, and its credential is where it belongs."""
        strange = not self.person and self.new("network")
        return strange and not self.new("credential") and not self.new("zone")

    @property
    def scripted(self) -> bool:
        """Whether the client is a tool for people or a library for anything, and does not say which program calls."""
        return self.activity.user_agent.lower().startswith(_SCRIPTED)

    @property
    def way_in(self) -> bool:
        """Whether a running workload was entered."""
        return self.activity.subresource in sensitivity.WAYS_IN

    @property
    def logs(self) -> bool:
        """Whether the logs of a workload were read."""
        return self.activity.subresource == "log"

    @property
    def inside(self) -> bool:
        """Whether a running workload was entered or its logs were read, of which much is what gathers data."""
        return self.way_in or self.logs

    @property
    def listed_wide(self) -> bool:
        """Whether all objects of a kind were listed, in no or in every namespace."""
        return self.activity.verb == "list" and self.activity.namespace == "" and self.activity.resource != ""

    @property
    def asked(self) -> bool:
        """Whether an identity asked what it may do itself (authorization.k8s.io, ``selfsubject...reviews``)."""
        return self.activity.resource.startswith("selfsubject")

    @property
    def kept(self) -> bool:
        """Whether a Secret was written or deleted."""
        return self.activity.resource == "secrets" and self.activity.verb in _CHANGES

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
    Circumstance("a program read other things or more than ever", 1.5, lambda at: at.software and at.read),
    Circumstance("a program touched an object it never did", 1.25, lambda at: at.software and at.new("object")),
    Circumstance("a program called with a tool or a script", 1.35, lambda at: at.software and at.scripted),
    Circumstance("a program asked what it may do", 1.5, lambda at: at.software and at.asked),
    Circumstance("programs list whole kinds", 0.8, lambda at: at.software and at.listed_wide),
    Circumstance("programs work in their own namespace", 0.8, lambda at: at.software and at.activity.in_own_namespace),
    Circumstance("programs keep Secrets", 0.65, lambda at: at.software and at.kept),
    Circumstance("programs do much at times", 0.6, lambda at: not at.person and at.much),
    Circumstance("its name ends like those the program usually touches", 0.5, lambda at: at.software and at.alike),
    Circumstance("programs move to other nodes", 0.5, lambda at: at.moved),
    Circumstance("programs do not change their clients", 1.25, lambda at: not at.person and at.new("agent")),
    Circumstance("people change their clients", 0.5, lambda at: at.person and at.new("agent")),
    Circumstance("a person was elsewhere than usual", 1.6, lambda at: at.person and at.new("network")),
    Circumstance(
        "it was another client and another place", 1.5, lambda at: at.person and at.new("agent") and at.new("network")
    ),
    Circumstance("a person read logs", 1.8, lambda at: at.person and at.logs),
    Circumstance("people do much at times", 0.75, lambda at: at.person and at.much and not at.inside),
    Circumstance("people are refused at times", 0.8, lambda at: at.person and at.activity.refused),
    Circumstance("people look after software so", 0.7, lambda at: at.person and at.way_in and not at.much),
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
    whole: float = 1.0
    """By how much the case as it is now is multiplied, its earlier records included."""


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
    force = min(1.0, age_s / KNOWN_S)
    weight = max(USUAL * math.prod(one.weight for one in held), LEAST_WEIGHT) ** force
    told = sorted((one for one in held if (one.weight > 1.0) is (weight > 1.0)), key=lambda one: -abs(one.weight - 1.0))
    alone = scene.person and not any(scene.new(attribute) for attribute in _ELSE)
    return Weight(weight, tuple(one.words for one in told), ALONE**force if alone else 1.0)


def _is_alike(part: base.Surprise) -> bool:
    """Tell whether a new object is named like at least two usual ones of its kind: ``web-tls`` beside ``shop-tls``."""
    kind = part.observed.partition(" ")[0]
    endings = [_ending(name) for name, _ in part.usual if name.partition(" ")[0] == kind]
    return len(endings) >= LEAST_ALIKE and {*endings} == {_ending(part.observed)}


def _ending(name: str) -> str:
    return name.rpartition("/")[2].rpartition("-")[2]
