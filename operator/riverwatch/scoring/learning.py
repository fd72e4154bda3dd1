"""Stage 5 state: how far learning has come.

`Learning` turns record time, a user's ``--learn-until`` and the policies' learning periods into two answers: may
anything be raised (`muted`), and may models raise (`warm`). Owned by `runtime.pipeline`.
"""

from __future__ import annotations

from riverwatch.scoring import policy

MIN_RECORDS = 500
"""Records that models learn at least before they may raise; fewer say nothing about a cluster."""


FAR_S = 3 * 365 * 86_400.0
"""Seconds after the latest record beyond which a time is not believed at once: one record with a broken clock must not
end every case and every burst. No log has longer gaps."""

BELIEVED_AFTER = 16
"""Records in a row beyond it that make such a time believed."""


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
        self._far = 0

    def advance(self, time_s: float) -> None:
        """Take over the time of a record."""
        if self.began_s is None:
            self.began_s = time_s
        self.now_s = max(self.now_s, time_s)

    @property
    def believed_until_s(self) -> float:
        """Return the record time below which any record is believed without being counted."""
        return 0.0 if self.began_s is None or self._far else self.now_s + FAR_S

    def believes(self, time_s: float) -> bool:
        """Tell whether a record's time may be taken over; a leap is believed when several records in a row make it."""
        if self.began_s is None or time_s <= self.now_s + FAR_S:
            self._far = 0
            return True
        self._far += 1
        return self._far >= BELIEVED_AFTER

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
        return [self.began_s, self.now_s, float(self._far)]

    def load(self, data: list[float | None]) -> None:
        """Take over what `dump` returned; when learning ends is for the user to say anew."""
        self.began_s, self.now_s, self._far = data[0], data[1] or 0.0, int(data[2] or 0)

    def progress(self, rules: policy.EffectivePolicy) -> float:
        """Return how far the learning period has come, 0..1."""
        if self.began_s is None:
            return 0.0
        length_s = self.until_s - self.began_s if self.until_s is not None else rules.learning_s
        return min(1.0, self.age_s() / length_s) if length_s > 0 else 1.0
