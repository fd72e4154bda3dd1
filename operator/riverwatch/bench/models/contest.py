"""Runs every candidate over the same points and takes the figures.

Each candidate scores a record, then learns it; records of the first fifth are learned but do not count. Time is
processor time of score and learn together. One candidate after the other in one process, the collector off, so that
ratios hold on a busy machine. Called by `cli.bench_models`.
"""

from __future__ import annotations

import gc
import pathlib
import time
from collections.abc import Callable, Sequence

import msgspec

from riverwatch.bench.models import candidates, counters, measures, peer, stream

WARM_UP = 0.2
"""Share of the records, from the beginning, that do not count: loads have nothing suspicious there."""

BASELINE = "plain-sum"
"""Candidate that every model must beat."""


class Row(msgspec.Struct, frozen=True):
    """Figures of one candidate."""

    name: str
    what: str
    auc: float
    average_precision: float
    flags: int
    """Records flagged to hold 90 % of the suspicious ones."""
    us: float
    """Microseconds of processor time a record, score and learn."""
    beats: bool
    """Whether its average precision is above the plain sum's."""


class Outcome(msgspec.Struct, frozen=True):
    """Figures of all candidates on one folder."""

    folder: str
    records: int
    counted: int
    """Records after the warm-up."""
    suspicious: int
    """Suspicious records among them."""
    measure_us: float
    """Microseconds a record to make the feature vector that our models read."""
    numbers_us: float
    """Microseconds a record to make the sixteen numbers that trees and forest read."""
    rows: list[Row]
    notes: list[str]
    """Candidates that did not run, with the reason."""


Progress = Callable[[str], None]
"""Told what runs now."""


def run(
    folder: pathlib.Path,
    *,
    rows: int | None = None,
    entries: Sequence[candidates.Entry] = candidates.ENTRIES,
    with_peer: bool = True,
    progress: Progress | None = None,
) -> Outcome:
    """Run all candidates over a labelled folder.

    Parameters
    ----------
    folder
        A load or a recording.
    rows
        Records read at most; None reads all.
    entries
        Who competes.
    with_peer
        Whether the forest in Java is run, too, where it is installed.
    progress
        Told what runs now.

    Raises
    ------
    BadInputError
        When the folder cannot be used.
    """
    tell = progress or (lambda _: None)
    tell("reading records")
    found = stream.read(folder, rows=rows)
    points = found.points
    tell("counting")
    numbers, numbers_us = _numbers(points)
    first = int(len(points) * WARM_UP)
    labels = [point.suspicious for point in points[first:]]
    taken, notes = list[tuple[str, str, list[float], float]](), list[str]()
    for entry in entries:
        tell(entry.name)
        scores, us = judge(entry.make(numbers), points)
        taken.append((entry.name, entry.what, scores, us))
    if with_peer:
        tell(peer.NAME)
        try:
            answer = peer.judge(numbers)
            taken.append((peer.NAME, peer.WHAT, answer.scores, answer.us))
        except peer.AbsentError as error:
            notes.append(f"{peer.NAME}: {error}")
    ranked = {name: measures.steps(scores[first:], labels) for name, _, scores, _ in taken}
    bar = measures.average_precision(ranked[BASELINE]) if BASELINE in ranked else 0.0
    return Outcome(
        folder=found.name,
        records=len(points),
        counted=len(labels),
        suspicious=sum(labels),
        measure_us=found.measure_us,
        numbers_us=numbers_us,
        rows=[_row(name, what, ranked[name], us, bar) for name, what, _, us in taken],
        notes=notes,
    )


def judge(candidate: candidates.Candidate, points: Sequence[stream.Point]) -> tuple[list[float], float]:
    """Score and learn every point; return the scores and the microseconds a point."""
    scores: list[float] = []
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    began_s = time.process_time()
    try:
        for point in points:
            scores.append(candidate.score(point))
            candidate.learn(point)
    finally:
        spent_s = time.process_time() - began_s
        if enabled:
            gc.enable()
    return scores, spent_s / max(1, len(points)) * 1e6


def _numbers(points: Sequence[stream.Point]) -> tuple[list[list[float]], float]:
    counted, numbers = counters.Counters(), list[list[float]]()
    began_s = time.process_time()
    for point in points:
        numbers.append(counted.numbers(point))
        counted.count_all(point)
    return numbers, (time.process_time() - began_s) / max(1, len(points)) * 1e6


def _row(name: str, what: str, ranked: list[measures.Step], us: float, bar: float) -> Row:
    precision = measures.average_precision(ranked)
    return Row(
        name=name,
        what=what,
        auc=measures.auc(ranked),
        average_precision=precision,
        flags=measures.flags_for(ranked),
        us=us,
        beats=precision > bar,
    )
