"""What replicas tell each other about the stream: an annotation of each on the Lease by which they elect a leader.

An API server keeps its connection, so that one replica may get all records and another none, and a heartbeat may come
back to a replica that did not send it. In: what this replica sees. Out: what all of them see together. A replica that
is silent for `FRESH_S` counts no more. Called by `stream_health` on the control thread.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from riverwatch import clock, errors
from riverwatch.control import heartbeat
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.runtime import leader

_log = logging.getLogger(__name__)

PREFIX = "stream.riverwatch.dev/"
"""Beginning of the annotations' names; a digest of the replica's name follows."""

WRITE_S = 30.0
"""Seconds between two writes of a replica that has heard no heartbeat of another's meanwhile."""

READ_S = 10.0
"""Seconds between two looks; with a look and a write, a heartbeat heard elsewhere is known well within its patience."""

FRESH_S = 120.0
"""Seconds for which what a replica wrote counts."""

FORGET_S = 3_600.0
"""Seconds after which a replica's annotation is removed."""


class View(msgspec.Struct, frozen=True):
    """What one replica sees; a new field needs a default, so that replicas of two versions understand each other."""

    at_s: float
    """Wall time of the writing."""
    last_s: float = 0.0
    lag_s: float = 0.0
    senders: dict[str, tuple[float, int]] = {}
    heard: list[str] = []
    """Heartbeats of other replicas."""


class Peers:
    """Tells and hears.

    Parameters
    ----------
    client
        API server.
    namespace
        Where the Lease is.
    me
        Name of this replica, unique.
    time
        Clock.
    """

    def __init__(self, client: kube_client.Client, *, namespace: str, me: str, time: clock.Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._key = PREFIX + hashlib.sha256(me.encode()).hexdigest()[:16]
        self._time = time
        self._views: dict[str, View] = {}
        self._told: list[str] = []
        self._next_read_s = self._next_write_s = float("-inf")

    def exchange(self, seen: heartbeat.Seen, heard: Sequence[str]) -> None:
        """Tell what this replica sees and heard, and read what others do; an API server that is away is no matter."""
        now_s = self._time.monotonic_s()
        if now_s < self._next_read_s:
            return
        self._next_read_s = now_s + READ_S
        try:
            lease = self._client.get(resources.LEASES, namespace=self._namespace, name=leader.NAME)
            self._read((lease.get("metadata") or {}).get("annotations") or {})
            if now_s >= self._next_write_s or list(heard) != self._told:
                self._write(lease, seen, heard)
                self._next_write_s, self._told = now_s + WRITE_S, list(heard)
        except (errors.TemporaryError, errors.PermanentError) as error:
            # Not elected yet, or somebody else wrote at the same moment.
            _log.debug("the stream's state was not exchanged", extra={"cause": str(error)})

    def together(self, seen: heartbeat.Seen) -> heartbeat.Seen:
        """Return what all replicas see, given what this one does."""
        views = [View(self._time.now_s(), seen.last_s, seen.lag_s, dict(seen.senders)), *self._fresh()]
        newest = max(views, key=lambda view: view.last_s)
        senders: dict[str, tuple[float, int]] = {}
        for view in views:
            for name, (last_s, count) in view.senders.items():
                before_s, before = senders.get(name, (0.0, 0))
                senders[name] = (max(before_s, last_s), before + count)
        return heartbeat.Seen(lag_s=newest.lag_s, last_s=newest.last_s, senders=senders)

    def heard(self) -> list[str]:
        """Return the heartbeats that other replicas heard."""
        return [name for view in self._fresh() for name in view.heard]

    def _fresh(self) -> list[View]:
        now_s = self._time.now_s()
        return [view for view in self._views.values() if abs(now_s - view.at_s) < FRESH_S]

    def _read(self, annotations: Mapping[str, str]) -> None:
        self._views = {}
        for key, text in annotations.items():
            if key.startswith(PREFIX) and key != self._key:
                try:
                    self._views[key] = msgspec.json.decode(text, type=View)
                except msgspec.DecodeError as error:
                    _log.info("another replica's view cannot be read", extra={"object": key, "cause": str(error)})

    def _write(self, lease: dict[str, Any], seen: heartbeat.Seen, heard: Sequence[str]) -> None:
        now_s = self._time.now_s()
        mine = View(round(now_s, 1), round(seen.last_s, 1), round(seen.lag_s, 1), dict(seen.senders), list(heard))
        gone = {key for key, view in self._views.items() if now_s - view.at_s > FORGET_S}
        metadata = lease.setdefault("metadata", {})
        kept = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in gone}
        metadata["annotations"] = kept | {self._key: msgspec.json.encode(mine).decode()}
        self._client.replace(resources.LEASES, lease)
