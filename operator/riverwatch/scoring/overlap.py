"""Stage 5 helper: novelty that other novelty of the same record implies is not counted twice.

A new namespace makes every object in it new, a new action or a new namespace makes their pair new, a new action makes
its refusal and the rules about it new, whoever writes a workload for the first time brings its image for the first
time, and whoever calls from the internet for the first time calls from a new network. By the chain rule,
P(all) = P(action) P(namespace) P(pair | both) ..., and what is implied has the conditional chance 1. Pure; called by
`scoring.cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from riverwatch.models import base

TIED = frozenset({"action", "rule", "outcome", "network", "zone", "namespace", "scope", "object", "image"})
"""Attributes of which some imply others."""


def strength(parts: Iterable[base.Surprise]) -> float:
    """Return the surprise of one record in nats, 0 or more, each independent fact counted once.

    Parameters
    ----------
    parts
        Surprises of one record.
    """
    tied: dict[str, float] = {}
    free = 0.0
    for part in parts:
        if part.feature in TIED:
            tied[part.feature] = max(tied.get(part.feature, 0.0), part.nats)
        else:
            free += part.nats
    return free + _tied(tied)


def _tied(nats: Mapping[str, float]) -> float:
    place = max(nats.get("namespace", 0.0), nats.get("object", 0.0))
    # The pair is estimated apart, so what it says beyond its halves is news.
    what = max(nats.get("action", 0.0), nats.get("image", 0.0), nats.get("outcome", 0.0), nats.get("rule", 0.0))
    origin = max(nats.get("network", 0.0), nats.get("zone", 0.0))
    return max(what + place, nats.get("scope", 0.0)) + origin
