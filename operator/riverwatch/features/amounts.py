"""Stage 3 helper of volumes: how large a count is beside the counts of the same kind in earlier windows.

Counts of requests grow by factors, so they are compared on the scale of doublings: the logarithms to base two of the
counts of earlier windows are taken as normal, mean and spread unknown, with a weak prior. What a further window holds
then follows Student's t distribution (the posterior predictive of the normal-inverse-gamma model; Murphy 2007,
"Conjugate Bayesian analysis of the Gaussian distribution", section 3.5), and the surprise of a count is
-ln P(a window holds at least that many). An account whose days are alike is surprising at four times its usual; one
whose days differ by factors of ten is not. Windows without any such request are the other half: the more of them, the
more surprising that there are many requests at all. Pure; owned and emptied by `features.volumes`.
"""

from __future__ import annotations

import array
import math

import msgspec

PRIOR_MEAN = 1.0
"""Doublings that a window is assumed to hold before any was seen: two requests."""

PRIOR_WINDOWS = 1.0
"""Windows that this assumption counts for."""

PRIOR_SPREAD = 1.0
"""Spread assumed before any window was seen, doublings: counts differ by factors of two."""

PRIOR_DEGREES = 3.0
"""Windows that this assumption counts for."""

MEMORY_WINDOWS = 64.0
"""Windows that mean and spread are made of at most; an older one fades."""

MAX_DEGREES = 6.0
"""Degrees of freedom of the tail at most: counts come in bursts, so however many windows were seen, a count far
above all of them stays possible."""

WIDTH = 4
"""Numbers kept for a length of window: windows seen, mean and squared deviations of doublings, largest count."""


class Amount(msgspec.Struct, frozen=True):
    """A count that has just reached a power of two."""

    text: str
    """For example ``64 or more deletes in 10 minutes``."""
    nats: float
    """-ln of the chance of so many in a window of this identity; 0 or more."""
    usual: str
    """The same in words about earlier windows; empty when there were none."""


def past(lengths: int) -> array.array[float]:
    """Return the memory of some lengths of window, empty."""
    return array.array("d", bytes(8 * WIDTH * lengths))


def close(numbers: array.array[float], place: int, count: int) -> None:
    """Take over the count of a window that has ended.

    Parameters
    ----------
    numbers
        As `past` made it.
    place
        Of the length of the window.
    count
        1 or more.
    """
    at = place * WIDTH
    seen = min(numbers[at] + 1.0, MEMORY_WINDOWS)
    doublings = math.log2(count)
    off = doublings - numbers[at + 1]
    mean = numbers[at + 1] + off / seen
    deviations = numbers[at + 2] * (1.0 if seen < MEMORY_WINDOWS else 1.0 - 1.0 / seen)
    numbers[at], numbers[at + 1] = seen, mean
    numbers[at + 2] = deviations + off * (doublings - mean)
    numbers[at + 3] = max(numbers[at + 3], count)


def seen(numbers: array.array[float], place: int) -> float:
    """Return how many windows of a length are remembered."""
    return numbers[place * WIDTH]


def largest(numbers: array.array[float], place: int) -> int:
    """Return the largest count of earlier windows of a length."""
    return int(numbers[place * WIDTH + 3])


def nats(numbers: array.array[float], place: int, count: int, *, windows: float) -> float:
    """Return the surprise of a count, nats, 0 or more.

    Parameters
    ----------
    numbers
        As `past` made it.
    place
        Of the length of the window.
    count
        1 or more.
    windows
        Windows of this length in which the identity did anything that is counted.

    Examples
    --------
    >>> steady, wild = past(1), past(1)
    >>> for day in range(14):
    ...     close(steady, 0, 7 + day % 2)
    ...     close(wild, 0, 1 << day % 7)
    >>> [round(nats(steady, 0, count, windows=14.0), 1) for count in (8, 64, 512)]
    [1.0, 6.7, 10.2]
    >>> [round(nats(wild, 0, count, windows=14.0), 1) for count in (8, 64, 512)]
    [0.7, 2.5, 4.5]
    """
    seen_, mean, deviations, _ = numbers[place * WIDTH : place * WIDTH + WIDTH]
    weight = PRIOR_WINDOWS + seen_
    degrees = PRIOR_DEGREES + seen_
    off = mean - PRIOR_MEAN
    squares = PRIOR_DEGREES * PRIOR_SPREAD**2 + deviations + PRIOR_WINDOWS * seen_ / weight * off * off
    scale = math.sqrt(squares * (weight + 1.0) / (weight * degrees))
    centre = (PRIOR_WINDOWS * PRIOR_MEAN + seen_ * mean) / weight
    happens = (seen_ + 1.0) / (max(windows, seen_) + 1.0)
    return -math.log(happens) - _log_tail((math.log2(count) - centre) / scale, min(degrees, MAX_DEGREES))


def _log_tail(ratio: float, degrees: float) -> float:
    """Return the logarithm of Student's upper tail.

    By Wallace's normal approximation (1959, "Bounds on normal approximations to Student's and the chi-square
    distributions"), good to some percent of the logarithm, which is finer than anything here is known.
    """
    if ratio <= 0.0:
        return 0.0
    normal = (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0) * math.sqrt(degrees * math.log1p(ratio * ratio / degrees))
    return math.log(0.5 * math.erfc(normal / math.sqrt(2.0)))
