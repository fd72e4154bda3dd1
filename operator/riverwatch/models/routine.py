"""Stage 4b cache: combinations of attributes that a habit knows wholly, so that most records cost one look-up.

What it answers is what the models would answer: a record whose every value is known raises nothing, and inside a burst
it teaches nothing (`levels.Habit`). It can therefore be dropped at any time and is no part of a checkpoint. Owned and
asked by `runtime.shortcut`; emptied when full.
"""

from __future__ import annotations

import msgspec

from riverwatch.activity import identities
from riverwatch.features import catalog, vector
from riverwatch.models import levels, novelty

MAX_KNOWN = 60_000
"""Combinations remembered over all identities, about 500 bytes each; as many credentials, about 100 bytes each."""

ASK_AGAIN_S = 600.0
"""Seconds after which what the inventory says about a combination is asked anew: whose pod an address is, which
accounts are siblings, and whether the owner of a credential still lives."""

HOUR = catalog.INDEX["hour"]
"""Place of the attribute that changes with time alone."""

VOLUME = catalog.INDEX["volume"]
"""Place of the attribute that changes with the count of earlier records."""


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
    """Those of `features.vector`, without a volume, at the hour asked about last."""
    asks: bool = True
    """Whether rules have to be asked."""
    learns: bool = False
    """Whether the models learn from it."""
    judged: bool = False
    """Whether the models judge it, so that drift is watched, too."""
    from_s: float = 0.0
    until_s: float = 0.0
    """Record time, from and to, in which it need not be asked about again."""


class Routine:
    """Combinations of one identity's attributes that its habit knows, and credentials that are where they belong.

    Keys are 64-bit hashes: two of a hundred thousand collide with a chance of 3 in 10 billion, and nobody can aim at
    it, because hashes of strings are salted per process.
    """

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        """`features.vector.context_key` of a record -> what is known about all such records."""
        self.settled: dict[int, float] = {}
        """Key of a credential in its place -> record time at which the model is asked again."""

    def __len__(self) -> int:
        return len(self.known)

    def remember(self, key: int, known: Known) -> None:
        """Remember a combination of which nothing is new to the habit."""
        if len(self.known) >= MAX_KNOWN:
            self.known.clear()
        self.known[key] = known

    def settle(self, key: int, time_s: float) -> None:
        """Remember that a credential was used where it belongs, so that a further use teaches nothing for a while."""
        if len(self.settled) >= MAX_KNOWN:
            self.settled.clear()
        self.settled[key] = time_s + ASK_AGAIN_S

    def expire(self) -> None:
        """Have everything asked again at its next use, because settings or whole parts have changed."""
        for known in self.known.values():
            known.until_s = 0.0
        self.settled.clear()

    def clear(self) -> None:
        """Forget everything; what follows is asked anew."""
        self.known.clear()
        self.settled.clear()


def still_known(known: Known, time_s: float) -> bool:
    """Tell whether the habit knows every value at another time, or after it forgot some; take the hour over if so."""
    hour = vector.hour_of_week(time_s)
    habit, values = known.habit, known.values
    attributes = habit.attributes
    if values[HOUR] != hour:
        if hour not in attributes[HOUR].values:
            return False
        known.values = values = (*values[:HOUR], hour, *values[HOUR + 1 :])
    if known.edition != habit.edition:
        for place, value in enumerate(values):
            if value and value not in attributes[place].values:
                return False
        known.edition = habit.edition
    start_s = time_s - time_s % vector.SECONDS_PER_HOUR
    known.from_s = start_s
    known.until_s = min(time_s + ASK_AGAIN_S, start_s + vector.SECONDS_PER_HOUR)
    return True


def without_volume(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of a record as if it had not reached any amount."""
    return (*values[:VOLUME], "", *values[VOLUME + 1 :]) if values[VOLUME] else values


def knows_volume(known: Known, volume: str) -> bool:
    """Tell whether the habit knows an amount."""
    return volume in known.habit.attributes[VOLUME].values


def learn(known: Known, time_s: float, *, volume: str = "") -> bool:
    """Learn a record of a known combination; return whether it opened a burst."""
    habit, home = known.habit, known.home
    assert home is not None
    home.records += 1
    if time_s >= habit.next_s:
        values = known.values
        habit.learn((*values[:VOLUME], volume, *values[VOLUME + 1 :]) if volume else values, time_s)
        return True
    habit.records += 1
    habit.last_s = time_s
    return False
