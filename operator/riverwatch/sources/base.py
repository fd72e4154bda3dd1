"""Stage 1 words: why a record is skipped, how many were (`Tally`), what a source is (`Source`) and what it hands on.

No I/O here. A live source hands `Delivery` objects (bytes, not yet decoded) to the `Sink` that its caller gives it, so
that decoding happens on the worker's thread; a file read at once gives `Batch` objects. Used by every module of
stage 1, by `runtime` and by the command line. A `Tally` belongs to one thread.
"""

from __future__ import annotations

import collections
import enum
from typing import Protocol

import msgspec

from riverwatch.activity import normalise, record
from riverwatch.rules import base as rules_base

RECENT_SKIPS = 50
"""Skips kept with their place, newest last: enough to show a person, bounded for a hostile sender."""

DETAIL_MAX_CHARS = 200
"""Longest detail kept of one skip."""


class SkipReason(enum.StrEnum):
    """Every reason for which something that was read is not used; a closed set, because it labels a metric."""

    MALFORMED_JSON = "malformed_json"
    """Not JSON, or bytes that are no UTF-8 text."""
    WRONG_SHAPE = "wrong_shape"
    """An audit record with a field of the wrong type, or a wrapper nested beyond reason."""
    UNKNOWN_API_VERSION = "unknown_api_version"
    """An audit.k8s.io version that is neither v1 nor v1beta1."""
    TOO_LARGE = "too_large"
    """Larger than the limit of one record."""
    NOT_AUDIT = "not_audit"
    """Readable, but no audit record: another log line, a core/v1 Event, another cloud service's entry."""
    GIVEN_UP = "given_up"
    """In a delivery of which too much had been refused already."""
    TRUNCATED = "truncated"
    """The input ends, or its compression is damaged, in the middle of something."""
    DUPLICATE = "duplicate"
    """The same auditID and stage was seen before."""
    NO_ROOM = "no_room"
    """The queue was full and the sender cannot be asked to wait."""
    OVER_QUOTA = "over_quota"
    """Its namespace sent more than its quota while the worker was behind, and too much waited already."""
    OWN_IDENTITY = "own_identity"
    """A request of riverwatch itself."""
    DISABLED = "disabled"
    """A policy switched detection off for this namespace."""
    FAR_FUTURE = "far_future"
    """Its time lies more than three years after everything before it, and the next records do not say so, too."""
    FAULT = "fault"
    """Riverwatch itself failed on it; the skip says where."""
    MISSING_TIMESTAMP = normalise.MISSING_TIMESTAMP
    UNAUTHENTICATED = normalise.UNAUTHENTICATED
    MISSING_USER = normalise.MISSING_USER
    MISSING_VERB = normalise.MISSING_VERB
    STAGE_RECEIVED = normalise.STAGE_RECEIVED


class Skip(msgspec.Struct, frozen=True, gc=False):
    """One skip, for people: what happened where."""

    reason: SkipReason
    where: str
    """``file:line``, with ``[index]`` for an item of a list."""
    detail: str
    """What exactly was wrong; never a value out of a body."""

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.reason.value}: {self.detail}" if self.detail else f"{self.where}: {self.reason.value}"
        )


class Tally:
    """Counts of what was read, used and skipped by reason, and the last skips with their place.

    Whoever finds a candidate record adds it to `read`; whoever decides not to use it calls `skip`, at whatever
    stage. So ``read == used + skipped`` always holds.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.read += 2
    >>> tally.skip(SkipReason.NOT_AUDIT, where="app.log:1")
    >>> tally.used, tally.summary()
    (1, 'read 2, used 1, skipped 1 (not_audit 1)')
    """

    __slots__ = ("_recent", "_skipped", "read")

    def __init__(self) -> None:
        self.read = 0
        """Candidate records seen."""
        self._skipped: dict[SkipReason, int] = {}
        self._recent: collections.deque[Skip] = collections.deque(maxlen=RECENT_SKIPS)

    def skip(self, reason: SkipReason | str, *, where: str = "", detail: str = "", count: int = 1) -> None:
        """Count skips of one reason and remember the place.

        Parameters
        ----------
        reason
            One of `SkipReason`, or its text as `errors.MalformedRecordError.reason` carries it.
        where
            ``file:line``, or ``batch[index]``.
        detail
            What exactly was wrong.
        count
            How many records that concerns, from 1.
        """
        reason = SkipReason(reason)
        self._skipped[reason] = self._skipped.get(reason, 0) + count
        self._recent.append(Skip(reason, where, detail[:DETAIL_MAX_CHARS]))

    def count_only(self, reason: SkipReason, count: int) -> None:
        """Count skips that are ordinary and not worth a place in the ring, such as `SkipReason.STAGE_RECEIVED`."""
        self._skipped[reason] = self._skipped.get(reason, 0) + count

    @property
    def skipped(self) -> dict[SkipReason, int]:
        """A copy of the counts by reason; reasons that never occurred are absent."""
        return dict(self._skipped)

    @property
    def skipped_total(self) -> int:
        """All skips."""
        return sum(self._skipped.values())

    @property
    def used(self) -> int:
        """Records read and not skipped."""
        return self.read - self.skipped_total

    @property
    def recent(self) -> tuple[Skip, ...]:
        """The last `RECENT_SKIPS` skips, oldest first."""
        return tuple(self._recent)

    def summary(self) -> str:
        """Return the closing line: read, used, and skipped by reason."""
        total = self.skipped_total
        text = f"read {self.read}, used {self.used}, skipped {total}"
        if not total:
            return text
        parts = ", ".join(f"{reason.value} {self._skipped[reason]}" for reason in SkipReason if reason in self._skipped)
        return f"{text} ({parts})"


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Records that were read together, in the order of the input.

    Bodies and annotations are views into the bytes of the batch: keeping one record keeps about 1 MiB alive. Copy what
    outlives the batch (``msgspec.Raw.copy``).
    """

    records: list[record.AuditRecord]
    where: str
    """File and line (or delivery) at which the batch starts."""

    def place(self, index: int) -> str:
        """Say where record `index` of the batch came from, for a skip."""
        return f"{self.where} (record {index + 1} from there)"


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where a source resumes after a restart: plain data for a checkpoint.

    The position stands *after* the last delivery the sink accepted; resuming there repeats nothing and omits nothing.
    """

    device: int = 0
    inode: int = 0
    offset: int = 0
    """Bytes of the file already delivered; always at the start of a line."""
    fingerprint: str = ""
    """SHA-256 of the first bytes of the file; tells a reused inode from the file that was read."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Bytes that arrived and are not decoded yet: one webhook request, or some whole lines of a followed file."""

    body: bytes
    """Content encoding already undone."""
    where: str
    received_s: float
    """Wall time of arrival, seconds since the epoch; only for lag and queue age, never for judging."""
    line: int = 0
    """Line at which the body starts, 0 where lines mean nothing."""
    after: Position | None = None
    """Where the source resumes once this delivery is taken over; None for a source that resumes nowhere."""


class Sink(Protocol):
    """Where a live source puts what arrives. Must not block: it queues, or refuses."""

    def __call__(self, delivery: Delivery, /) -> bool:
        """Take the delivery over for good and return True, or return False when there is no room now."""
        ...


class SourceCard(msgspec.Struct, frozen=True):
    """What people need to know about a source before they switch it on; tables and manifests are printed from it."""

    id: str
    """Stable, kebab case."""
    summary: str
    maturity: rules_base.Maturity
    needs: tuple[str, ...]
    """What must exist outside: flags of the API server, mounts, network paths."""
    settings: tuple[str, ...]
    """Names of the settings class' fields that configure it."""
    rbac: tuple[str, ...]
    """Kubernetes permissions, as ``verbs apiGroup/resource``; empty when none."""
    blind_spots: tuple[str, ...]
    repeats: bool = True
    """Whether the sender repeats what was not accepted; where it does not, every loss is counted."""


class Source(Protocol):
    """A live source: starts, delivers to its sink until stopped, and can say where to resume."""

    @property
    def card(self) -> SourceCard:
        """The card of this kind of source."""
        ...

    async def start(self) -> None:
        """Begin to deliver; returns once the source is ready to receive."""
        ...

    async def stop(self) -> None:
        """Stop delivering and release everything; what was accepted stays accepted. Safe to call twice."""
        ...

    def position(self) -> Position | None:
        """Return where to resume, or None for a source whose sender keeps what was not accepted."""
        ...
