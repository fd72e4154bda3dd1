"""The bounded queue between receivers and the worker: deliveries by count and bytes, changes from control beside them.

`offer` is called by sources on their own threads and never blocks: no room means False, and the receiver answers 429.
Changes (policies, rules, inventory, verdicts) are few, never refused, and always taken before the next delivery, so
that a policy that was accepted holds for the records that come after it.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from riverwatch.sources import base

P = TypeVar("P")


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Room of the queue."""

    batches: int
    octets: int
    """Bytes of all bodies together; one body alone may always enter an empty queue."""


@dataclasses.dataclass(frozen=True)
class Work(Generic[P]):
    """What the worker takes at once: all changes that wait, and one delivery if there is one."""

    changes: list[Callable[[P], None]]
    delivery: base.Delivery | None
    closed: bool
    """Whether nothing will ever come again."""


class WorkQueue(Generic[P]):
    """Deliveries and changes for one worker.

    Parameters
    ----------
    bounds
        Room for deliveries.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._deliveries: collections.deque[base.Delivery] = collections.deque()
        self._changes: collections.deque[Callable[[P], None]] = collections.deque()
        self._named: set[str] = set()
        self._octets = 0
        self._closed = False
        self._held = False
        self._changed = threading.Condition()

    def offer(self, delivery: base.Delivery) -> bool:
        """Take a delivery over, or return False when there is no room."""
        size = len(delivery.body)
        with self._changed:
            full = len(self._deliveries) >= self._bounds.batches or (
                self._deliveries and self._octets + size > self._bounds.octets
            )
            if full or self._closed:
                return False
            self._deliveries.append(delivery)
            self._octets += size
            self._changed.notify()
        return True

    def change(self, apply: Callable[[P], None]) -> None:
        """Hand over a change of the pipeline; dropped once the queue is closed and empty."""
        with self._changed:
            self._changes.append(apply)
            self._changed.notify()

    def change_once(self, name: str, apply: Callable[[P], None]) -> None:
        """Hand over a change unless one of the same name waits; it must read its input when it is applied."""
        with self._changed:
            if name in self._named:
                return
            self._named.add(name)

            def named(owner: P) -> None:
                with self._changed:
                    self._named.discard(name)
                apply(owner)

            self._changes.append(named)
            self._changed.notify()

    @property
    def held(self) -> bool:
        """Whether deliveries wait for `release`; changes are taken meanwhile."""
        return self._held

    def hold(self) -> None:
        """Give out no delivery until `release`: what was spooled must not be judged before policies are known."""
        self._held = True

    def release(self) -> None:
        """Give out deliveries again."""
        with self._changed:
            self._held = False
            self._changed.notify_all()

    def take(self, *, wait_s: float) -> Work[P]:
        """Wait for work and take it; an empty one after `wait_s` seconds."""
        with self._changed:
            if (self._held or not self._deliveries) and not self._changes and not self._closed:
                self._changed.wait(wait_s)
            changes = list(self._changes)
            self._changes.clear()
            ready = self._deliveries and (self._closed or not self._held)
            delivery = self._deliveries.popleft() if ready else None
            if delivery is not None:
                self._octets -= len(delivery.body)
            closed = self._closed and not self._deliveries
            return Work(changes, delivery, closed)

    def close(self) -> None:
        """Accept no delivery any more; what waits is still taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def depth(self) -> int:
        """Deliveries that wait."""
        return len(self._deliveries)

    @property
    def octets(self) -> int:
        """Bytes that wait."""
        return self._octets

    def age_s(self, now_s: float) -> float:
        """Return the seconds since the oldest delivery that waits arrived, 0 when none waits."""
        with self._changed:
            return max(0.0, now_s - self._deliveries[0].received_s) if self._deliveries else 0.0

    @property
    def fill(self) -> float:
        """How full the queue is, 0..1, by the tighter of its two bounds."""
        return max(self.depth / self._bounds.batches, self._octets / self._bounds.octets)
