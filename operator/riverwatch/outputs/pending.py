"""A bounded map of things that wait to be delivered: newest version of a key wins, highest rank first, retries later.

Plain data with the time as an argument, so that every order of happenings can be tested. `lane.Lane` owns one and
puts a thread around it.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(slots=True)
class Entry(Generic[T]):
    """One thing that waits."""

    key: str
    item: T
    rank: int
    due_s: float
    attempts: int
    ticket: int
    """Which heap entry speaks for it; older heap entries of the same key are void."""


class PendingMap(Generic[T]):
    """Keyed, bounded, ordered by due time and then by rank.

    Parameters
    ----------
    capacity
        Entries held at most; the oldest of the lowest rank makes room.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[str, Entry[T]] = {}
        self._waiting: list[tuple[float, int, str]] = []
        self._ready: list[tuple[int, int, str]] = []
        self._tickets = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, item: T, *, rank: int, due_s: float) -> Entry[T] | None:
        """Add an item, or replace the one that waits under the same key, which keeps its retry delay.

        Parameters
        ----------
        key
            What the item is about.
        item
            The newest version.
        rank
            Higher is delivered first and dropped last.
        due_s
            Monotonic seconds before which it is not delivered.

        Returns
        -------
        The entry that had to make room, or None.
        """
        old = self._entries.get(key)
        if old is not None:
            self._file(Entry(key, item, max(rank, old.rank), max(due_s, old.due_s), old.attempts, 0))
            return None
        self._file(Entry(key, item, rank, due_s, 0, 0))
        return self._make_room() if len(self._entries) > self._capacity else None

    def put_back(self, entry: Entry[T], *, due_s: float) -> None:
        """Put an entry whose delivery failed back, unless a newer version waits already; either waits until `due_s`."""
        newer = self._entries.get(entry.key)
        item = newer.item if newer is not None else entry.item
        rank = max(entry.rank, newer.rank) if newer is not None else entry.rank
        self._file(Entry(entry.key, item, rank, due_s, entry.attempts + 1, 0))

    def take(self, now_s: float) -> Entry[T] | None:
        """Take the entry of the highest rank that is due, the one that waited longest first."""
        while self._waiting and self._waiting[0][0] <= now_s:
            _, ticket, key = heapq.heappop(self._waiting)
            entry = self._entries.get(key)
            if entry is not None and entry.ticket == ticket:
                heapq.heappush(self._ready, (-entry.rank, ticket, key))
        while self._ready:
            _, ticket, key = heapq.heappop(self._ready)
            entry = self._entries.get(key)
            if entry is not None and entry.ticket == ticket:
                del self._entries[key]
                return entry
        return None

    def keys(self) -> list[str]:
        """Return the keys of everything that waits."""
        return list(self._entries)

    def next_due_s(self) -> float | None:
        """Monotonic seconds at which something may be due; None when nothing waits."""
        if not self._entries:
            return None
        if self._ready:
            return float("-inf")
        return self._waiting[0][0] if self._waiting else None

    def hurry(self, now_s: float) -> None:
        """Make everything due now: the process stops and each entry gets its last chance."""
        for entry in list(self._entries.values()):
            self._file(dataclasses.replace(entry, due_s=min(entry.due_s, now_s)))

    def _file(self, entry: Entry[T]) -> None:
        entry.ticket = next(self._tickets)
        self._entries[entry.key] = entry
        heapq.heappush(self._waiting, (entry.due_s, entry.ticket, entry.key))
        if len(self._waiting) > 64 + 4 * len(self._entries):
            # Void heap entries of keys that change often would pile up.
            self._waiting = [(e.due_s, e.ticket, e.key) for e in self._entries.values()]
            self._ready = []
            heapq.heapify(self._waiting)

    def _make_room(self) -> Entry[T]:
        victim = min(self._entries.values(), key=lambda entry: (entry.rank, entry.ticket))
        return self._entries.pop(victim.key)


class TokenBucket:
    """So many things at once, and so many per second after that; may be shared between threads.

    Parameters
    ----------
    rate_per_s
        Tokens that come back per second.
    burst
        Tokens at most.
    """

    def __init__(self, *, rate_per_s: float, burst: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at_s: float | None = None
        self._lock = threading.Lock()

    def wait_s(self, now_s: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        with self._lock:
            if self._at_s is not None:
                self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._at_s) * self._rate_per_s)
            self._at_s = now_s
            if self._tokens >= 1.0:
                self._tokens -= 1.0
                return 0.0
            return (1.0 - self._tokens) / self._rate_per_s
