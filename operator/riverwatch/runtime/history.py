"""Learning from audit logs of the past before the first batch: the same pipeline, muted.

What an operator learns this way is what it would have learned live, so it judges as soon as the learning period is
covered. Called by `control.assembly` once, before the worker starts; pure but for what the batches bring.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from riverwatch.runtime import pipeline, replay
from riverwatch.sources import base


def learn(batches: Iterable[base.Batch], memory: pipeline.Pipeline, *, tally: base.Tally) -> bool:
    """Learn records of the past; nothing is raised for them, however bad.

    Parameters
    ----------
    batches
        Batches in order of time.
    memory
        The pipeline; left alone when it knows something already, because the past is part of that.
    tally
        Takes the skips.

    Returns
    -------
    bool
        Whether the batches were read.
    """
    learning = memory.learning
    if learning.began_s is not None:
        return False
    until_s, learning.until_s = learning.until_s, math.inf
    try:
        replay.replay(batches, memory, tally=tally)
    finally:
        learning.until_s = until_s
    return True
