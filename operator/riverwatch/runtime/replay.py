"""Replay: batches of a file source through the pipeline, and the detections as they stand at the end.

The main job with no cluster. Reads nothing itself; `cli.replay`, the lab's evaluation and the benchmark call it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable

from riverwatch.detections import finding
from riverwatch.runtime import pipeline
from riverwatch.sources import base

COLLECTOR_THRESHOLDS = (200_000, 50, 100)
"""Allocations between two runs of Python's collector: records are acyclic and die young, and the default threshold halves
the rate at which batches are decoded (measured)."""


def calm_collector() -> None:
    """Freeze what was loaded so far and let the collector run seldom; called once per process, before the first batch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def replay(
    batches: Iterable[base.Batch],
    through: pipeline.Pipeline,
    *,
    tally: base.Tally,
    progress: Callable[[int], None] | None = None,
) -> list[finding.Detection]:
    """Run batches through a pipeline.

    Parameters
    ----------
    batches
        Batches in order.
    through
        The pipeline; keeps its state, so a second call goes on where the first ended.
    tally
        Takes the skips.
    progress
        Told the number of records after each batch.

    Returns
    -------
    list
        Every detection that was raised, as it stands at the end, in the order in which they were raised.
    """
    found: dict[str, finding.Detection] = {}
    for batch in batches:
        for detection in through.process(batch.records, tally=tally, where=batch.where):
            found[detection.uid] = detection
        if progress is not None:
            progress(tally.read)
    return sorted(found.values(), key=lambda detection: (detection.observed_at_s, detection.uid))
