"""The words of a benchmark's result: a `Sample` is one run of one contender, a `Row` all runs, a `Result` all rows.

Plain data, as ``-o json`` prints it. A row's rate is the median of its runs per second of CPU where the contender is
pinned to one core; ratios are made inside one run only.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Sample(msgspec.Struct, kw_only=True):
    """One run of one contender."""

    records: int
    wall_s: float
    cpu_s: float
    peak_bytes: int = 0
    """Largest resident size of the process, in bytes; 0 when it was not taken."""
    figures: dict[str, float] = msgspec.field(default_factory=dict)
    """Whatever else was measured, by a name with its unit."""


class Spread(msgspec.Struct, frozen=True):
    """Median and range of several runs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:,.0f} ({self.low:,.0f} to {self.high:,.0f})"


class Row(msgspec.Struct, kw_only=True):
    """All runs of one contender."""

    name: str
    samples: list[Sample]
    peer: bool = False
    """Whether it is another program, or a bare library, and not ours."""

    @property
    def rate(self) -> Spread:
        """Records per second of CPU on one core."""
        return spread([one.records / max(one.cpu_s, 1e-9) for one in self.samples])

    @property
    def wall_rate(self) -> Spread:
        """Records per second by the clock on the wall."""
        return spread([one.records / max(one.wall_s, 1e-9) for one in self.samples])

    @property
    def core_ms_per_1000(self) -> float:
        """Milliseconds of one core for a thousand records, median."""
        return statistics.median(one.cpu_s * 1e6 / max(one.records, 1) for one in self.samples)

    @property
    def peak_bytes(self) -> int:
        """Largest resident size of any run, in bytes."""
        return max(one.peak_bytes for one in self.samples)

    def figure(self, name: str) -> Spread | None:
        """Return median and range of another figure; None when no run has it."""
        found = [one.figures[name] for one in self.samples if name in one.figures]
        return spread(found) if found else None


class Ratio(msgspec.Struct, kw_only=True):
    """One thing divided by another in the same run, and what it should be."""

    name: str
    value: float
    target: float | None = None
    at_most: bool = False
    """Whether the target is an upper bound."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


class Result(msgspec.Struct, kw_only=True):
    """One benchmark."""

    id: str
    title: str
    rows: list[Row] = msgspec.field(default_factory=list)
    ratios: list[Ratio] = msgspec.field(default_factory=list)
    stages: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    """Contender -> stage -> core-milliseconds per 1,000 records."""
    notes: list[str] = msgspec.field(default_factory=list)
    """For people: absent peers, what was left out and why."""


class Machine(msgspec.Struct, kw_only=True):
    """On what it ran, and how busy that was."""

    cores: int
    python: str
    load_before: float
    """Threads that wanted to run in the minute before."""
    load_after: float = 0.0


class Report(msgspec.Struct, kw_only=True):
    """Everything that one run of the benchmark says."""

    version: str
    seed: int
    records: int
    rounds: int
    machine: Machine
    results: list[Result] = msgspec.field(default_factory=list)


def spread(values: Sequence[float]) -> Spread:
    """Return median and range.

    Examples
    --------
    >>> spread([3.0, 1.0, 2.0])
    Spread(median=2.0, low=1.0, high=3.0)
    """
    return Spread(statistics.median(values), min(values), max(values))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all lies, 0 for none.

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([], 0.99)
    (3.0, 0.0)
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def paired(one: Row, other: Row) -> float:
    """Return how many times faster one contender is, as the median over rounds that ran side by side."""
    pairs = zip(one.samples, other.samples, strict=False)
    return statistics.median(
        (mine.records / max(mine.cpu_s, 1e-9)) / (theirs.records / max(theirs.cpu_s, 1e-9)) for mine, theirs in pairs
    )


def stage_costs(shares: dict[str, float], row: Row) -> dict[str, float]:
    """Return stage -> core-milliseconds per 1,000 records, given the shares of the time."""
    return {stage: share * row.core_ms_per_1000 for stage, share in shares.items()}
