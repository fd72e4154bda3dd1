"""Stage 3 state: how much of what an identity does in one minute, ten minutes, an hour, a day.

Each activity that matters for volume (writes, deletes, reads of secrets, logs, refusals) is counted per identity in
windows of record time that start at whole multiples of their length. When a count reaches a power of two, that is a
value of the attribute ``volume``: a habit knows which powers an identity reached before, so "reached 64 deletes in 10
minutes" is new or it is not, and one model judges volumes and everything else. Owned by the pipeline; the identity
counted longest ago is forgotten first.
"""

from __future__ import annotations

import functools

from riverwatch.activity import record
from riverwatch.features import attributes

WINDOWS = ((60.0, "1 minute"), (600.0, "10 minutes"), (3_600.0, "1 hour"), (86_400.0, "1 day"))
"""Length in seconds and the words for it."""

LEAST = 8
"""Smallest count that is told; below it everything is ordinary."""

MIN_WINDOWS = 3
"""Windows of a length that must have passed before counts in it are told; there is nothing to compare with before."""

MAX_DISTINCT = 1_024
"""Different objects counted per window; a day with more is over any habit already."""

MAX_IDENTITIES = 20_000
"""Identities counted, at most about 4 KiB each."""

DISTINCT_KINDS = frozenset({"different secrets read", "namespaces touched"})
"""Kinds that count different things instead of requests."""

_WRITES = frozenset({"create", "update", "patch"})
_CHATTER = frozenset({"leases", "events", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews"})


@functools.lru_cache(maxsize=4_096)
def kinds_of(verb: str, resource: str, subresource: str, *, refused: bool) -> tuple[str, ...]:
    """Return the kinds of volume that such an activity counts for; none for most.

    Examples
    --------
    >>> kinds_of("get", "secrets", "", refused=False), kinds_of("watch", "pods", "", refused=False)
    (('different secrets read', 'secret reads', 'namespaces touched'), ())
    """
    if refused:
        return ("refused requests",)
    if not resource or resource in _CHATTER or subresource == "status":
        return ()
    if resource == "secrets" and verb in {"get", "list"}:
        return ("different secrets read", "secret reads", "namespaces touched")
    if verb in {"delete", "deletecollection"}:
        return ("deletes", "namespaces touched")
    if subresource == "log":
        return ("logs read", "namespaces touched")
    if subresource in attributes.CONNECT_SUBRESOURCES:
        return ("connections into pods", "namespaces touched")
    if verb in _WRITES:
        return ("writes", "namespaces touched")
    return ("lists", "namespaces touched") if verb == "list" else ()


class Volumes:
    """Counts of all identities in their current windows."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, list[float]]] = {}
        self._distinct: dict[str, dict[str, list[str]]] = {}
        self._began_s: float | None = None

    def count(self, activity: record.Activity) -> str:
        """Count one activity; return the highest power of two that it made a window reach, in words, or nothing."""
        kinds = kinds_of(activity.verb, activity.resource, activity.subresource, refused=activity.refused)
        if not kinds:
            return ""
        if self._began_s is None:
            self._began_s = activity.time_s
        age_s = activity.time_s - self._began_s
        username = activity.principal.username
        counts = self._counts.pop(username, None)
        if counts is None:
            counts = {}
            if len(self._counts) >= MAX_IDENTITIES:
                oldest = next(iter(self._counts))
                del self._counts[oldest]
                self._distinct.pop(oldest, None)
        self._counts[username] = counts
        best, said = 0, ""
        for kind in kinds:
            thing = _thing(kind, activity) if kind in DISTINCT_KINDS else ""
            for length_s, words in WINDOWS:
                reached = self._add(username, counts, f"{kind} in {words}", thing, activity.time_s // length_s)
                told = reached >= max(best, LEAST) and age_s >= MIN_WINDOWS * length_s
                if told and reached & (reached - 1) == 0:
                    best, said = reached, f"{reached} or more {kind} in {words}"
        return said

    def _add(self, username: str, counts: dict[str, list[float]], slot: str, thing: str, window: float) -> int:
        """Count one thing in a slot's current window; return the count, or 0 when it did not change."""
        state = counts.get(slot)
        if state is None or window > state[0]:
            state = counts[slot] = [window, 0.0]
            if thing:
                self._distinct.setdefault(username, {})[slot] = []
        elif window < state[0]:
            return 0  # a record that came late; its window is gone
        if thing:
            known = self._distinct.setdefault(username, {}).setdefault(slot, [])
            if thing in known or len(known) >= MAX_DISTINCT:
                return 0
            known.append(thing)
        state[1] += 1.0
        return int(state[1])

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [self._counts, self._distinct, self._began_s]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self._counts, self._distinct, self._began_s = data  # type: ignore[assignment]


def _thing(kind: str, activity: record.Activity) -> str:
    if kind == "namespaces touched":
        return activity.namespace or "cluster-wide"
    return f"{activity.namespace}/{activity.name or '*'}"[: attributes.MAX_VALUE_CHARS]
