"""Stage 4b, the bank: one set of models per home namespace, the cluster-wide ones, and their memory.

``FeatureVector`` and credential use in, `Surprise` parts out. Scoring changes nothing; `learn` is called by the
pipeline for what was not flagged. Owns all model state: creates it on first use, drops the namespace used longest ago
beyond the limit.
"""

from __future__ import annotations

from typing import Any

from riverwatch import errors
from riverwatch.features import catalog, vector
from riverwatch.models import base, credential, levels, novelty, versions

MAX_NAMESPACES = 2_000
"""Namespaces with models of their own; twice the largest load in the benchmark."""

MAX_IDENTITIES = 20_000
"""Identities over all namespaces; twice the largest load in the benchmark."""

NEWS = frozenset({"rule", "action"})
"""Attributes by which rules are told from habits."""

MODEL_VERSION = "novelty-5+credential-3"
"""Changes whenever stored state or scores stop being comparable; stands in every detection and checkpoint."""


class Bank:
    """All model state of one cluster."""

    def __init__(self) -> None:
        width = len(catalog.NAMES)
        self.cluster = levels.Level(width)
        self.credentials = credential.Credential()
        self.versions = versions.Versions(MODEL_VERSION)
        self._homes: dict[str, novelty.Novelty] = {}
        self.records = 0
        """Records learned."""

    @property
    def homes(self) -> dict[str, novelty.Novelty]:
        """Novelty model per home namespace; the empty name holds people, nodes and the control plane."""
        return self._homes

    def home(self, namespace: str) -> novelty.Novelty:
        """Return the models of a namespace, new ones when it has none."""
        model = self._homes.get(namespace)
        if model is None:
            if len(self._homes) >= MAX_NAMESPACES:
                del self._homes[min(self._homes, key=lambda name: self._homes[name].records)]
            model = self._homes[namespace] = novelty.Novelty(catalog.NAMES, self.cluster, MAX_IDENTITIES)
        return model

    def opinion(self, measured: vector.FeatureVector, use: credential.Use | None) -> list[base.Surprise]:
        """Return what is new about one activity, most surprising first; changes nothing."""
        home = self._homes.get(measured.home)
        parts = (home or novelty.Novelty(catalog.NAMES, self.cluster)).opinion(
            measured.identity, measured.siblings, measured.values, time_s=measured.time_s, amount=measured.amount
        )
        if home is None:
            # To models that know nothing all is new and nothing surprising; that this is no habit yet has to be told.
            parts = [part for part in parts if part.feature in NEWS]
        if use is not None:
            moved = self.credentials.opinion(use)
            if moved is not None:
                parts.append(moved)
        parts.sort(key=lambda part: -part.nats)
        return parts

    def shadow_opinion(self, measured: vector.FeatureVector) -> list[base.Surprise]:
        """Return what is new about one activity to the shadow of its namespace; changes nothing."""
        beside = self.versions.shadows.get(measured.home)
        if beside is None:
            return []
        return beside.model.opinion(
            measured.identity, measured.siblings, measured.values, time_s=measured.time_s, amount=measured.amount
        )

    def shadow_learn(self, measured: vector.FeatureVector) -> None:
        """Have the shadow of a namespace learn one activity."""
        beside = self.versions.shadows.get(measured.home)
        if beside is not None:
            _learn(beside.model, measured)

    def choose(self, namespace: str, version: str, *, now_s: float) -> bool:
        """Have another version judge a namespace; return False when there is none of that name."""
        return self.versions.choose(namespace, version, self._homes, now_s=now_s)

    def opens_burst(self, measured: vector.FeatureVector) -> bool:
        """Tell whether a record would open a burst of its identity; the others teach only by what is new in them."""
        home = self._homes.get(measured.home)
        habit = home.habit(measured.identity) if home else None
        return habit is None or measured.time_s >= habit.next_s

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "attributes": list(catalog.NAMES),
            "cluster": self.cluster.dump(),
            "credentials": self.credentials.dump(),
            "homes": {namespace: home.dump() for namespace, home in self._homes.items()},
            "versions": self.versions.dump(),
            "records": self.records,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned.

        Raises
        ------
        StateError
            When it was stored with other attributes.
        """
        if data["attributes"] != list(catalog.NAMES):
            raise errors.StateError(f"models were stored with the attributes {data['attributes']}")
        self.cluster = levels.Level.load(data["cluster"])
        self.credentials.load(data["credentials"])
        self._homes = {}
        for namespace, stored in data["homes"].items():
            home = novelty.Novelty(catalog.NAMES, self.cluster, MAX_IDENTITIES)
            home.load(stored)
            self._homes[namespace] = home
        self.versions = versions.Versions(MODEL_VERSION)
        self.versions.load(data["versions"], self.cluster)
        self.records = data["records"]

    def learn(self, measured: vector.FeatureVector, use: credential.Use | None) -> tuple[novelty.Novelty, levels.Habit]:
        """Learn one activity that was not flagged; return the model and the habit that took it."""
        self.records += 1
        home = self.home(measured.home)
        habit = _learn(home, measured)
        if use is not None:
            self.credentials.learn(use)
        return home, habit


def _learn(model: novelty.Novelty, measured: vector.FeatureVector) -> levels.Habit:
    return model.learn(
        measured.identity, measured.siblings, measured.values, time_s=measured.time_s, explained=measured.explained
    )
