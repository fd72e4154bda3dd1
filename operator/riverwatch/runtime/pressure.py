"""How far behind the worker is, in steps with hysteresis: at ease, busy, refusing. Pure.

The step follows the age and the fill of the worker's queue, whichever is worse. Entering a step takes more than leaving
it, so that a queue around a border does not switch with every batch. `runtime.worker` asks after each batch; while it
is busy models rest and rules alone judge, which is several times faster.
"""

from __future__ import annotations

import enum


class Step(enum.IntEnum):
    """How far the worker is behind; higher is worse."""

    EASY = 0
    """The queue is short."""
    BUSY = 1
    """The queue fills or its deliveries grow old: rules alone judge, nothing is learned."""
    REFUSING = 2
    """The queue is full: receivers answer 429 and what cannot wait is counted and dropped."""


ENTER = {Step.BUSY: 0.5, Step.REFUSING: 0.99}
"""Fill from which a step begins, 0..1."""

LEAVE = {Step.BUSY: 0.1, Step.REFUSING: 0.7}
"""Fill below which a step ends, 0..1."""

ENTER_AGE_S = 30.0
"""Age of the oldest delivery that waits, in seconds, from which `Step.BUSY` begins: as long as an API server may hold
a batch back anyway."""

LEAVE_AGE_S = 5.0
"""Age in seconds below which `Step.BUSY` ends."""


def next_step(now: Step, fill: float, *, age_s: float = 0.0) -> Step:
    """Return the step for a queue.

    Parameters
    ----------
    now
        The present step.
    fill
        How full the queue is, 0..1.
    age_s
        Seconds since the oldest delivery that waits arrived.

    Examples
    --------
    >>> next_step(Step.EASY, 0.6).name, next_step(Step.BUSY, 0.3).name, next_step(Step.BUSY, 0.05).name
    ('BUSY', 'BUSY', 'EASY')
    """
    entered = max((step for step, border in ENTER.items() if fill >= border), default=Step.EASY)
    if age_s >= ENTER_AGE_S:
        entered = max(entered, Step.BUSY)
    held = now
    while held > Step.EASY and fill < LEAVE[held] and not (held is Step.BUSY and age_s >= LEAVE_AGE_S):
        held = Step(held - 1)
    return max(entered, held)
