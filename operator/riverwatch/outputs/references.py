"""Where the ThreatDetection of a detection stands in the cluster: name and uid, for the Events that point at it.

Bounded and shared: `threat_detection` writes an entry after each apply, `k8s_event` reads it. An entry that was
forgotten is looked up on the API server by its reader.
"""

from __future__ import annotations

import collections
import dataclasses
import threading

CAPACITY = 20_000
"""References kept; as many as detections may wait for delivery."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """One object in the cluster."""

    namespace: str
    name: str
    uid: str


class References:
    """Detection uid -> `Reference`, the least recently written one forgotten first."""

    def __init__(self) -> None:
        self._known: collections.OrderedDict[str, Reference] = collections.OrderedDict()
        self._lock = threading.Lock()

    def get(self, uid: str) -> Reference | None:
        """Return the reference of a detection, if known."""
        with self._lock:
            return self._known.get(uid)

    def put(self, uid: str, reference: Reference) -> None:
        """Remember a reference."""
        with self._lock:
            self._known[uid] = reference
            self._known.move_to_end(uid)
            if len(self._known) > CAPACITY:
                self._known.popitem(last=False)


class Recent:
    """A set that forgets the oldest members; for the detections that were announced."""

    def __init__(self) -> None:
        self._members: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._lock = threading.Lock()

    def has(self, key: str) -> bool:
        """Whether the key was added and is not forgotten."""
        with self._lock:
            return key in self._members

    def add(self, key: str) -> None:
        """Add a key."""
        with self._lock:
            self._members[key] = None
            if len(self._members) > CAPACITY:
                self._members.popitem(last=False)
