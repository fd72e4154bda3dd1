"""Fair turns while the worker is behind: who sends more than a quota waits behind everybody else, bounded and counted.

In: the records of a delivery, in order. Out: those that are judged now; the rest wait in a lane of their own, which is
emptied in turns over all who have something in it: after each delivery what their quotas allow, and whatever there is
when nothing else waits.
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

IDLE_RECORDS = 400
"""Records of the waiting lane that are judged at once when nothing else waits."""

REMEMBERED = 4_096
"""Keys whose use is remembered; the oldest is forgotten, which gives it a full allowance again."""

_ACCOUNT = "system:serviceaccount:"

_FIELDS = tuple((field.name, field.encode_name) for field in msgspec.structs.fields(record.AuditRecord))

_to_json = msgspec.json.Encoder().encode
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


@dataclasses.dataclass(slots=True)
class _Use:
    left: float
    at_s: float


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
        self._lane: collections.OrderedDict[str, collections.deque[bytes]] = collections.OrderedDict()
        self.waiting = 0
        """Records in the waiting lane."""
        self.moved = 0
        """Records that ever had to wait."""
        self.dropped = 0
        """Records for which there was no room."""

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
            elif self.waiting >= self._quota.waiting:
                lost += 1
            else:
                self._lane.setdefault(key, collections.deque()).append(_encode(one))
                self.waiting += 1
                self.moved += 1
        self.dropped += lost
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
                found.append(_decode(queue.popleft()))
            if queue:
                self._lane[key] = queue
        self.waiting -= len(found)
        return found

    def dump(self) -> list[bytes]:
        """Return what waits as plain data, in the order of each key."""
        return [body for queue in self._lane.values() for body in queue]

    def load(self, bodies: Iterable[bytes]) -> None:
        """Let records wait that a checkpoint holds."""
        for body in bodies:
            self._lane.setdefault(key_of(_decode(body)), collections.deque()).append(body)
            self.waiting += 1

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


def _encode(one: record.AuditRecord) -> bytes:
    """Write a record as it came: a copy, because bodies are views that would keep their whole batch alive."""
    fields = ((written, getattr(one, name)) for name, written in _FIELDS)
    return _to_json({name: value for name, value in fields if value is not None and value is not record.ABSENT})


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
    if not name:
        return ""
    return name.rpartition(":")[0] if name.startswith(_ACCOUNT) else name
