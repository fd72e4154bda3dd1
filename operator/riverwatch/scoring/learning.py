"""Stage 5 state: how far learning has come.

`Learning` turns record time, a user's ``--learn-until`` and the policies' learning periods into two answers: may
anything be raised (`muted`), and may models raise (`warm`). Owned by `runtime.pipeline`.
"""

from __future__ import annotations

from riverwatch.scoring import policy

MIN_RECORDS = 500
"""Records that models learn at least before they may raise; fewer say nothing about a cluster."""


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
