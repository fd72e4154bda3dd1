"""Stage 4b, drift: has the life of a namespace changed its shape? Share of new values per attribute, batch by batch.

Fed by `runtime.pipeline` with what the models found new about each record that opened a burst or had something new;
only counts until a batch is full. Then the population stability index

    PSI(p, q) = (p - q) ln(p / q) + (q - p) ln((1 - p) / (1 - q))

compares the share of records with a new value in the last batches, p, with the usual one, q, which follows slowly: a
namespace that changed for good drifts, is relearned and comes to rest by itself. A drift is reported, never raised as
a detection. Deterministic, bounded, plain data; time comes from records.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from riverwatch.features import catalog
from riverwatch.models import base

BATCH = 256
"""Records of a namespace that make a batch; the share of new values is known to within 3 % then."""

MIN_BATCHES = 12
"""Batches before a drift is reported: the usual share falls while models are young."""

RECENT_KEEP = 0.5 ** (1 / 2)
"""What the recent share keeps per batch: a half-life of 2 batches."""

USUAL_KEEP = 0.5 ** (1 / 32)
"""What the usual share keeps per batch: a half-life of 32 batches, so that a lasting change comes to rest."""

PSI_BOUND = 0.1
"""Stability index from which a share has shifted; below 0.1 is customarily called stable, above 0.25 another world."""

Z_BOUND = 5.0
"""Standard deviations that the recent share must lie above the usual one; records come in bursts, so more than 3."""

STANDING = 2
"""Batches in a row over both bounds that make a drift: one burst of a new workload is none."""

LEAST_SHARE = 0.5 / BATCH
"""Shares are kept away from 0 and 1 by this much, half a record of a batch."""

UNWATCHED = frozenset({"hour"})
"""Attributes whose new values come with the clock: in the first hour after the stream began, and on its first weekend,
the hour is new to everybody, and nobody's life has changed."""

MAX_NAMESPACES = 2_000
"""Namespaces watched, about 1.5 KiB each; the one fed longest ago goes first."""


class State(msgspec.Struct, frozen=True):
    """What is said about one namespace."""

    drifted: bool = False
    features: tuple[str, ...] = ()
    """Attributes that drifted, in the order of the catalogue."""
    since_s: float | None = None
    """Record time of the batch in which the drift was noticed."""
    batches: int = 0


class Watch(msgspec.Struct):
    """Figures of one namespace; lists are in the order of `catalog.NAMES`."""

    fresh: list[int]
    """Records of the current batch with a new value."""
    recent: list[float]
    usual: list[float]
    over: list[int]
    """Batches in a row over the bounds."""
    count: int = 0
    """Records of the current batch."""
    batches: int = 0
    since_s: float | None = None


class Drift:
    """Drift of all namespaces.

    Examples
    --------
    >>> drift = Drift()
    >>> for number in range(20 * BATCH):
    ...     drift.feed("web", (), time_s=float(number))
    >>> drift.of("web")
    State(drifted=False, features=(), since_s=None, batches=20)
    """

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}

    def feed(self, home: str, parts: Iterable[base.Surprise], *, time_s: float) -> None:
        """Count a record that opened a burst of its identity or had something new.

        Parameters
        ----------
        home
            Namespace whose models judged it.
        parts
            What they found new, before anything was damped.
        time_s
            Epoch seconds.
        """
        watch = self._watches.get(home)
        if watch is None:
            watch = self._begin(home)
        for part in parts:
            place = catalog.INDEX.get(part.feature)
            if place is not None and part.feature not in UNWATCHED:
                watch.fresh[place] += 1
        watch.count += 1
        if watch.count >= BATCH:
            _close(watch, time_s)
            self._watches[home] = self._watches.pop(home)

    def of(self, home: str) -> State:
        """Return what is known about a namespace."""
        watch = self._watches.get(home)
        if watch is None:
            return State()
        features = _drifted(watch)
        return State(bool(features), features, watch.since_s, watch.batches)

    def drifted(self) -> list[str]:
        """Return the namespaces that drifted."""
        return sorted(home for home, watch in self._watches.items() if watch.since_s is not None)

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {home: msgspec.to_builtins(watch) for home, watch in self._watches.items()}

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned; figures of another set of attributes are dropped."""
        watches = {home: msgspec.convert(watch, Watch) for home, watch in data.items()}
        self._watches = {home: watch for home, watch in watches.items() if len(watch.fresh) == len(catalog.NAMES)}

    def _begin(self, home: str) -> Watch:
        if len(self._watches) >= MAX_NAMESPACES:
            del self._watches[next(iter(self._watches))]
        width = len(catalog.NAMES)
        watch = self._watches[home] = Watch([0] * width, [0.0] * width, [0.0] * width, [0] * width)
        return watch


def psi(recent: float, usual: float) -> float:
    """Return the stability index of two shares, 0 or more.

    Examples
    --------
    >>> psi(0.02, 0.02), round(psi(0.2, 0.02), 2)
    (0.0, 0.45)
    """
    p, q = (min(max(share, LEAST_SHARE), 1.0 - LEAST_SHARE) for share in (recent, usual))
    return (p - q) * math.log(p / q) + (q - p) * math.log((1.0 - p) / (1.0 - q))


def _close(watch: Watch, time_s: float) -> None:
    # While young the usual share is the plain mean; later it forgets.
    follow = max(1.0 / (watch.batches + 1), 1.0 - USUAL_KEEP)
    react = max(1.0 / (watch.batches + 1), 1.0 - RECENT_KEEP)
    for place, fresh in enumerate(watch.fresh):
        share = fresh / watch.count
        watch.recent[place] += react * (share - watch.recent[place])
        watch.over[place] = watch.over[place] + 1 if _shifted(watch.recent[place], watch.usual[place]) else 0
        watch.usual[place] += follow * (share - watch.usual[place])
        watch.fresh[place] = 0
    watch.count = 0
    watch.batches += 1
    if not _drifted(watch):
        watch.since_s = None
    elif watch.since_s is None:
        watch.since_s = time_s


def _shifted(recent: float, usual: float) -> bool:
    if recent <= usual or psi(recent, usual) < PSI_BOUND:
        return False
    # A mean with this half-life is worth (1 + keep) / (1 - keep) batches.
    records = BATCH * (1.0 + RECENT_KEEP) / (1.0 - RECENT_KEEP)
    spread = math.sqrt(max(usual, LEAST_SHARE) * (1.0 - min(usual, 1.0 - LEAST_SHARE)) / records)
    return recent - usual > Z_BOUND * spread


def _drifted(watch: Watch) -> tuple[str, ...]:
    if watch.batches < MIN_BATCHES:
        return ()
    return tuple(name for name, over in zip(catalog.NAMES, watch.over, strict=True) if over >= STANDING)
