"""Stage 2 state: which requests were seen already.

A long-running request is written at ResponseStarted and again at ResponseComplete, and a webhook delivers at least
once. Both share the audit id and the time the request was received. The id alone is not enough: a client may choose
it by a header, so an attacker could hide behind the id of somebody's harmless request; he cannot choose the time.
"""

from __future__ import annotations

CAPACITY = 65_536
"""Requests remembered per generation, two generations: half a minute at 4,000/s, about 15 MB at worst. Copies of one
delivery come within seconds. The second stage of a watch that ends much later is read again, which changes a habit by
at most one burst."""


class Dedupe:
    """Two generations of request keys; the older one is dropped when the younger is full.

    Examples
    --------
    >>> dedupe = Dedupe()
    >>> dedupe.seen("a", "2026-01-15T08:00:00Z"), dedupe.seen("a", "2026-01-15T08:00:00Z")
    (False, True)
    """

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        # Dictionaries for their order: a checkpoint is then the same whatever the seed of hashing, without sorting.
        self._young: dict[str, None] = {}
        self._old: dict[str, None] = {}

    def seen(self, audit_id: str, received: str) -> bool:
        """Tell whether the request was seen before, and remember it; a request without an id is never a duplicate."""
        if not audit_id:
            return False
        key = audit_id + received
        if key in self._old:
            return True
        # Nearly all are new: to put it in and see whether there is one more now costs one search less.
        young = self._young
        before = len(young)
        young[key] = None
        if len(young) == before:
            return True
        if before + 1 >= self._capacity:
            self._old, self._young = young, {}
        return False

    def dump(self) -> list[list[str]]:
        """Return plain data for a checkpoint."""
        return [list(self._young), list(self._old)]

    def load(self, data: list[list[str]]) -> None:
        """Take over what `dump` returned."""
        self._young, self._old = dict.fromkeys(data[0]), dict.fromkeys(data[1])
