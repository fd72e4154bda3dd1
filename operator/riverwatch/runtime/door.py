"""The door: a delivery of which the worker could only drop every record is taken, counted and not kept.

In: deliveries at the moment they arrive, on the threads of their sources. Out: what was dropped, told to the worker,
whose tally counts it like a record that it dropped itself. Such a delivery costs a look at its names: neither room in
the spool nor a turn of the worker, which in a flood belong to everybody else.

It is taken and not refused, because an API server sends a refused batch four more times within a minute and a half and
holds it in memory meanwhile: a flood would grow fivefold, and its records are lost in the end all the same.
"""

from __future__ import annotations

import threading

import msgspec

from riverwatch.runtime import fairness
from riverwatch.sources import base, glance

MAX_SENDERS = 64
"""Senders told apart between two turns of the worker; the deliveries of further ones go to the worker."""


class Dropped(msgspec.Struct):
    """What was dropped of one sender, until the worker asks."""

    records: int
    latest: base.Delivery
    """The last delivery, without its body."""


class Door:
    """Tells which deliveries are worth keeping.

    Parameters
    ----------
    fair
        Of the worker, which alone changes it; a look from another thread may be late by a turn, which is harmless.
    """

    def __init__(self, fair: fairness.Fairness) -> None:
        self._fair = fair
        self._lock = threading.Lock()
        self._dropped: dict[str, Dropped] = {}

    def passes(self, delivery: base.Delivery, *, spared: str | None) -> bool:
        """Tell whether a delivery must be kept; one that need not be is counted.

        Parameters
        ----------
        delivery
            As it arrived.
        spared
            A user none of whose records is dropped.
        """
        if not self._fair.closed or delivery.after is not None:
            return True
        seen = glance.look(delivery.body)
        if seen is None or not seen.names or self._fair.sift(seen.names, spared=spared):
            return True
        with self._lock:
            found = self._dropped.get(delivery.where)
            if found is None:
                if len(self._dropped) >= MAX_SENDERS:
                    return True
                found = self._dropped[delivery.where] = Dropped(0, delivery)
            found.records += len(seen.names)
            found.latest = base.Delivery(b"", delivery.where, delivery.received_s)
        return False

    def collect(self) -> list[Dropped]:
        """Return what was dropped since the last call."""
        with self._lock:
            found = list(self._dropped.values())
            self._dropped.clear()
        return found
