"""Which seeds are for tuning and which for published figures; the two are never mixed.

A recording made with a tuning seed may be looked at while rules, models and thresholds are changed. One made with an
evaluation seed may only be scored. Called by `lab evaluate`; every report names the split of its recordings.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from riverwatch import errors

TUNING_SEEDS = frozenset({7, 11, 23, 41, 59, 1009, 2003, 3001, 6007})
"""Seeds of recordings on which rules, models and thresholds are tuned; their figures are never published."""

EVALUATION_SEEDS = frozenset({4001, 5003, 7001, 8009, 9001, 9103, 9203, 9311, 9403})
"""Seeds of recordings for published figures; nobody looks into them to improve a detector."""


class Split(enum.StrEnum):
    """What a recording may be used for."""

    TUNING = "tuning"
    EVALUATION = "evaluation"
    OTHER = "other"
    """A seed that somebody else chose: as good as an evaluation seed for them, nothing for us to publish."""


def split_of(seed: int) -> Split:
    """Say what a recording with this seed may be used for."""
    if seed in TUNING_SEEDS:
        return Split.TUNING
    return Split.EVALUATION if seed in EVALUATION_SEEDS else Split.OTHER


def common_split(seeds: Iterable[int]) -> Split:
    """Give the split that all these seeds belong to.

    Parameters
    ----------
    seeds
        Seeds of the recordings that one figure is made from.

    Raises
    ------
    BadInputError
        When they belong to different splits, or there are none.
    """
    of_seed = {seed: split_of(seed) for seed in seeds}
    found = set(of_seed.values())
    if not found:
        raise errors.BadInputError("no recording to evaluate; give at least one folder")
    if len(found) > 1:
        listed = ", ".join(f"{seed} ({split.value})" for seed, split in sorted(of_seed.items()))
        raise errors.BadInputError(f"tuning and evaluation seeds in one figure: {listed}; evaluate them apart")
    return found.pop()
