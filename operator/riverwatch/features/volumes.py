"""Stage 3 state: how much of what an identity does in one minute, ten minutes, an hour, a day.

Each activity that matters for volume (writes, deletes, reads of secrets, logs, refusals) is counted per identity in
windows of record time that start at whole multiples of their length. When a count reaches a power of two, that is a
value of the attribute ``volume``, and `features.amounts` says how surprising it is beside the identity's earlier
windows. A window in which something was held back from learning does not become one of them. Owned by the pipeline;
the identity counted longest ago is forgotten first.
"""

from __future__ import annotations

import array
import functools
from typing import Any, NamedTuple

from riverwatch.activity import derived_facts, record
from riverwatch.features import amounts, attributes

WINDOWS = ((60.0, "1 minute"), (600.0, "10 minutes"), (3_600.0, "1 hour"), (86_400.0, "1 day"))
"""Length in seconds and the words for it."""

LEAST = 8
"""Smallest count that is told; below it everything is ordinary."""

MIN_WINDOWS = 3
"""Windows of a length that must have passed before counts in it are told; there is nothing to compare with before."""

MAX_DISTINCT = 1_024
"""Different objects counted per window; a day with more is over any habit already."""

MAX_IDENTITIES = 20_000
"""Identities counted, some 3 KiB each."""

REFUSED = frozenset({401, 403})
"""HTTP status codes of requests that authentication, authorization or admission refused."""

LOGS_WIDE = "namespaces whose logs were read"
"""Kind that tells who looks after an application from who gathers what all of them write."""

DISTINCT_KINDS = frozenset({"different secrets read", "namespaces touched", "different requests refused", LOGS_WIDE})
"""Kinds that count different things instead of requests. Of what is refused, too: software whose rights are missing
asks for the same again and again, somebody who tries what he may do asks for this and that."""

_LENGTHS = tuple((place, length_s) for place, (length_s, _) in enumerate(WINDOWS))
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
        return ("different requests refused",)
    if not resource or resource in _CHATTER or subresource == "status":
        return ()
    if resource == "secrets" and verb in {"get", "list"}:
        return ("different secrets read", "secret reads", "namespaces touched")
    if verb in derived_facts.DELETE_VERBS:
        return ("deletes", "namespaces touched")
    if subresource == "log":
        return ("logs read", LOGS_WIDE, "namespaces touched")
    if subresource in attributes.CONNECT_SUBRESOURCES:
        return ("connections into pods", "namespaces touched")
    if verb in derived_facts.WRITE_VERBS:
        return ("writes", "namespaces touched")
    return ("lists", "namespaces touched") if verb == "list" else ()


def kinds_of_activity(activity: record.Activity) -> tuple[str, ...]:
    """Return the kinds of volume that an activity counts for."""
    return kinds_of(activity.verb, activity.resource, activity.subresource, refused=activity.code in REFUSED)


def amount_of(value: str) -> int:
    """Return the count that a value of the attribute tells, 0 when it tells none.

    Examples
    --------
    >>> amount_of("64 or more deletes in 10 minutes"), amount_of("")
    (64, 0)
    """
    count = value.partition(" ")[0]
    return int(count) if count.isdecimal() else 0


def is_wide(value: str) -> bool:
    """Tell whether a value of the attribute counts namespaces whose logs were read, which is no view of another count.

    Examples
    --------
    >>> is_wide("8 or more namespaces whose logs were read in 1 hour"), is_wide("8 or more logs read in 1 hour")
    (True, False)
    """
    return LOGS_WIDE in value


class Asked(NamedTuple):
    """What a request was for."""

    verb: str
    resource: str
    namespace: str
    name: str


class Windows:
    """Counts of one kind in the current window of each length; with `things`, of different things."""

    __slots__ = ("counts", "doubted_s", "past", "starts", "things")

    def __init__(self, *, distinct: bool) -> None:
        self.starts = [0.0] * len(WINDOWS)
        """Record time at which each current window began."""
        self.counts = [0] * len(WINDOWS)
        self.past = amounts.past(len(WINDOWS))
        """What is known about earlier windows."""
        self.doubted_s = -1.0
        """Record time of the latest count that must not become usual."""
        self.things: dict[str, float] | None = {} if distinct else None
        """Thing -> record time it was last counted; those of the longest window at most."""

    def add(self, time_s: float, thing: str) -> int:
        """Count once; return the places of windows whose count grew to a power of two as bits, 0 for none."""
        last_s = -1.0
        if self.things is not None:
            last_s = self.things.get(thing, -1.0)
            if last_s >= self.starts[0] and time_s < self.starts[0] + WINDOWS[0][0]:
                return 0
            if last_s < 0.0 and len(self.things) >= MAX_DISTINCT and not self._forget(time_s):
                return 0
            self.things[thing] = max(time_s, last_s)
        reached = 0
        starts, counts = self.starts, self.counts
        for place, length_s in _LENGTHS:
            start_s = starts[place]
            if time_s >= start_s + length_s:
                if counts[place] and self.doubted_s < start_s:
                    amounts.close(self.past, place, counts[place])
                start_s = starts[place] = time_s - time_s % length_s
                counts[place] = 0
            elif time_s < start_s:
                continue  # a record that came late; its window is gone
            if last_s < start_s:
                count = counts[place] = counts[place] + 1
                if not count & (count - 1):
                    reached |= 1 << place
        return reached

    def _forget(self, time_s: float) -> bool:
        length_s = WINDOWS[-1][0]
        began_s = time_s - time_s % length_s
        self.things = {thing: last_s for thing, last_s in (self.things or {}).items() if last_s >= began_s}
        return len(self.things) < MAX_DISTINCT


class Volumes:
    """Counts of all identities in their current windows."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, Windows]] = {}
        self._began_s: float | None = None

    def count(self, activity: record.Activity) -> amounts.Amount | None:
        """Count one activity; return the most surprising power of two that it made a window reach, if any."""
        kinds = kinds_of_activity(activity)
        if not kinds:
            return None
        asked = Asked(activity.verb, activity.resource, activity.namespace, activity.name)
        return self.count_for(kinds, activity.principal.username, activity.time_s, asked)

    def count_for(self, kinds: tuple[str, ...], username: str, time_s: float, asked: Asked) -> amounts.Amount | None:
        """Do the same for an activity of known kinds, at least one."""
        if self._began_s is None:
            self._began_s = time_s
        windows = self._of(username)
        best: amounts.Amount | None = None
        for kind in kinds:
            counted = windows.get(kind)
            if counted is None:
                counted = windows[kind] = Windows(distinct=kind in DISTINCT_KINDS)
            reached = counted.add(time_s, "" if counted.things is None else _thing(kind, asked))
            if not reached or counted.counts[-1] < LEAST:
                # Windows lie within each other: no count is larger than that of the longest one.
                continue
            for place, (length_s, _) in enumerate(WINDOWS):
                if reached >> place & 1 and _is_record(counted, place) and self._comparable(time_s, length_s):
                    best = _stranger(best, _amount(kind, counted, place, windows))
        return best

    def doubt(self, username: str, time_s: float) -> None:
        """Take note that what an identity does now must not become usual: its current windows are not remembered."""
        for counted in self._counts.get(username, {}).values():
            counted.doubted_s = time_s

    def _comparable(self, time_s: float, length_s: float) -> bool:
        return self._began_s is not None and time_s - self._began_s >= MIN_WINDOWS * length_s

    def _of(self, username: str) -> dict[str, Windows]:
        windows = self._counts.pop(username, None)
        if windows is None:
            windows = {}
            if len(self._counts) >= MAX_IDENTITIES:
                del self._counts[next(iter(self._counts))]
        self._counts[username] = windows
        return windows

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [
            self._began_s,
            {
                username: {
                    kind: [one.starts, one.counts, one.things, one.past.tolist(), one.doubted_s]
                    for kind, one in windows.items()
                }
                for username, windows in self._counts.items()
            },
        ]

    def load(self, data: list[Any]) -> None:
        """Take over what `dump` returned."""
        self._began_s, stored = data
        self._counts = {
            username: {kind: _windows(*one) for kind, one in kinds.items()} for username, kinds in stored.items()
        }


def _windows(
    starts: list[float],
    counts: list[int],
    things: dict[str, float] | None,
    past: list[float] | None = None,
    doubted_s: float = -1.0,
) -> Windows:
    windows = Windows(distinct=things is not None)
    windows.starts, windows.counts, windows.things, windows.doubted_s = starts, counts, things, doubted_s
    if past is not None:
        windows.past = array.array("d", past)
    return windows


def _is_record(counted: Windows, place: int) -> bool:
    """Tell whether a count is told at all: a window that held as many before makes it no news."""
    count = counted.counts[place]
    return count >= LEAST and count > amounts.largest(counted.past, place)


def _amount(kind: str, counted: Windows, place: int, windows: dict[str, Windows]) -> amounts.Amount:
    count, words = counted.counts[place], WINDOWS[place][1]
    active = max(amounts.seen(one.past, place) for one in windows.values())
    most = amounts.largest(counted.past, place)
    return amounts.Amount(
        f"{count} or more {kind} in {words}",
        amounts.nats(counted.past, place, count, windows=active),
        f"at most {most} {kind} in {words}" if most else "",
    )


def _stranger(one: amounts.Amount | None, other: amounts.Amount) -> amounts.Amount:
    return one if one is not None and one.nats >= other.nats else other


def _thing(kind: str, asked: Asked) -> str:
    namespace = asked.namespace or "cluster-wide"
    if kind in {"namespaces touched", LOGS_WIDE}:
        return namespace
    if kind == "different requests refused":
        return f"{asked.verb} {asked.resource} {namespace}"[: attributes.MAX_VALUE_CHARS]
    return f"{asked.namespace}/{asked.name or '*'}"[: attributes.MAX_VALUE_CHARS]
