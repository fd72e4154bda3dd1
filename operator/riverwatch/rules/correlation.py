"""Stage 4a: Sigma correlations over a stream: records that a rule matched -> groups that reached the count.

Time comes from records only and may go backwards by less than the window. Memory is bounded: every group keeps no more
entries than the count needs, and a correlation keeps no more groups than its budget; the group that was quiet longest
goes first. The state is plain data. Called by `rules.engine`.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from typing import Any

from riverwatch.activity import derived
from riverwatch.rules import matching, rule

ENTRY_BUDGET = 200_000
"""Entries of one correlation over all its groups: about 20 MB at worst."""

MAX_GROUPS = 10_000
"""Groups of one correlation: the identities of the largest clusters supported."""

MAX_TIMES_PER_FEED = 16
"""Times kept per group and rule by the temporal kinds."""

MAX_VALUE_CHARS = 256
"""Characters of a group or value that are told apart."""


class Group:
    """What one correlation remembers about one group."""

    __slots__ = ("latest_s", "times", "values")

    def __init__(self) -> None:
        self.latest_s = float("-inf")
        self.times: dict[str, list[float]] = {}
        """Feed -> ascending record times, seconds."""
        self.values: dict[str, float] = {}
        """Value -> when it was last seen, seconds."""


class Counter:
    """The running state of one correlation.

    Parameters
    ----------
    spec
        What has to come together.
    """

    def __init__(self, spec: rule.Correlation) -> None:
        self.spec = spec
        self.evicted = 0
        """Groups forgotten for lack of room, since the start."""
        self._groups: OrderedDict[str, Group] = OrderedDict()
        self._entries_per_group = (
            MAX_TIMES_PER_FEED * len(spec.feeds)
            if spec.kind in (rule.CorrelationKind.TEMPORAL, rule.CorrelationKind.ORDERED)
            else spec.count + 1
        )
        self._max_groups = max(16, min(MAX_GROUPS, ENTRY_BUDGET // self._entries_per_group))

    def feed(self, feed: str, facts: derived.Facts) -> str | None:
        """Count one record that the rule `feed` matched; return the group when the condition holds now."""
        getters = self.spec.group_getters[feed]
        name = " ".join(_text(getter(facts)) for getter in getters)
        time_s = facts.activity.time_s
        group = self._group(name)
        if time_s < group.latest_s - self.spec.window_s:
            return None
        group.latest_s = max(group.latest_s, time_s)
        if self.spec.kind is rule.CorrelationKind.COUNT:
            holds = self._count(group, time_s)
        elif self.spec.kind is rule.CorrelationKind.VALUES:
            holds = self._count_values(group, facts)
        else:
            holds = self._sequence(group, feed, time_s)
        return name if holds else None

    def snapshot(self) -> list[list[Any]]:
        """Return the state as plain data, the group that was quiet longest first."""
        return [[name, group.latest_s, group.times, group.values] for name, group in self._groups.items()]

    def restore(self, data: list[list[Any]]) -> None:
        """Take over a state; rows of another shape are left out."""
        self._groups.clear()
        for row in data[-self._max_groups :]:
            if len(row) != 4 or not isinstance(row[2], dict) or not isinstance(row[3], dict):
                continue
            group = Group()
            group.latest_s = float(row[1])
            group.times = {str(feed): sorted(float(t) for t in times) for feed, times in row[2].items()}
            group.values = {str(value): float(t) for value, t in row[3].items()}
            self._groups[str(row[0])] = group

    def _group(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group()
            if len(self._groups) > self._max_groups:
                self._groups.popitem(last=False)
                self.evicted += 1
        else:
            self._groups.move_to_end(name)
        return group

    def _count(self, group: Group, time_s: float) -> bool:
        times = group.times.setdefault("", [])
        bisect.insort(times, time_s)
        del times[: bisect.bisect_left(times, group.latest_s - self.spec.window_s)]
        del times[: -self._entries_per_group]
        return self._compare(len(times))

    def _count_values(self, group: Group, facts: derived.Facts) -> bool:
        time_s = facts.activity.time_s
        value = " ".join(_text(getter(facts)) for getter in self.spec.value_getters)
        group.values[value] = max(time_s, group.values.get(value, time_s))
        oldest = group.latest_s - self.spec.window_s
        if len(group.values) > self._entries_per_group or any(seen < oldest for seen in group.values.values()):
            kept = sorted(((seen, one) for one, seen in group.values.items() if seen >= oldest), reverse=True)
            group.values = {one: seen for seen, one in kept[: self._entries_per_group]}
        return self._compare(len(group.values))

    def _sequence(self, group: Group, feed: str, time_s: float) -> bool:
        times = group.times.setdefault(feed, [])
        bisect.insort(times, time_s)
        del times[:-MAX_TIMES_PER_FEED]
        if self.spec.kind is rule.CorrelationKind.TEMPORAL:
            return self._together(group, time_s)
        return self._in_order(group, feed, time_s)

    def _together(self, group: Group, time_s: float) -> bool:
        """Whether one window that holds this record holds every feed."""
        window = self.spec.window_s
        starts = [t for times in group.times.values() for t in times if time_s - window <= t <= time_s]
        return any(
            all(any(start <= t <= start + window for t in group.times.get(feed, ())) for feed in self.spec.feeds)
            for start in starts
        )

    def _in_order(self, group: Group, feed: str, time_s: float) -> bool:
        """Whether a chain of all feeds in order runs through this record and fits the window.

        From the record back to the latest predecessor each time, and forward to the earliest successor: no other chain
        through it is shorter.
        """
        place = self.spec.feeds.index(feed)
        first = last = time_s
        for earlier in reversed(self.spec.feeds[:place]):
            times = group.times.get(earlier, [])
            found = bisect.bisect_right(times, first)
            if not found:
                return False
            first = times[found - 1]
        for later in self.spec.feeds[place + 1 :]:
            times = group.times.get(later, [])
            found = bisect.bisect_left(times, last)
            if found == len(times):
                return False
            last = times[found]
        return last - first <= self.spec.window_s

    def _compare(self, count: int) -> bool:
        match self.spec.operator:
            case rule.Operator.GTE:
                return count >= self.spec.count
            case rule.Operator.GT:
                return count > self.spec.count
            case _:
                return count == self.spec.count


def _text(got: Any) -> str:
    if got is None:
        return ""
    if isinstance(got, (list, tuple)):
        return ",".join(sorted(matching.text_of(one) for one in got))[:MAX_VALUE_CHARS]
    return matching.text_of(got)[:MAX_VALUE_CHARS]
