"""The figures of a ranking: area under the ROC curve, average precision, flags needed for a share of the suspicious.

Scores and labels in, plain numbers out; equal scores are always taken together, so that the order of the input cannot
matter. Pure; called by `bench.models.contest`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

RECALL_ASKED = 0.9
"""Share of the suspicious records that must be flagged in the figure ``flags``."""

Step = tuple[int, int]
"""Suspicious and quiet records that share one score."""


def steps(scores: Sequence[float], labels: Sequence[bool]) -> list[Step]:
    """Group records by score, strongest first.

    Examples
    --------
    >>> steps([0.9, 0.1, 0.9, 0.5], [True, False, False, True])
    [(1, 1), (1, 0), (0, 1)]
    """
    counts: dict[float, list[int]] = {}
    for score, label in zip(scores, labels, strict=True):
        counts.setdefault(score, [0, 0])[0 if label else 1] += 1
    return [(counts[score][0], counts[score][1]) for score in sorted(counts, reverse=True)]


def auc(ranked: Sequence[Step]) -> float:
    """Return the chance that a suspicious record outranks a quiet one, ties counted half; nan without both kinds.

    Examples
    --------
    >>> auc([(1, 1), (1, 0), (0, 1)])
    0.625
    """
    found, quiet_above, area = 0, 0, 0.0
    for suspicious, quiet in ranked:
        area += quiet * (found + suspicious / 2)
        found += suspicious
        quiet_above += quiet
    return area / (found * quiet_above) if found and quiet_above else math.nan


def average_precision(ranked: Sequence[Step]) -> float:
    """Return the sum over thresholds of the step in recall times the precision there; nan without suspicious records.

    Examples
    --------
    >>> round(average_precision([(1, 1), (1, 0), (0, 1)]), 4)
    0.5833
    """
    total = sum(suspicious for suspicious, _ in ranked)
    found, taken, area = 0, 0, 0.0
    for suspicious, quiet in ranked:
        found += suspicious
        taken += suspicious + quiet
        area += suspicious * found / taken
    return area / total if total else math.nan


def flags_for(ranked: Sequence[Step], recall: float = RECALL_ASKED) -> int:
    """Return how many records must be flagged, strongest first, to hold this share of the suspicious ones.

    Examples
    --------
    >>> flags_for([(1, 1), (1, 0), (0, 1)])
    3
    """
    asked = math.ceil(recall * sum(suspicious for suspicious, _ in ranked) - 1e-9)
    found, taken = 0, 0
    for suspicious, quiet in ranked:
        if found >= asked:
            break
        found += suspicious
        taken += suspicious + quiet
    return taken
