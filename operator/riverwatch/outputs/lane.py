"""One thread that delivers keyed things in order, with spacing, rate limit and retries.

In: `submit(key, item, rank)` from any thread, never blocking. Out: calls of `deliver(item)`. Invariants: one delivery
at a time; of one key only the newest item is delivered; nothing is lost while a receiver is away; delays are data. Used
by `outputs.dispatch` for every output, and by `control` for the statuses of custom resources.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from riverwatch import clock, errors
from riverwatch.outputs import pending

T = TypeVar("T")

_log = logging.getLogger(__name__)

DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds before the next attempt; the last one repeats. Kept short: a detection is worth most while it is fresh."""

REMEMBERED = 4096
"""Keys whose last delivery time is kept for the spacing."""


class Outcome(enum.StrEnum):
    """What became of one attempt; label values of the metrics."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GIVEN_UP = "given_up"
    DROPPED = "dropped"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """How a lane works."""

    capacity: int = 20_000
    """Keys that wait at most."""
    spacing_s: float = 0.0
    """Seconds between two deliveries of one key."""
    attempts: int | None = None
    """Attempts before an item is given up; None never gives up."""
    delays_s: tuple[float, ...] = DELAYS_S
    patient: frozenset[int] = frozenset()
    """HTTP codes of refusals that may pass: an API server that just started answers 403 until it has read its roles,
    and a kind or namespace may be installed later."""


class Lane(Generic[T]):
    """A delivery thread with its pending map.

    Parameters
    ----------
    name
        Shown in logs and used as the thread's name.
    deliver
        Delivers one item or raises `TemporaryError` / `PermanentError`.
    plan
        Bounds and delays.
    bucket
        Rate limit; may be shared between lanes.
    report
        Told every outcome; counts them.
    time
        Clock.
    """

    def __init__(  # noqa: PLR0913 - three of them have good defaults
        self,
        name: str,
        deliver: Callable[[T], None],
        *,
        plan: Plan,
        bucket: pending.TokenBucket | None = None,
        report: Callable[[Outcome], None] | None = None,
        time: clock.Clock | None = None,
    ) -> None:
        self.name = name
        self._deliver = deliver
        self._plan = plan
        self._bucket = bucket
        self._report = report or (lambda _: None)
        self._time = time or clock.SystemClock()
        self._pending: pending.PendingMap[T] = pending.PendingMap(capacity=plan.capacity)
        self._delivered_s: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._failures = 0
        self._paused_until_s = float("-inf")
        self._busy = ""
        """Key that is being delivered; empty when none is."""
        self._submitted = 0
        self._stopping = False
        self._deadline_s = float("inf")
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def depth(self) -> int:
        """How many items wait."""
        with self._changed:
            return len(self._pending) + bool(self._busy)

    def waiting(self) -> list[str]:
        """Return the keys that are not delivered yet."""
        with self._changed:
            return [*self._pending.keys(), *([self._busy] if self._busy else [])]

    @property
    def failing(self) -> bool:
        """Whether the last attempts failed."""
        return self._failures > 1

    def submit(self, key: str, item: T, *, rank: int = 0) -> None:
        """Hand over the newest version of what `key` is about; returns at once."""
        now_s = self._time.monotonic_s()
        with self._changed:
            last_s = self._delivered_s.get(key)
            due_s = now_s if last_s is None else max(now_s, last_s + self._plan.spacing_s)
            dropped = self._pending.put(key, item, rank=rank, due_s=due_s)
            self._submitted += 1
            self._changed.notify_all()
        if dropped is not None:
            _log.warning("pending map is full, the weakest entry is dropped", extra={"lane": self.name})
            self._report(Outcome.DROPPED)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=f"lane-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, *, within_s: float) -> int:
        """Give every waiting item its last chance within a time, end the thread and return how many were left."""
        now_s = self._time.monotonic_s()
        with self._changed:
            self._stopping = True
            self._deadline_s = now_s + within_s
            self._paused_until_s = now_s
            self._pending.hurry(now_s)
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(within_s + 1.0)
        left = self.depth
        for _ in range(left):
            self._report(Outcome.DROPPED)
        return left

    def step(self) -> float | None:
        """Deliver what is due and return the seconds until there may be more to do; None when nothing waits."""
        while True:
            now_s = self._time.monotonic_s()
            with self._changed:
                wait_s = self._wait_s(now_s)
                if wait_s is None or wait_s > 0:
                    return wait_s
                entry = self._pending.take(now_s)
                if entry is None:
                    continue
                self._busy = entry.key
            try:
                self._attempt(entry)
            finally:
                with self._changed:
                    self._busy = ""
                    self._changed.notify_all()

    def _wait_s(self, now_s: float) -> float | None:
        """Seconds until the next attempt; 0 takes a token of the rate limit."""
        due_s = self._pending.next_due_s()
        if due_s is None:
            return None
        wait_s = max(due_s, self._paused_until_s) - now_s
        if wait_s > 0:
            return wait_s
        return self._bucket.wait_s(now_s) if self._bucket is not None else 0.0

    def _attempt(self, entry: pending.Entry[T]) -> None:
        """Deliver one entry and file what became of it."""
        try:
            self._deliver(entry.item)
        except errors.TemporaryError as error:
            self._failed(entry, error)
        except errors.PermanentError as error:
            if isinstance(error, errors.ApiPermanentError) and error.status in self._plan.patient:
                self._failed(entry, error)
                return
            _log.error("given up: the receiver refused", extra={"lane": self.name, "cause": str(error)})
            self._report(Outcome.GIVEN_UP)
        except Exception:  # noqa: BLE001 - a fault in one item must not end the lane for all others
            _log.exception("given up: delivery raised", extra={"lane": self.name})
            self._report(Outcome.GIVEN_UP)
        else:
            if self._failures > 1:
                _log.info("receiver is back", extra={"lane": self.name})
            self._failures = 0
            self._remember(entry.key)
            self._report(Outcome.DELIVERED)

    def _failed(self, entry: pending.Entry[T], error: errors.RiverwatchError) -> None:
        """Put an entry back for later, or give it up."""
        self._failures += 1
        limit = self._plan.attempts
        if limit is not None and entry.attempts + 1 >= limit:
            _log.warning("given up after attempts", extra={"lane": self.name, "cause": str(error)})
            self._report(Outcome.GIVEN_UP)
            return
        delays_s = self._plan.delays_s
        asked_s = getattr(error, "retry_after_s", 0.0)
        delay_s = max(asked_s, delays_s[min(self._failures, len(delays_s)) - 1])
        now_s = self._time.monotonic_s()
        if self._failures in (2, 10) or self._failures % 100 == 0:
            _log.warning(
                "receiver is away, deliveries wait",
                extra={"lane": self.name, "attempts": self._failures, "cause": str(error)},
            )
        with self._changed:
            own_s = delays_s[min(entry.attempts, len(delays_s) - 1)]
            self._pending.put_back(entry, due_s=now_s + max(own_s, asked_s))
            if self._failures > 1:
                self._paused_until_s = now_s + delay_s
        self._report(Outcome.RETRIED)

    def _remember(self, key: str) -> None:
        if self._plan.spacing_s <= 0:
            return
        with self._changed:
            self._delivered_s[key] = self._time.monotonic_s()
            self._delivered_s.move_to_end(key)
            if len(self._delivered_s) > REMEMBERED:
                self._delivered_s.popitem(last=False)

    def _run(self) -> None:
        while True:
            seen = self._submitted
            stopping = self._stopping
            wait_s = self.step()
            now_s = self._time.monotonic_s()
            if stopping and (wait_s is None or now_s + wait_s >= self._deadline_s):
                return
            with self._changed:
                if seen == self._submitted and stopping == self._stopping:
                    self._changed.wait(wait_s)
