"""How loaded the worker is, in steps with hysteresis: at ease, busy, refusing. Pure.

The step follows the fill of the worker's queue. Entering a step takes more than leaving it, so that a queue around a
border does not switch with every batch. `runtime.worker` asks before each batch and makes each change visible.
"""

from __future__ import annotations

import enum


class Step(enum.IntEnum):
    """How far the worker is behind; higher is worse."""

    EASY = 0
    """The queue is short."""
    BUSY = 1
    """The queue fills; told, so that whoever can do with less does."""
    REFUSING = 2
    """The queue is full: receivers answer 429 and what cannot wait is counted and dropped."""


ENTER = {Step.BUSY: 0.5, Step.REFUSING: 0.99}
"""Fill from which a step begins, 0..1."""

LEAVE = {Step.BUSY: 0.1, Step.REFUSING: 0.7}
"""Fill below which a step ends, 0..1."""


def next_step(now: Step, fill: float) -> Step:
    """Return the step for a fill.

    Examples
    --------
    >>> next_step(Step.EASY, 0.6).name, next_step(Step.BUSY, 0.3).name, next_step(Step.BUSY, 0.05).name
    ('BUSY', 'BUSY', 'EASY')
    """
    entered = max((step for step, border in ENTER.items() if fill >= border), default=Step.EASY)
    held = now
    while held > Step.EASY and fill < LEAVE[held]:
        held = Step(held - 1)
    return max(entered, held)
