"""Stage 4b, the novelty model: how surprising it is that *this* identity shows *this* value for the first time.

The chance that an identity shows a new value is estimated from how often it did so before, the Good-Turing idea: with
``fresh`` bursts that brought something new among ``trials`` bursts,

    P(new for the identity) = (1 + fresh) / (1 + trials)

(Good 1953, "The population frequencies of species"; both counts decay, see `levels`). A value new to the identity may
be known to its siblings, its namespace or the cluster; each group that does not know it either multiplies in its own
chance that an adopted value is a first. The surprise of a record is the sum of -ln P over attributes. A deployer that
does new things daily is not surprising; a controller that never did, is.

One estimator per home namespace; the cluster's `levels.Level` is shared and owned by `models.bank`.
"""

from __future__ import annotations

import heapq
import math
import operator
import sys
from collections.abc import Hashable, Mapping
from typing import Any

from river import base as river_base

from riverwatch.features import amounts, hours
from riverwatch.models import base, levels

CARD = base.ModelCard(
    name="novelty",
    summary="First-time behaviour of an identity, weighed by how often it and its groups show new behaviour.",
    inputs=(
        "action",
        "outcome",
        "rule",
        "namespace",
        "scope",
        "object",
        "network",
        "zone",
        "agent",
        "image",
        "hour",
        "volume",
    ),
    warm_up="by itself: an identity without history has a chance of novelty near 1, so nothing it does is surprising",
    memory="at most 512 values per attribute and identity; measured in the benchmark",
    blind_spots=(
        "An attacker who does only what the identity does, from where it does it, when it does it.",
        "Identities younger than a few bursts of activity.",
    ),
)

LEAST_TOLD_NATS = 1.0
"""Records with less surprise than this are judged but never told, so their explanation is not gathered."""

OWN_ONLY = frozenset({"hour", "volume", "rule"})
"""Attributes in which groups say nothing: a first hour or amount in the cluster mostly tells how young the stream is,
and a first rule hit how rare the rule is."""

USUAL_VALUES = 3
"""Most frequent values told in an explanation."""

MANY_VALUES = 64
"""Values from which picking the most frequent is faster than sorting (measured); the outcome is the same."""

_NO_PLACES: frozenset[int] = frozenset()

_BURSTS = operator.itemgetter(1)


class Novelty(river_base.AnomalyDetector):
    """Novelty of all identities of one home namespace.

    Parameters
    ----------
    attributes
        Names of the attributes, in the order of the vectors.
    cluster
        Level shared by all namespaces; None makes one of its own (for use alone, as in tests and benchmarks).
    max_identities
        At least 1. Identities kept; the one seen longest ago is forgotten first.

    Examples
    --------
    >>> model = Novelty(("action", "network"))
    >>> for second in range(50):
    ...     model.learn_one({"identity": "web", "time_s": second * 60.0, "action": "get pods", "network": "10.0.0.0"})
    >>> usual = {"identity": "web", "time_s": 3600.0, "action": "get pods", "network": "10.0.0.0"}
    >>> stolen = usual | {"network": "198.51.100.0", "action": "list secrets"}
    >>> model.score_one(usual), round(model.score_one(stolen), 2)
    (0.0, 0.54)
    """

    def __init__(
        self,
        attributes: tuple[str, ...] = CARD.inputs,
        cluster: levels.Level | None = None,
        max_identities: int = 20_000,
    ) -> None:
        self.attributes = attributes
        self.cluster = cluster
        self.max_identities = max_identities
        width = len(attributes)
        self._cluster = levels.Level(width) if cluster is None else cluster
        self._home = levels.Level(width)
        self._siblings: dict[str, levels.Level] = {}
        self._members: dict[str, set[str]] = {}
        self._habits: dict[str, levels.Habit] = {}
        self.records = 0
        """Records learned."""
        self.teaches_cluster = True
        """Whether what it learns counts for the cluster, too; of several versions one does."""

    # ---- River's interface: dictionaries
    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Return how strange the record is, 0..1; 0 when every value is known."""
        values = tuple(str(x.get(name) or "") for name in self.attributes)
        return base.to_score(self.nats(str(x.get("identity", "")), str(x.get("siblings", "")), values))

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn the values of one record."""
        values = tuple(str(x.get(name) or "") for name in self.attributes)
        time_s = x.get("time_s", 0.0)
        self.learn(
            str(x.get("identity", "")),
            str(x.get("siblings", "")),
            values,
            time_s=float(time_s) if isinstance(time_s, int | float) else 0.0,
        )

    # ---- the same for the stream: tuples in fixed order
    def habit(self, identity: str) -> levels.Habit | None:
        """Return what is known about an identity, or None."""
        return self._habits.get(identity)

    @property
    def identities(self) -> int:
        """Number of identities known."""
        return len(self._habits)

    def nats(self, identity: str, siblings: str, values: tuple[str, ...]) -> float:
        """Return the surprise of a record in nats, 0 or more."""
        habit = self._habits.get(identity)
        groups = self._groups(siblings)
        return sum(
            _nats(habit, groups, place, value, own=self.attributes[place] in OWN_ONLY)[0]
            for place, value in enumerate(values)
            if value and (habit is None or value not in habit.attributes[place].values)
        )

    def opinion(
        self,
        identity: str,
        siblings: str,
        values: tuple[str, ...],
        *,
        time_s: float,
        amount: amounts.Amount | None = None,
    ) -> list[base.Surprise]:
        """Return one `Surprise` per attribute whose value is new to the identity.

        Parameters
        ----------
        identity, siblings
            User name, and key of the group that should behave alike.
        values
            One for each attribute; empty for none.
        time_s
            Record time.
        amount
            What is known about a value that is an amount; its chance comes from earlier windows, not from values.
        """
        habit = self._habits.get(identity)
        if habit is None:
            fresh = [(place, value) for place, value in enumerate(values) if value]
        else:
            known_values = zip(values, habit.attributes, strict=True)
            fresh = [
                (place, value) for place, (value, one) in enumerate(known_values) if value and value not in one.values
            ]
        if not fresh:
            return []
        groups = self._groups(siblings)
        weighed = []
        for place, value in fresh:
            feature = self.attributes[place]
            nats, unseen = _nats(habit, groups, place, value, own=feature in OWN_ONLY)
            if amount is not None and value == amount.text:
                nats = amount.nats
            elif feature == "hour" and habit is not None:
                nats = min(nats, hours.most_nats(habit.born_s, time_s))
            weighed.append((place, value, nats, unseen))
        # What is told about a surprise costs more than the surprise; weak records are never told.
        told = sum(nats for _, _, nats, _ in weighed) >= LEAST_TOLD_NATS
        members = len(self._members.get(siblings, ()))
        age_s = max(0.0, time_s - habit.born_s) if habit else 0.0
        parts: list[base.Surprise] = []
        for place, value, nats, unseen in weighed:
            known: Mapping[str, int] = habit.attributes[place].values if habit is not None and told else {}
            if amount is not None and value == amount.text:
                known = {amount.usual: 1} if amount.usual else {}
            parts.append(
                base.Surprise(
                    model=CARD.name,
                    feature=self.attributes[place],
                    observed=value,
                    nats=nats,
                    bursts=sum(known.values()),
                    age_s=age_s,
                    usual=_usual(known) if known else (),
                    unseen_in=unseen,
                    siblings=members,
                )
            )
        return parts

    def learn(
        self, identity: str, siblings: str, values: tuple[str, ...], *, time_s: float, explained: tuple[str, ...] = ()
    ) -> levels.Habit:
        """Learn one record; what is new to the identity is counted for its groups, too. Return its habit.

        Parameters
        ----------
        identity, siblings, values, time_s
            As in `opinion`.
        explained
            Names of the attributes in which something else explains what is new: it is learned, but does not make the
            identity one that shows new values.
        """
        habit = self._habits.get(identity)
        if habit is None:
            habit = self._remember(identity, siblings, time_s)
        self.records += 1
        places = frozenset(map(self.attributes.index, explained)) if explained else _NO_PLACES
        adopted = habit.learn(values, time_s, places)
        if adopted:
            for name, level in self._groups(siblings):
                if name == "cluster" and not self.teaches_cluster:
                    continue
                for place in adopted:
                    level.learn(place, values[place])
        return habit

    def forget(self, identity: str) -> None:
        """Forget an identity; what its groups learned from it stays."""
        self._habits.pop(identity, None)

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint; a shared cluster level is its owner's to store."""
        return {
            "attributes": list(self.attributes),
            "cluster": self._cluster.dump() if self.cluster is None else None,
            "home": self._home.dump(),
            "siblings": {key: level.dump() for key, level in self._siblings.items()},
            "members": {key: sorted(members) for key, members in self._members.items()},
            "habits": {identity: habit.dump() for identity, habit in self._habits.items()},
            "records": self.records,
        }

    def load(self, data: dict[str, object]) -> None:
        """Take over what `dump` returned, in the order in which identities were first seen."""
        stored: dict[str, Any] = data
        if self.cluster is None:
            self._cluster = levels.Level.load(stored["cluster"])
        self._home = levels.Level.load(stored["home"])
        self._siblings = {key: levels.Level.load(level) for key, level in stored["siblings"].items()}
        self._members = {key: {sys.intern(one) for one in members} for key, members in stored["members"].items()}
        self._habits = {sys.intern(one): levels.Habit.load(habit) for one, habit in stored["habits"].items()}
        self.records = stored["records"]

    def _remember(self, identity: str, siblings: str, time_s: float) -> levels.Habit:
        if len(self._habits) >= self.max_identities:
            self.forget(min(self._habits, key=lambda name: self._habits[name].last_s))
        habit = self._habits[identity] = levels.Habit(len(self.attributes), time_s)
        if siblings:
            self._siblings.setdefault(siblings, levels.Level(len(self.attributes)))
            self._members.setdefault(siblings, set()).add(identity)
        return habit

    def _groups(self, siblings: str) -> tuple[tuple[str, levels.Level], ...]:
        family = self._siblings.get(siblings)
        home = (("namespace", self._home), ("cluster", self._cluster))
        return home if family is None else (("siblings", family), *home)


def _usual(known: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    if len(known) > MANY_VALUES:
        return tuple(heapq.nlargest(USUAL_VALUES, known.items(), key=_BURSTS))
    return tuple(sorted(known.items(), key=_BURSTS, reverse=True)[:USUAL_VALUES])


def _nats(
    habit: levels.Habit | None, groups: tuple[tuple[str, levels.Level], ...], place: int, value: str, *, own: bool
) -> tuple[float, tuple[str, ...]]:
    """Return the surprise of a value that is new to the identity, and the groups that never showed it either."""
    nats = _identity_nats(habit, place)
    unseen = []
    for name, level in groups:
        if value not in level.values[place]:
            unseen.append(name)
            if own:
                continue
            nats -= math.log(level.chance_of_first(place))
    return nats, tuple(unseen)


def _identity_nats(habit: levels.Habit | None, place: int) -> float:
    if habit is None:
        return 0.0
    known = habit.attributes[place]
    # An attribute that most requests lack (a refusal, an amount) was absent in all other bursts: they are trials, too.
    trials = max(known.trials, habit.attributes[0].trials)
    return -math.log((1.0 + known.fresh) / (1.0 + trials))
