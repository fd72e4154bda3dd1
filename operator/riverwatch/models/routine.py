"""Stage 4b cache: combinations of attributes that a habit knows wholly, so that most records cost one look-up.

What it answers is what the models would answer: a record whose every value is known raises nothing, and inside a burst
it teaches nothing (`levels.Habit`). It can therefore be dropped at any time and is no part of a checkpoint. Owned by
`runtime.pipeline`, which asks `find` before it measures anything; emptied when full.
"""

from __future__ import annotations

import msgspec

from riverwatch.activity import record
from riverwatch.features import vector
from riverwatch.models import levels, novelty

MAX_KNOWN = 60_000
"""Combinations remembered over all identities, about 400 bytes each."""

ASK_AGAIN_S = 600.0
"""Seconds after which a combination is measured anew, because the inventory may have changed: whose pod an address
is, and whether the owner of a credential still lives."""


class Known(msgspec.Struct, gc=False):
    """One combination of attributes and the habit that knows all of it."""

    namespace: str
    """Name of the home."""
    home: novelty.Novelty
    habit: levels.Habit
    edition: int
    until_s: float
    values: tuple[str, ...]


class Routine:
    """Combinations of one identity's attributes that its habit knows.

    Keys are 64-bit hashes of the combination: two of a hundred thousand collide with a chance of 3 in 10 billion, and
    nobody can aim at it, because hashes of strings are salted per process.
    """

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: int, time_s: float) -> Known | None:
        """Return the combination if its habit still knows all of it, or None when the models must be asked."""
        found = self._known.get(key)
        if found is None or time_s >= found.until_s or found.edition != found.habit.edition:
            return None
        return found

    def remember(self, key: int, known: Known) -> None:
        """Remember a combination of which nothing is new to the habit."""
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = known

    def clear(self) -> None:
        """Forget everything; what follows is asked anew."""
        self._known.clear()


def learn(known: Known, time_s: float) -> bool:
    """Learn a record of a known combination; return whether it opened a burst."""
    habit = known.habit
    known.home.records += 1
    if time_s >= habit.next_s:
        habit.learn(known.values, time_s)
        return True
    habit.records += 1
    habit.last_s = time_s
    return False


def key_of(activity: record.Activity) -> int:
    """Return a number that is equal for activities of one identity and credential with equal attributes."""
    return hash((activity.principal.username, activity.credential_id, vector.context_key(activity)))
