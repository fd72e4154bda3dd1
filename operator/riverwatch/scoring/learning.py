"""Stage 5 state: how far learning has come, and which activities are so routine that nothing need be asked.

`Learning` turns record time, a user's ``--learn-until`` and the policies' learning periods into two answers: may
anything be raised (`muted`), and may models raise (`warm`). `Routine` remembers combinations that were wholly known a
moment ago, so that the bulk of a cluster's records costs one look-up. Both are owned by `runtime.pipeline`.
"""

from __future__ import annotations

from typing import Any

from riverwatch.activity import record
from riverwatch.features import vector
from riverwatch.scoring import policy

MIN_RECORDS = 500
"""Records that models learn at least before they may raise; fewer say nothing about a cluster."""

MAX_ROUTINE = 100_000
"""Combinations remembered over all identities, about 400 bytes each at worst; the memory is emptied when full."""

ROUTINE_SHARE = 0.002
"""A combination stays routine for this share of the time since the stream began, so that habits are counted in
bursts."""

ROUTINE_MIN_S = 10.0
"""Shortest time that a combination stays routine, seconds."""

ROUTINE_MAX_S = 3_600.0
"""Longest time that a combination stays routine, seconds."""


class Learning:
    """Progress of learning in record time.

    Parameters
    ----------
    until_s
        Epoch seconds at which the user says that learning ends; None when the policies decide.
    """

    def __init__(self, until_s: float | None) -> None:
        self.until_s = until_s
        self.began_s: float | None = None
        self.now_s = 0.0
        """Latest record time seen; never goes back, even when a record's clock does."""

    def advance(self, time_s: float) -> None:
        """Take over the time of a record."""
        if self.began_s is None:
            self.began_s = time_s
        self.now_s = max(self.now_s, time_s)

    @property
    def muted(self) -> bool:
        """Whether nothing may be raised yet."""
        return self.until_s is not None and self.now_s < self.until_s

    def age_s(self) -> float:
        """Return the record time that has passed since the first record, seconds."""
        return self.now_s - self.began_s if self.began_s is not None else 0.0

    def warm(self, rules: policy.EffectivePolicy, *, records: int) -> bool:
        """Tell whether models may raise under a policy."""
        if records < max(MIN_RECORDS, rules.learning_min_records):
            return False
        if self.until_s is not None:
            return self.now_s >= self.until_s
        return self.age_s() >= rules.learning_s

    def dump(self) -> list[float | None]:
        """Return plain data for a checkpoint."""
        return [self.began_s, self.now_s]

    def load(self, data: list[float | None]) -> None:
        """Take over what `dump` returned; when learning ends is for the user to say anew."""
        self.began_s, self.now_s = data[0], data[1] or 0.0

    def progress(self, rules: policy.EffectivePolicy) -> float:
        """Return how far the learning period has come, 0..1."""
        if self.began_s is None:
            return 0.0
        length_s = self.until_s - self.began_s if self.until_s is not None else rules.learning_s
        return min(1.0, self.age_s() / length_s) if length_s > 0 else 1.0


class Routine:
    """Combinations of one identity's attributes that were wholly known when last asked."""

    def __init__(self) -> None:
        self._until: dict[tuple[str | int, ...], float] = {}
        self._began_s: float | None = None

    def known(self, activity: record.Activity) -> bool:
        """Tell whether the activity is routine: learned a moment ago with nothing new in it."""
        until = self._until.get((activity.principal.username, activity.credential_id, *vector.context_key(activity)))
        return until is not None and activity.time_s < until

    def remember(self, activity: record.Activity) -> None:
        """Remember an activity that was just learned."""
        if self._began_s is None:
            self._began_s = activity.time_s
        stay_s = min(max(ROUTINE_SHARE * (activity.time_s - self._began_s), ROUTINE_MIN_S), ROUTINE_MAX_S)
        if len(self._until) >= MAX_ROUTINE:
            self._until.clear()
        key = (activity.principal.username, activity.credential_id, *vector.context_key(activity))
        self._until[key] = activity.time_s + stay_s

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint; what is routine is not learned, so habits depend on it."""
        return [self._began_s, [[*key, until] for key, until in self._until.items()]]

    def load(self, data: list[Any]) -> None:
        """Take over what `dump` returned."""
        self._began_s = data[0]
        self._until = {tuple(key): until for *key, until in data[1]}
