"""Stage 4b state of the novelty model: what one identity showed (`Habit`), and what its groups showed (`Level`).

Owned and emptied by `models.novelty`; bounded by the constants below. Plain data, so that checkpoints can hold it.
"""

from __future__ import annotations

import itertools
import sys

MAX_VALUES = 512
"""Values kept per identity and attribute, about 90 bytes each; few identities, such as those that serve every
namespace, show more than some dozens."""

FORGOTTEN = 128
"""Values forgotten at once when there are too many, those that opened a burst longest ago."""

MAX_LEVEL_VALUES = 4096
"""Values kept per group and attribute."""

HALF_LIFE_TRIALS = 400.0
"""Trials after which an old trial counts half. A trial is a burst of activity (see `TRIAL_SHARE`), so an identity
that is always active halves its memory in about 11 days once it is two weeks old."""

DECAY = 0.5 ** (1.0 / HALF_LIFE_TRIALS)
"""Factor per trial that follows from the half-life."""

TRIAL_SHARE = 0.002
"""A new trial begins when this share of the identity's age has passed since the last one: trials grow with the
logarithm of age, so that a chatty controller does not get a thousand times the confidence of a quiet one."""

TRIAL_MIN_S = 10.0
"""Shortest trial, seconds."""

MAX_NEW_PER_HOUR = 64
"""Values that one identity may teach in an hour, its own habit and its groups alike: nobody teaches a model in a burst
that everything is ordinary. What is beyond stays new."""

MAX_NEW_YOUNG = 640
"""The same on the first day of an identity; in its first hour a busy controller of a large cluster shows some 560."""

HOUR_S = 3_600.0
"""Seconds."""

YOUNG_S = 86_400.0
"""Seconds for which an identity is young."""


class AttributeHabit:
    """What one identity showed of one attribute."""

    __slots__ = ("fresh", "trials", "values")

    def __init__(self) -> None:
        self.trials = 0.0
        """Decayed number of bursts in which the attribute was present."""
        self.fresh = 0.0
        """Decayed number of those that showed a value for the first time (the very first one excepted)."""
        self.values: dict[str, int] = {}
        """Value -> bursts that it opened; the one that opened a burst last stands last."""

    def repeat(self, value: str) -> None:
        """Count a known value that opens a burst."""
        self.trials = self.trials * DECAY + 1.0
        self.fresh *= DECAY
        self.values[value] = self.values.pop(value) + 1

    def adopt(self, value: str, *, explained: bool = False) -> bool:
        """Count a value that is new; return whether others had to be forgotten for it.

        What something else explains, a namespace that everybody meets for the first time, is a burst like any other: it
        says nothing about how often the identity goes where it never was.
        """
        self.trials = self.trials * DECAY + 1.0
        self.fresh = self.fresh * DECAY + (1.0 if self.values and not explained else 0.0)
        self.values[sys.intern(value)] = 1
        if len(self.values) <= MAX_VALUES:
            return False
        for forgotten in list(itertools.islice(self.values, FORGOTTEN)):
            del self.values[forgotten]
        return True

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [self.trials, self.fresh, self.values]

    @classmethod
    def load(cls, data: list[object]) -> AttributeHabit:
        """Build from what `dump` returned."""
        habit = cls()
        habit.trials, habit.fresh, values = data  # type: ignore[assignment]
        habit.values = {sys.intern(value): bursts for value, bursts in values.items()}  # type: ignore[attr-defined]
        return habit


class Habit:
    """Everything one identity showed.

    A burst is opened by the first record after `next_s`. Only that record counts for known values; what is new counts
    whenever it comes. So inside a burst a record without anything new teaches nothing and can be passed over.
    """

    __slots__ = ("attributes", "born_s", "edition", "hour_s", "last_s", "new", "next_s", "records", "whole")

    def __init__(self, width: int, born_s: float) -> None:
        self.attributes = [AttributeHabit() for _ in range(width)]
        self.born_s = born_s
        self.last_s = born_s
        self.next_s = born_s
        """Record time at which the next burst may be opened."""
        self.records = 0
        self.edition = 0
        """Counts the times that values were forgotten: what was known in one edition is known throughout it."""
        self.hour_s = born_s
        """Record time at which the hour began in which `new` counts."""
        self.new = 0
        """Values learned in that hour."""
        self.whole = True
        """Whether every value of the record learned last is known now."""

    def learn(self, values: tuple[str, ...], time_s: float, explained: frozenset[int] = frozenset()) -> list[int]:
        """Count one record; return the places whose value was new, those beyond what an hour may teach excepted.

        Parameters
        ----------
        values
            One for each attribute; empty for none.
        time_s
            Record time.
        explained
            Places of attributes in which something else explains what is new.
        """
        self.records += 1
        self.last_s = time_s
        opens = time_s >= self.next_s
        if opens:
            self.next_s = time_s + max(TRIAL_MIN_S, TRIAL_SHARE * (time_s - self.born_s))
        adopted = []
        self.whole = True
        attributes = self.attributes
        for place, value in enumerate(values):
            if not value:
                continue
            known = attributes[place]
            if value not in known.values:
                if not self._may_adopt(time_s):
                    self.whole = False
                    continue
                self.edition += known.adopt(value, explained=place in explained)
                adopted.append(place)
            elif opens:
                known.repeat(value)
        return adopted

    def _may_adopt(self, time_s: float) -> bool:
        if time_s >= self.hour_s + HOUR_S:
            self.hour_s, self.new = time_s, 0
        self.new += 1
        return self.new <= (MAX_NEW_YOUNG if time_s < self.born_s + YOUNG_S else MAX_NEW_PER_HOUR)

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "born_s": self.born_s,
            "last_s": self.last_s,
            "next_s": self.next_s,
            "records": self.records,
            "hour_s": self.hour_s,
            "new": self.new,
            "attributes": [attribute.dump() for attribute in self.attributes],
        }

    @classmethod
    def load(cls, data: dict[str, object]) -> Habit:
        """Build from what `dump` returned."""
        attributes: list[list[object]] = data["attributes"]  # type: ignore[assignment]
        habit = cls(len(attributes), float(data["born_s"]))  # type: ignore[arg-type]
        habit.last_s = float(data["last_s"])  # type: ignore[arg-type]
        habit.next_s = float(data["next_s"])  # type: ignore[arg-type]
        habit.records = int(data["records"])  # type: ignore[call-overload]
        habit.hour_s, habit.new = float(data["hour_s"]), int(data["new"])  # type: ignore[arg-type,call-overload]
        habit.attributes = [AttributeHabit.load(attribute) for attribute in attributes]
        return habit


class Level:
    """What a group of identities (siblings, a namespace, the cluster) showed of each attribute."""

    __slots__ = ("adoptions", "firsts", "values")

    def __init__(self, width: int) -> None:
        self.values: list[dict[str, int]] = [{} for _ in range(width)]
        """Per attribute: value -> number of identities that showed it."""
        self.adoptions = [0.0] * width
        """Per attribute: decayed number of values that were new to some identity of the group."""
        self.firsts = [0.0] * width
        """Per attribute: decayed number of those that were new to the whole group."""

    def learn(self, place: int, value: str) -> None:
        """Count that an identity of the group showed a value that was new to it."""
        values = self.values[place]
        known = values.pop(value, 0)
        values[sys.intern(value)] = known + 1
        self.adoptions[place] = self.adoptions[place] * DECAY + 1.0
        self.firsts[place] *= DECAY
        if not known:
            self.firsts[place] += 1.0
            if len(values) > MAX_LEVEL_VALUES:
                del values[next(iter(values))]

    def chance_of_first(self, place: int) -> float:
        """Return the chance, 0..1, that a value new to an identity is new to the whole group (smoothed share)."""
        return (self.firsts[place] + 0.5) / (self.adoptions[place] + 1.0)

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [self.values, self.adoptions, self.firsts]

    @classmethod
    def load(cls, data: list[object]) -> Level:
        """Build from what `dump` returned."""
        level = cls(0)
        values, level.adoptions, level.firsts = data  # type: ignore[assignment]
        level.values = [
            {sys.intern(value): count for value, count in one.items()}
            for one in values  # type: ignore[attr-defined]
        ]
        return level
