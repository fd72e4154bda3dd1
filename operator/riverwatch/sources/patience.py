"""Stage 1, decode: how much of one delivery may be useless before the rest of it is no longer looked at.

A refused line costs more than a used one, and a delivery of 32 MiB has room for ten million of them: whoever may send
could keep the worker busy for minutes. Owned by a `decode.RecordDecoder` of a live source; files are read to their end.
"""

from __future__ import annotations

import math

from riverwatch.sources import base

REFUSED = 100_000
"""Values refused in any one delivery before it is given up, about a second's work: more than there are lines of another
program's log in one."""

REFUSED_FOR_USED = 10
"""How many more each usable record allows."""


class Patience:
    """Refusals of one delivery.

    Examples
    --------
    >>> tally, patience = base.Tally(), Patience(refused=2)
    >>> patience.begin(tally)
    >>> for _ in range(3):
    ...     tally.read += 1
    ...     tally.skip(base.SkipReason.NOT_AUDIT)
    ...     print(patience.ended(tally))
    False
    False
    True
    """

    def __init__(self, *, refused: float = REFUSED) -> None:
        self._refused = refused
        self._used_before = 0
        self._end: float = math.inf

    def begin(self, tally: base.Tally) -> None:
        """Begin with the next delivery."""
        self._used_before, self._end = tally.used, tally.skipped_total + self._refused

    def ended(self, tally: base.Tally) -> bool:
        """Tell whether nothing more of the delivery is to be looked at."""
        skipped = tally.skipped_total
        return skipped > self._end and skipped > self._end + REFUSED_FOR_USED * (tally.used - self._used_before)


def give_up(tally: base.Tally, *, where: str, count: int) -> None:
    """Count values that are not looked at."""
    tally.read += count
    detail = "the rest of a delivery in which too much was refused; send audit records only"
    tally.skip(base.SkipReason.GIVEN_UP, where=where, detail=detail, count=count)
