"""Stage 4b cache: combinations of attributes that a habit knows wholly, so that most records cost one look-up.

What it answers is what the models would answer: inside a burst, a record whose every value is known raises nothing
and teaches nothing (`levels.Habit`). It can therefore be dropped at any time and is no part of a checkpoint. Owned by
`runtime.pipeline`, which asks `passes` before it measures anything; emptied when full.
"""

from __future__ import annotations

from riverwatch.activity import record
from riverwatch.features import vector
from riverwatch.models import levels, novelty

MAX_KNOWN = 100_000
"""Combinations remembered over all identities, about 250 bytes each."""

ASK_AGAIN_S = 600.0
"""Seconds after which a combination is measured anew, because the inventory may have changed: whose pod an address
is, and whether the owner of a credential still lives."""


class Routine:
    """Combinations of one identity's attributes that its habit knows.

    Keys are 64-bit hashes of the combination: two of a hundred thousand collide with a chance of 3 in 10 billion, and
    nobody can aim at it, because hashes of strings are salted per process.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[novelty.Novelty, levels.Habit, int, float]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def passes(self, key: int, time_s: float) -> bool:
        """Tell whether a record teaches nothing because all of it is known inside an open burst; count it if so."""
        found = self._known.get(key)
        if found is None:
            return False
        home, habit, edition, until_s = found
        if time_s >= habit.next_s or time_s >= until_s or edition != habit.edition:
            return False
        habit.records += 1
        habit.last_s = time_s
        home.records += 1
        return True

    def remember(self, key: int, home: novelty.Novelty, habit: levels.Habit, time_s: float) -> None:
        """Remember a combination of which nothing is new to the habit."""
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = (home, habit, habit.edition, time_s + ASK_AGAIN_S)

    def clear(self) -> None:
        """Forget everything; what follows is asked anew."""
        self._known.clear()


def key_of(activity: record.Activity) -> int:
    """Return a number that is equal for activities of one identity and credential with equal attributes."""
    return hash((activity.principal.username, activity.credential_id, vector.context_key(activity)))
