"""Stage 7 words: what a report says about the stream it was made from (`Context`), beside the detections themselves.

Plain data without a clock: every time in it comes from records. Filled by `runtime.replay`; read by `report.table` and
`report.html`, which therefore need to know nothing about pipelines, tallies or models.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

NO_SKIPS: Mapping[str, int] = MappingProxyType({})
"""No record was skipped."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, how far learning had come, and what could not be seen.

    Examples
    --------
    >>> shown = Context(title="audit.log", version="1.0", read=12, used=10, skipped={"not_audit": 2})
    >>> shown.skipped_total, shown.span_s
    (2, 0.0)
    """

    title: str
    """What was read, in the user's words: usually the paths."""
    version: str
    """Version of riverwatch."""
    read: int = 0
    """Candidate records seen; ``read == used + skipped``."""
    used: int = 0
    """Records judged."""
    skipped: Mapping[str, int] = NO_SKIPS
    """Records not used, by reason (the values of `sources.base.SkipReason`)."""
    first_s: float | None = None
    """Time of the first record, epoch seconds; None when nothing was read."""
    last_s: float | None = None
    """Time of the last record, epoch seconds; None when nothing was read."""
    identities: int = 0
    """Identities that acted."""
    namespaces: int = 0
    """Namespaces that have models of their own."""
    warm: bool = False
    """Whether models were allowed to raise at the end."""
    progress: float = 0.0
    """0..1. How far the learning period had come at the end."""
    threshold: float = 0.0
    """Evidence in nats that a case needed at the end; 0 when there was none."""
    budget_per_day: float = 0.0
    """Detections a day that the policy allows; 0 when nothing is known about it."""
    shed_total: int = 0
    """Weak candidates that were not raised for want of budget."""
    blind_spots: tuple[str, ...] = ()
    """What could not be seen, one sentence each."""

    @property
    def skipped_total(self) -> int:
        """All skips."""
        return sum(self.skipped.values())

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last record, 0 when nothing was read."""
        if self.first_s is None or self.last_s is None:
            return 0.0
        return max(0.0, self.last_s - self.first_s)
