"""Stage 4b, the sequence model: how surprising it is that *this* identity does *this* after what it did before.

An online n-gram model of actions with back-off. With ``fresh`` bursts that brought a new pair of steps among ``trials``
bursts (Good-Turing, as in `models.novelty`),

    P(a triple of actions is new) = (1 + fresh) / (1 + trials)

and a new triple whose last pair is new, too, multiplies in the share of new triples that were; then the share of
pairs that were new to the siblings, and to the cluster. Repeats of one action are one step; a pause begins a new
sequence; an action that is new by itself is left to the novelty model. Which steps were seen is kept in bit filters of
fixed size, two generations of them, so memory is fixed and old steps are forgotten: a step may seem known that
is not (a few per cent when full), never the other way round. Judged by `bench.models`; not in the decision path.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Hashable
from typing import Any

from river import base as river_base

from riverwatch.models import base, levels

CARD = base.ModelCard(
    name="sequence",
    summary="Known actions of an identity in an order that it and its groups never showed.",
    inputs=("action",),
    warm_up="by itself: an identity that still shows new orders has a chance of novelty near 1",
    memory="at most 1.7 KiB an identity; a group of siblings with two members or more takes 1.3 KiB once",
    blind_spots=(
        "Identities that do several things at once: their order is chance.",
        "Single requests, and sequences of actions that are new anyway.",
    ),
)

FILTER_BYTES = 512
"""Size of one generation of an identity's filter: 4,096 bits."""

CLUSTER_FILTER_BYTES = 65_536
"""Size of one generation of the cluster's filter: half a million bits."""

FILL = 0.25
"""Share of bits set at which a generation becomes the old one; two bits a step and two
generations, so a false "known" stays below 13 %."""

PAUSE_S = 60.0
"""Pause after which a new sequence begins, seconds."""

MAX_IDENTITIES = 20_000
"""Identities kept; the one seen longest ago is forgotten first."""

MAX_CACHED = 65_536
"""Actions whose number is remembered."""

START = 0
"""Number that stands for the beginning of a sequence."""

_MIX = 0x9E3779B97F4A7C15
"""Odd number near 2**64 divided by the golden ratio: multiplying by it spreads neighbours (Knuth)."""

_MASK = 0xFFFFFFFFFFFFFFFF


class Filter:
    """Which keys were seen, in two generations of bits."""

    __slots__ = ("bits", "old", "ones")

    def __init__(self, octets: int) -> None:
        self.bits = bytearray(octets)
        self.old = b""
        """The generation before, empty at first."""
        self.ones = 0

    def has(self, key: int) -> bool:
        """Tell whether a key was seen."""
        low, high = key & (len(self.bits) * 8 - 1), key >> 40 & (len(self.bits) * 8 - 1)
        bits, old = self.bits, self.old
        if bits[low >> 3] >> (low & 7) & 1 and bits[high >> 3] >> (high & 7) & 1:
            return True
        return bool(old) and bool(old[low >> 3] >> (low & 7) & 1 and old[high >> 3] >> (high & 7) & 1)

    def add(self, key: int) -> None:
        """Remember a key."""
        size = len(self.bits) * 8
        for place in (key & (size - 1), key >> 40 & (size - 1)):
            mask = 1 << (place & 7)
            if not self.bits[place >> 3] & mask:
                self.bits[place >> 3] |= mask
                self.ones += 1
        if self.ones > size * FILL:
            self.old, self.bits, self.ones = bytes(self.bits), bytearray(len(self.bits)), 0

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [bytes(self.bits), self.old, self.ones]

    @classmethod
    def load(cls, data: list[Any]) -> Filter:
        """Build from what `dump` returned."""
        found = cls(0)
        found.bits, found.old, found.ones = bytearray(data[0]), bytes(data[1]), data[2]
        return found


class Chain:
    """The steps of one identity."""

    __slots__ = ("before", "born_s", "fresh", "last", "next_s", "pairs", "seen", "time_s", "trials")

    def __init__(self, born_s: float) -> None:
        self.before = START
        self.last = START
        self.time_s = born_s
        self.born_s = born_s
        self.next_s = born_s
        """Record time at which the next burst may be opened."""
        self.trials = 0.0
        """Decayed number of bursts."""
        self.fresh = 0.0
        """Decayed number of new triples."""
        self.pairs = 0.0
        """Decayed number of those whose last pair was new, too."""
        self.seen = Filter(FILTER_BYTES)

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [getattr(self, name) for name in self.__slots__ if name != "seen"] + [self.seen.dump()]

    @classmethod
    def load(cls, data: list[Any]) -> Chain:
        """Build from what `dump` returned."""
        chain = cls(0.0)
        names = [name for name in cls.__slots__ if name != "seen"]
        for name, value in zip(names, data[:-1], strict=True):
            setattr(chain, name, value)
        chain.seen = Filter.load(data[-1])
        return chain


class Group:
    """Pairs of steps that a group of identities showed."""

    __slots__ = ("adoptions", "firsts", "seen")

    def __init__(self, octets: int) -> None:
        self.adoptions = 0.0
        """Decayed number of pairs that were new to a member."""
        self.firsts = 0.0
        """Decayed number of those that were new to the group."""
        self.seen = Filter(octets)

    def nats(self, pair: int) -> float:
        """Return the surprise of a pair that is new to a member; 0 when the group knows it."""
        return 0.0 if self.seen.has(pair) else -math.log((self.firsts + 0.5) / (self.adoptions + 1.0))

    def learn(self, pair: int) -> None:
        """Count a pair that is new to a member."""
        first = not self.seen.has(pair)
        self.adoptions = self.adoptions * levels.DECAY + 1.0
        self.firsts = self.firsts * levels.DECAY + first
        if first:
            self.seen.add(pair)

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [self.adoptions, self.firsts, self.seen.dump()]

    @classmethod
    def load(cls, data: list[Any]) -> Group:
        """Build from what `dump` returned."""
        group = cls(0)
        group.adoptions, group.firsts, group.seen = data[0], data[1], Filter.load(data[2])
        return group


class Sequence(river_base.AnomalyDetector):
    """Order of the actions of all identities of a cluster.

    Parameters
    ----------
    max_identities
        At least 1. Identities kept.

    Examples
    --------
    >>> model = Sequence()
    >>> steps = ("list pods", "get configmaps", "patch deployments", "get configmaps")
    >>> for second in range(400):
    ...     model.learn_one({"identity": "web", "time_s": second * 5.0, "action": steps[second % 4]})
    >>> usual = {"identity": "web", "time_s": 2000.0, "action": "list pods"}
    >>> model.score_one(usual), model.score_one(usual | {"action": "patch deployments"}) > 0.2
    (0.0, True)
    """

    def __init__(self, max_identities: int = MAX_IDENTITIES) -> None:
        self.max_identities = max_identities
        self._chains: dict[str, Chain] = {}
        self._groups: dict[str, Group | None] = {}
        """Group of siblings -> its pairs; None while it has one member."""
        self._group_of: dict[str, str] = {}
        self._cluster = Group(CLUSTER_FILTER_BYTES)
        self._numbers: dict[str, int] = {}

    # ---- River's interface: dictionaries
    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Return how strange the order is, 0..1; 0 for a known one."""
        return base.to_score(self.nats(str(x.get("identity", "")), str(x.get("action") or ""), time_s=_time(x)))

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn one step."""
        siblings, action = str(x.get("siblings", "")), str(x.get("action") or "")
        self.learn(str(x.get("identity", "")), siblings, action, time_s=_time(x))

    # ---- the same for the stream
    @property
    def identities(self) -> int:
        """Number of identities known."""
        return len(self._chains)

    def nats(self, identity: str, action: str, *, time_s: float) -> float:
        """Return the surprise of an action after the ones before, in nats, 0 or more; changes nothing."""
        chain = self._chains.get(identity)
        if chain is None or not action:
            return 0.0
        number = self._number(action)
        if number == chain.last or not chain.seen.has(_key(START, START, number)):
            return 0.0
        before, last = (START, START) if time_s - chain.time_s > PAUSE_S else (chain.before, chain.last)
        if chain.seen.has(_key(before, last, number)):
            return 0.0
        found = -math.log((1.0 + chain.fresh) / (1.0 + max(chain.trials, chain.fresh)))
        pair = _key(START, last, number) if last else 0
        if not pair or chain.seen.has(pair):
            return found
        found -= math.log((chain.pairs + 0.5) / (chain.fresh + 1.0))
        group = self._groups.get(self._group_of.get(identity, ""))
        return found + (group.nats(pair) if group is not None else 0.0) + self._cluster.nats(pair)

    def learn(self, identity: str, siblings: str, action: str, *, time_s: float) -> None:
        """Learn one step."""
        if not action:
            return
        number = self._number(action)
        chain = self._chains.get(identity)
        if chain is None:
            chain = self._remember(identity, siblings, time_s)
        elif number == chain.last and time_s - chain.time_s <= PAUSE_S:
            chain.time_s = time_s
            return
        if time_s - chain.time_s > PAUSE_S:
            chain.before = chain.last = START
        self._step(chain, self._groups.get(siblings), number, time_s)
        chain.before, chain.last, chain.time_s = chain.last, number, time_s

    def _step(self, chain: Chain, group: Group | None, number: int, time_s: float) -> None:
        seen, last = chain.seen, chain.last
        triple = _key(chain.before, last, number)
        if seen.has(triple):
            if time_s >= chain.next_s:
                self._count(chain, time_s, fresh=0.0, pairs=0.0)
            return
        known = seen.has(_key(START, START, number))
        pair = _key(START, last, number) if last else 0
        new_pair = bool(pair) and not seen.has(pair)
        if known:
            self._count(chain, time_s, fresh=1.0, pairs=float(new_pair))
        else:
            seen.add(_key(START, START, number))
        seen.add(triple)
        if new_pair:
            seen.add(pair)
            self._cluster.learn(pair)
            if group is not None:
                group.learn(pair)

    @staticmethod
    def _count(chain: Chain, time_s: float, *, fresh: float, pairs: float) -> None:
        chain.trials = chain.trials * levels.DECAY + 1.0
        chain.fresh = chain.fresh * levels.DECAY + fresh
        chain.pairs = chain.pairs * levels.DECAY + pairs
        chain.next_s = time_s + max(levels.TRIAL_MIN_S, levels.TRIAL_SHARE * (time_s - chain.born_s))

    def _remember(self, identity: str, siblings: str, time_s: float) -> Chain:
        if len(self._chains) >= self.max_identities:
            oldest = min(self._chains, key=lambda name: self._chains[name].time_s)
            del self._chains[oldest]
            self._group_of.pop(oldest, None)
        if siblings:
            if siblings not in self._groups:
                if len(self._groups) >= self.max_identities:
                    del self._groups[next(iter(self._groups))]
                self._groups[siblings] = None
            elif self._groups[siblings] is None:
                self._groups[siblings] = Group(FILTER_BYTES)
            self._group_of[identity] = siblings
        chain = self._chains[identity] = Chain(time_s)
        return chain

    def _number(self, action: str) -> int:
        number = self._numbers.get(action)
        if number is None:
            # Not `hash`, which differs between processes; never START.
            number = zlib.crc32(action.encode("utf-8", "surrogatepass")) | 1 << 32
            if len(self._numbers) >= MAX_CACHED:
                self._numbers.clear()
            self._numbers[action] = number
        return number

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "chains": {identity: chain.dump() for identity, chain in self._chains.items()},
            "groups": {key: group and group.dump() for key, group in self._groups.items()},
            "group_of": self._group_of,
            "cluster": self._cluster.dump(),
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self._chains = {identity: Chain.load(chain) for identity, chain in data["chains"].items()}
        self._groups = {key: Group.load(group) if group else None for key, group in data["groups"].items()}
        self._group_of = dict(data["group_of"])
        self._cluster = Group.load(data["cluster"])


def _key(before: int, last: int, number: int) -> int:
    """Return 64 well mixed bits of a triple; START for steps that do not matter."""
    return ((before * 3 + last) * _MIX + number) * _MIX & _MASK


def _time(x: dict[Hashable, Any]) -> float:
    time_s = x.get("time_s", 0.0)
    return float(time_s) if isinstance(time_s, int | float) else 0.0
