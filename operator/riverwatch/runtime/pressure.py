"""How loaded the worker is, in steps with hysteresis: all detectors, rules only, refusing. Pure.

The step follows the fill of the worker's queue. Entering a step takes more than leaving it, so that a queue around a
border does not switch with every batch. `runtime.worker` asks before each batch and makes each change visible.
"""

from __future__ import annotations

import enum


class Step(enum.IntEnum):
    """What is still done; higher is worse."""

    FULL = 0
    """Rules and models."""
    RULES_ONLY = 1
    """Rules; models rest until the queue is short again."""
    REFUSING = 2
    """The queue is full: receivers answer 429 and what cannot wait is counted and dropped."""


ENTER = {Step.RULES_ONLY: 0.5, Step.REFUSING: 0.99}
"""Fill from which a step begins, 0..1."""

LEAVE = {Step.RULES_ONLY: 0.1, Step.REFUSING: 0.7}
"""Fill below which a step ends, 0..1."""


def next_step(now: Step, fill: float) -> Step:
    """Return the step for a fill.

    Examples
    --------
    >>> next_step(Step.FULL, 0.6).name, next_step(Step.RULES_ONLY, 0.3).name, next_step(Step.RULES_ONLY, 0.05).name
    ('RULES_ONLY', 'RULES_ONLY', 'FULL')
    """
    entered = max((step for step, border in ENTER.items() if fill >= border), default=Step.FULL)
    held = now
    while held > Step.FULL and fill < LEAVE[held]:
        held = Step(held - 1)
    return max(entered, held)
