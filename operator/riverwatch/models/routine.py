"""Stage 4b cache: combinations of attributes that a habit knows wholly, so that most records cost one look-up.

What it answers is what the models would answer: a record whose every value is known raises nothing, and inside a burst
it teaches nothing (`levels.Habit`). It can therefore be dropped at any time and is no part of a checkpoint. Owned and
asked by `runtime.shortcut`; emptied when full.
"""

from __future__ import annotations

import types
from collections.abc import Mapping

import msgspec

from riverwatch.activity import identities
from riverwatch.features import catalog, vector
from riverwatch.models import levels, novelty

MAX_KNOWN = 60_000
"""Combinations remembered over all identities, about 500 bytes each."""

ASK_AGAIN_S = 600.0
"""Seconds of record time, at most, for which a change of the inventory is not noticed: whose pod an address is, and
which accounts are siblings."""

HOUR = catalog.INDEX["hour"]
"""Place of the attribute that changes with time alone."""

VOLUME = catalog.INDEX["volume"]
"""Place of the attribute that changes with the count of earlier records."""


ANY_HOUR: Mapping[str, int] = types.MappingProxyType(
    {
        vector.hour_of_week(first_s + hour * vector.SECONDS_PER_HOUR): 0
        for first_s in (0.0, 172_800.0)
        for hour in range(24)
    }
)
"""Every value of that attribute: 1970-01-01 was a Thursday, and two days later came a Saturday."""


UNASKED = -1
"""Generation of a combination that was judged since it was last asked about."""


class Known(msgspec.Struct, gc=False):
    """One combination of attributes and the habit that knows all of it."""

    principal: identities.Principal
    place: str
    """Namespace whose policy holds."""
    source_ip: str
    kinds: tuple[str, ...]
    """Kinds of volume that it counts for."""
    silent: bool
    """Whether no rule can say anything about it."""
    own_pod: bool
    siblings: str
    """What the inventory says about siblings, empty when nothing."""
    namespace: str
    """Name of the home."""
    home: novelty.Novelty | None
    """None while models rest; nothing below counts then."""
    habit: levels.Habit
    edition: int
    """Edition of the habit that knew all values."""
    values: tuple[str, ...]
    """Those of `features.vector`, without a volume, at some hour."""
    asks: bool = True
    """Whether rules have to be asked."""
    learns: bool = False
    """Whether the models learn from it."""
    judged: bool = False
    """Whether the models judge it, so that drift is watched, too."""
    hours: Mapping[str, int] = ANY_HOUR
    """Hours of the week at which it is known."""
    place_of_use: int = 0
    """Hash of the credential last seen where it belongs, and of the editions of those who said so."""
    generation: int = UNASKED
    """Number of the settings under which all of this was true; see `Routine.generation`."""


class Routine:
    """Combinations of one identity's attributes that its habit knows.

    Keys are 64-bit hashes: two of a hundred thousand collide with a chance of 3 in 10 billion, and nobody can aim at
    it, because hashes of strings are salted per process.
    """

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        """`features.vector.context_key` of a record -> what is known about all such records."""
        self.generation = 0
        """What was asked in an earlier one is asked again at its next use."""

    def __len__(self) -> int:
        return len(self.known)

    def remember(self, key: int, known: Known) -> None:
        """Remember a combination of which nothing is new to the habit."""
        if len(self.known) >= MAX_KNOWN:
            self.known.clear()
        self.known[key] = known

    def expire(self) -> None:
        """Have everything asked again at its next use, because settings or whole parts have changed."""
        self.generation += 1

    def clear(self) -> None:
        """Forget everything; what follows is asked anew."""
        self.known.clear()


def still_known(known: Known) -> bool:
    """Tell whether the habit knows every value but the hour, perhaps after it forgot some."""
    habit = known.habit
    attributes = habit.attributes
    if known.edition != habit.edition:
        for place, value in enumerate(known.values):
            if value and place != HOUR and value not in attributes[place].values:
                return False
        known.edition = habit.edition
    known.hours = attributes[HOUR].values
    return True


def without_volume(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of a record as if it had not reached any amount."""
    return (*values[:VOLUME], "", *values[VOLUME + 1 :]) if values[VOLUME] else values


def knows_volume(known: Known, volume: str) -> bool:
    """Tell whether the habit knows an amount."""
    return volume in known.habit.attributes[VOLUME].values


def learn(known: Known, time_s: float, *, hour: str, volume: str = "") -> bool:
    """Learn a record of a known combination; return whether it opened a burst."""
    habit, home = known.habit, known.home
    assert home is not None
    home.records += 1
    if time_s >= habit.next_s:
        values = known.values
        if values[HOUR] != hour:
            known.values = values = (*values[:HOUR], hour, *values[HOUR + 1 :])
        habit.learn((*values[:VOLUME], volume, *values[VOLUME + 1 :]) if volume else values, time_s)
        return True
    habit.records += 1
    habit.last_s = time_s
    return False
