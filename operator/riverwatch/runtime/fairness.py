"""Fair turns while the worker is behind: who sends more than a quota waits behind everybody else, bounded and counted.

In: the records of a delivery, in order. Out: those that are judged now; the rest wait in a lane of their own, which is
emptied in turns over all who have something in it: after each delivery what their quotas allow, and whatever there is
when nothing else waits. Behind deliveries that are late themselves the lane moves more slowly.
A key may take as much of the lane as it leaves free, so that half of it remains for others whatever one key sends. Once
a key has that much, its records are told by their sender's name alone and counted, so that a flood costs next to
nothing: decoding it would delay others as surely as judging it.
Invariants: nothing here happens while the worker keeps up; records of one actor stay in their order; what waits is
part of the checkpoint, because it left the spool; what finds no room is counted. Owned by `worker`, on its thread.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence

import msgspec

from riverwatch.activity import record

TURN_RECORDS = 40
"""Records of the waiting lane that are judged at most after each delivery while others wait, as far as their senders'
quotas allow: a tenth of an API server's batch."""

LATE_S = 0.25
"""Age of a delivery in seconds from which others yield to it: a quarter of the second that a flood may cost it."""

LATE_RECORDS = 10
"""Records of the waiting lane that are judged at most after a delivery of that age: a quarter of `TURN_RECORDS`."""

IDLE_RECORDS = 400
"""Records of the waiting lane that are judged at once when nothing else waits."""

REOPEN = 0.5
"""Share of what is free in the waiting lane below which a key whose records found no room may let some wait again: a
third of the lane. Near 1.0 deliveries would be taken apart for the few records that find room, and most spooled."""

REMEMBERED = 4_096
"""Keys whose use is remembered; the oldest is forgotten, which gives it a full allowance again."""

_ACCOUNT = "system:serviceaccount:"

_encode = msgspec.json.Encoder().encode
"""A copy, because bodies are views that would keep their whole batch alive."""

_decode = msgspec.json.Decoder(record.AuditRecord).decode


@dataclasses.dataclass(frozen=True)
class Quota:
    """How much one namespace (or one user outside of all) may send before it waits behind others."""

    records_per_s: float = 1_000.0
    """A quarter of what a default API server can deliver at all."""
    burst: float = 5_000.0
    """Records at once: half of an API server's buffer, judged in a fraction of a second. What is above is late, not
    lost."""
    waiting: int = 20_000
    """Records that wait at most, of all keys together; about 30 MB."""
    waiting_bytes: int = 64 * 1024 * 1024
    """Bytes that wait at most, of all keys together; one record may stand above it."""


@dataclasses.dataclass(slots=True)
class _Use:
    left: float
    at_s: float


@dataclasses.dataclass(slots=True)
class _Queue:
    """What waits of one key."""

    bodies: collections.deque[bytes] = dataclasses.field(default_factory=collections.deque)
    octets: int = 0
    closed: bool = False
    """Whether a record found no room, and there is none for a while."""


class Fairness:
    """The waiting lane and who has used how much.

    Parameters
    ----------
    quota
        For each key.
    """

    def __init__(self, quota: Quota | None = None) -> None:
        self._quota = quota or Quota()
        self._used: collections.OrderedDict[str, _Use] = collections.OrderedDict()
        self._lane: collections.OrderedDict[str, _Queue] = collections.OrderedDict()
        self._octets = 0
        self._closed = 0
        self.waiting = 0
        """Records in the waiting lane."""
        self.moved = 0
        """Records that ever had to wait."""
        self.dropped = 0
        """Records for which there was no room."""

    @property
    def closed(self) -> bool:
        """Whether there are keys whose records find no room, so that looking at names is worth it."""
        return self._closed > 0

    def sift(self, names: Sequence[str], *, spared: str | None = None) -> list[int]:
        """Tell which records of a delivery are worth decoding: those that may find room. Safe from any thread.

        Parameters
        ----------
        names
            Of each record's user, in order; those who failed to log in have none, and share an allowance.
        spared
            A user none of whose records is left out.

        Returns
        -------
        list
            Places of the records to decode; the others are lost.
        """
        lost = {name for name in set(names) if name != spared and self._finds_no_room(_key(name))}
        return [place for place, name in enumerate(names) if name not in lost]

    def lose(self, count: int) -> None:
        """Count records that were left out."""
        self.dropped += count

    def admit(self, records: Sequence[record.AuditRecord], *, at_s: float) -> tuple[list[record.AuditRecord], int]:
        """Divide a delivery.

        Parameters
        ----------
        records
            In order.
        at_s
            When the delivery arrived, in seconds of any clock that goes on between deliveries.

        Returns
        -------
        tuple
            The records to be judged now, and how many of the others found no room and are lost.
        """
        now: list[record.AuditRecord] = []
        lost = 0
        for one in records:
            key = key_of(one)
            if key not in self._lane and self._spend(key, at_s):
                now.append(one)
            elif self._wait(key, one):
                self.moved += 1
            else:
                lost += 1
        self.lose(lost)
        return now, lost

    def take(self, limit: int, *, at_s: float | None = None) -> list[record.AuditRecord]:
        """Take some records out of the waiting lane, one of each key in turn.

        Parameters
        ----------
        limit
            How many at most.
        at_s
            Of the clock of `admit`: takes only what the quotas allow by then. None takes whatever waits.
        """
        found: list[record.AuditRecord] = []
        for _ in range(limit):
            if not self._lane:
                break
            key, queue = self._lane.popitem(last=False)
            if at_s is None or self._spend(key, at_s):
                found.append(_decode(self._next(queue)))
            if queue.bodies:
                self._lane[key] = queue
        return found

    def dump(self) -> list[bytes]:
        """Return what waits as plain data, in the order of each key."""
        return [body for queue in self._lane.values() for body in queue.bodies]

    def load(self, bodies: Iterable[bytes]) -> None:
        """Let records wait that a checkpoint holds."""
        for body in bodies:
            self._put(self._lane.setdefault(key_of(_decode(body)), _Queue()), body)

    def _finds_no_room(self, key: str) -> bool:
        queue = self._lane.get(key)
        return queue is not None and queue.closed

    def _wait(self, key: str, one: record.AuditRecord) -> bool:
        """Let a record wait, or tell that there is no room for it."""
        queue = self._lane.get(key)
        if not self._has_room(queue):
            if queue is not None and not queue.closed:
                queue.closed = True
                self._closed += 1
            return False
        if queue is None:
            queue = self._lane[key] = _Queue()
        self._put(queue, _encode(one))
        return True

    def _has_room(self, queue: _Queue | None, *, share: float = 1.0) -> bool:
        """Tell whether a key has less of the lane than (a share of) what is free."""
        most, most_octets = self._quota.waiting, self._quota.waiting_bytes
        free = min(1.0 - self.waiting / most, 1.0 - self._octets / most_octets) * share
        return free > (0.0 if queue is None else max(len(queue.bodies) / most, queue.octets / most_octets))

    def _put(self, queue: _Queue, body: bytes) -> None:
        queue.bodies.append(body)
        queue.octets += len(body)
        self._octets += len(body)
        self.waiting += 1

    def _next(self, queue: _Queue) -> bytes:
        body = queue.bodies.popleft()
        queue.octets -= len(body)
        self._octets -= len(body)
        self.waiting -= 1
        if queue.closed and (not queue.bodies or self._has_room(queue, share=REOPEN)):
            queue.closed = False
            self._closed -= 1
        return body

    def _spend(self, key: str, at_s: float) -> bool:
        use = self._used.get(key)
        if use is None:
            use = self._used[key] = _Use(self._quota.burst, at_s)
            if len(self._used) > REMEMBERED:
                self._used.popitem(last=False)
        elif at_s > use.at_s:
            use.left = min(self._quota.burst, use.left + (at_s - use.at_s) * self._quota.records_per_s)
            use.at_s = at_s
        if use.left < 1.0:
            return False
        use.left -= 1.0
        return True


def key_of(one: record.AuditRecord) -> str:
    """Return who shares an allowance: the namespace of a service account, else the user.

    Examples
    --------
    >>> from riverwatch import testing
    >>> key_of(testing.audit_record(user="system:serviceaccount:web:front"))
    'system:serviceaccount:web'
    >>> key_of(testing.audit_record(user="ana@example.com"))
    'ana@example.com'
    """
    name = one.user.username if one.user is not None else None
    return _key(name or "")


def _key(name: str) -> str:
    return name.rpartition(":")[0] if name.startswith(_ACCOUNT) else name
