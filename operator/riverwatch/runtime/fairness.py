"""Fair turns while the worker is behind: who sends more than a quota waits behind everybody else, bounded and counted.

In: the records of a delivery, in order. Out: those that are judged now; the rest wait in a lane of their own, which is
emptied in turns over all who have something in it: after each delivery what their quotas allow, and whatever there is
when nothing else waits.
While the lane is full, records that can only be lost are told by their sender's name alone, so that a flood costs next
to nothing: decoding it would delay others as surely as judging it.
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

BATCH_RECORDS = 400
"""Room for so many records makes a waiting lane that was full take some again: an API server's batch. With less of it
each delivery would be taken apart for the few that find room."""

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
    """Bytes from which on nothing more may wait; the last record may stand above it."""


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
        self._octets = 0
        self._full = False
        self.waiting = 0
        """Records in the waiting lane."""
        self.moved = 0
        """Records that ever had to wait."""
        self.dropped = 0
        """Records for which there was no room."""

    @property
    def full(self) -> bool:
        """Whether nothing found room lately: from when the lane is full until there is room for a batch."""
        if self._full and self._room >= min(BATCH_RECORDS, self._quota.waiting // 2):
            self._full = False
        return self._full

    def sift(self, names: Sequence[str], *, at_s: float, spared: str = "") -> list[int]:
        """Tell which records of a delivery are worth decoding while the lane is full: those that need not wait.

        Parameters
        ----------
        names
            Of each record's user, in order.
        at_s
            As for `admit`.
        spared
            A user none of whose records is lost here.

        Returns
        -------
        list
            Places of the records to decode; the others are counted as lost.
        """
        late = {name for name in set(names) if name and name != spared and self._late(_key(name), at_s)}
        kept = [place for place, name in enumerate(names) if name not in late]
        self.dropped += len(names) - len(kept)
        return kept

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
            elif self._room <= 0:
                self._full = True
                lost += 1
            else:
                self._wait(key, _encode(one))
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
                body = queue.popleft()
                self._octets -= len(body)
                found.append(_decode(body))
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
            self._wait(key_of(_decode(body)), body)

    def _wait(self, key: str, body: bytes) -> None:
        self._lane.setdefault(key, collections.deque()).append(body)
        self._octets += len(body)
        self.waiting += 1

    @property
    def _room(self) -> int:
        return self._quota.waiting - self.waiting if self._octets < self._quota.waiting_bytes else 0

    def _late(self, key: str, at_s: float) -> bool:
        """Tell whether the next record of a key would have to wait."""
        use = self._used.get(key)
        return key in self._lane or (use is not None and self._allowance(use, at_s) < 1.0)

    def _allowance(self, use: _Use, at_s: float) -> float:
        return min(self._quota.burst, use.left + max(0.0, at_s - use.at_s) * self._quota.records_per_s)

    def _spend(self, key: str, at_s: float) -> bool:
        use = self._used.get(key)
        if use is None:
            use = self._used[key] = _Use(self._quota.burst, at_s)
            if len(self._used) > REMEMBERED:
                self._used.popitem(last=False)
        elif at_s > use.at_s:
            use.left = self._allowance(use, at_s)
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
