"""Stage 4b state: versions of a namespace's models, namely the one that judges, a younger one beside it, an older one.

When the life of a namespace has changed its shape (`models.drift`), a shadow relearns it from nothing: it learns all
that happens from then on and raises nothing. People promote it once it fits better, and may roll back. Owned by
`models.bank`; at most `MAX_SHADOWS` shadows and as many earlier versions, each for `KEEP_S`, the oldest dropped first.
"""

from __future__ import annotations

from typing import Any

import msgspec

from riverwatch import clock
from riverwatch.features import catalog
from riverwatch.models import levels, novelty

MAX_SHADOWS = 16
"""Namespaces that relearn at a time; each costs as much memory as its models."""

KEEP_S = 28 * 86_400.0
"""Seconds after which a shadow that nobody promoted is dropped, and an earlier version, too."""


class Version(msgspec.Struct):
    """Models of one namespace that do not judge."""

    name: str
    since_s: float
    """Record time since which it learns beside the others, or since which it no longer judges."""
    model: novelty.Novelty


class Versions:
    """All versions that do not judge, and the names of those that do.

    Parameters
    ----------
    first
        Name of the version with which every namespace begins.
    """

    def __init__(self, first: str) -> None:
        self.first = first
        self.active: dict[str, str] = {}
        """Namespace -> version that judges, where it is not the first."""
        self.shadows: dict[str, Version] = {}
        self.earlier: dict[str, Version] = {}
        self._answered: dict[str, float] = {}
        """Namespace -> drift, by the time it was noticed, that a shadow was begun for."""

    def of(self, home: str) -> str:
        """Return the name of the version that judges a namespace."""
        return self.active.get(home, self.first)

    def begin(self, home: str, cluster: levels.Level, *, drift_s: float, now_s: float) -> bool:
        """Begin a shadow for a drift that was noticed at `drift_s`, unless there was one; return whether it did."""
        if home in self.shadows or self._answered.get(home) == drift_s:
            return False
        self._answered[home] = drift_s
        name = f"{self.first}.{clock.rfc3339(now_s)[:16].replace('-', '').replace(':', '')}Z"
        model = novelty.Novelty(catalog.NAMES, cluster)
        model.teaches_cluster = False
        self.shadows[home] = Version(name, now_s, model)
        _bound(self.shadows)
        return True

    def forget_old(self, now_s: float) -> bool:
        """Drop what is older than `KEEP_S`; return whether a shadow was."""
        before = len(self.shadows)
        for kept in (self.shadows, self.earlier):
            for home in [home for home, one in kept.items() if now_s - one.since_s > KEEP_S]:
                del kept[home]
        return len(self.shadows) < before

    def choose(self, home: str, name: str, homes: dict[str, novelty.Novelty], *, now_s: float) -> bool:
        """Have the version of that name judge a namespace; return False when there is none.

        Parameters
        ----------
        home
            The namespace.
        name
            A shadow's name, an earlier version's, or that of the one that judges already.
        homes
            Namespace -> models that judge; changed in place.
        now_s
            Record time.
        """
        if name == self.of(home):
            return True
        kept = next(
            (kept for kept in (self.shadows, self.earlier) if (one := kept.get(home)) is not None and one.name == name),
            None,
        )
        if kept is None or home not in homes:
            return False
        chosen = kept.pop(home)
        before, homes[home] = homes[home], chosen.model
        before.teaches_cluster, chosen.model.teaches_cluster = False, True
        self.earlier[home] = Version(self.of(home), now_s, before)
        _bound(self.earlier)
        self.active[home] = name
        return True

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "active": self.active,
            "answered": self._answered,
            "shadows": _dumped(self.shadows),
            "earlier": _dumped(self.earlier),
        }

    def load(self, data: dict[str, Any], cluster: levels.Level) -> None:
        """Take over what `dump` returned."""
        self.active, self._answered = data["active"], data["answered"]
        for stored, kept in ((data["shadows"], self.shadows), (data["earlier"], self.earlier)):
            for home, (name, since_s, dumped) in stored.items():
                model = novelty.Novelty(catalog.NAMES, cluster)
                model.teaches_cluster = False
                model.load(dumped)
                kept[home] = Version(name, since_s, model)


def _dumped(kept: dict[str, Version]) -> dict[str, object]:
    return {home: [one.name, one.since_s, one.model.dump()] for home, one in kept.items()}


def _bound(kept: dict[str, Version]) -> None:
    while len(kept) > MAX_SHADOWS:
        del kept[min(kept, key=lambda home: kept[home].since_s)]
