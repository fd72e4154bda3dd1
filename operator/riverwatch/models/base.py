"""Stage 4b words: what a model says about an activity, and what every model promises.

Models are River estimators (`river.anomaly.base.AnomalyDetector`): ``score_one(x)`` answers 0..1, higher is stranger,
and is pure; ``learn_one(x)`` is called after it and only for what was not flagged. Models also offer ``opinion``,
which returns `Surprise` parts in nats, so that scores of several models can be added and explained part by part. The
contract suite `tests/contracts/test_models.py` runs over all of them.
"""

from __future__ import annotations

import math

import msgspec

NATS_AT_HALF = 8.0
"""Surprise that maps to a score of 0.5: a chance of about 1 in 3,000. Only the order of scores matters to decisions,
which are taken on calibrated nats; the 0..1 scale is for River's interface and for people."""


class ModelCard(msgspec.Struct, frozen=True):
    """What documents say about a model."""

    name: str
    summary: str
    inputs: tuple[str, ...]
    """Names of the attributes it reads."""
    warm_up: str
    memory: str
    blind_spots: tuple[str, ...]


class Surprise(msgspec.Struct, frozen=True):
    """One part of a model's opinion: an attribute that is new, and what it was compared with."""

    model: str
    feature: str
    observed: str
    nats: float
    """-ln of the estimated chance of such a novelty; 0 or more."""
    bursts: int
    """Bursts of activity that the identity showed this attribute in, before now."""
    age_s: float
    """Seconds since the identity was first seen."""
    usual: tuple[tuple[str, int], ...]
    """The identity's most frequent values with their bursts, at most three."""
    unseen_in: tuple[str, ...]
    """Groups that never showed the value either: ``siblings``, ``namespace``, ``cluster``."""
    siblings: int
    """Number of identities in the group of siblings, the identity itself included."""
    damped: str = ""
    """What explains the novelty, so that it counts less; empty for nothing."""


def to_score(nats: float) -> float:
    """Map nats (0 or more) to 0..1.

    Examples
    --------
    >>> round(to_score(8.0), 2), to_score(0.0)
    (0.5, 0.0)
    """
    return 1.0 - math.exp2(-max(nats, 0.0) / NATS_AT_HALF)
