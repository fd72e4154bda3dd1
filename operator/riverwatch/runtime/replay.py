"""Replay: batches of a file source through the pipeline, and the detections as they stand at the end.

The main job with no cluster. Reads nothing itself; `cli.replay`, the lab's evaluation and the benchmark call it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable

from riverwatch.detections import finding
from riverwatch.report import context as report_context
from riverwatch.rules.base import AuditLevel
from riverwatch.runtime import pipeline
from riverwatch.sources import base

COLLECTOR_THRESHOLDS = (200_000, 50, 100)
"""Allocations between two runs of Python's collector: records are acyclic and die young, and the default threshold
halves the rate at which batches are decoded (measured)."""


def calm_collector() -> None:
    """Freeze what was loaded so far and let the collector run seldom; called once, before the first batch."""
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


def context(through: pipeline.Pipeline, tally: base.Tally, *, title: str, version: str) -> report_context.Context:
    """Return what a report says about the stream that went through a pipeline."""
    rules = through.policies.effective("")
    homes = through.models.homes
    return report_context.Context(
        title=title,
        version=version,
        read=tally.read,
        used=tally.used,
        skipped={reason.value: count for reason, count in sorted(tally.skipped.items())},
        first_s=through.learning.began_s,
        last_s=through.learning.now_s if through.learning.began_s is not None else None,
        identities=sum(model.identities for model in homes.values()),
        namespaces=len([namespace for namespace in homes if namespace]),
        warm=through.learning.warm(rules, records=through.models.records),
        progress=through.learning.progress(rules),
        threshold=through.judge.threshold(rules),
        budget_per_day=rules.alert_budget_per_day,
        shed_total=through.judge.budget.shed_total,
        blind_spots=_blind_spots(through),
    )


def _blind_spots(through: pipeline.Pipeline) -> tuple[str, ...]:
    told = []
    if through.used and not through.bodies_seen:
        blind = sorted(card.id for card in through.rules.cards if card.audit_level is not AuditLevel.METADATA)
        told.append(
            f"No request bodies were seen (audit level Metadata): {len(blind)} rules that need them were silent, "
            f"for example {', '.join(blind[:3])}."
        )
    if through.used and not through.credentials_seen:
        told.append(
            "No credential ids and no uids of pods were seen in user.extra (old Kubernetes, or a wrapper drops them): "
            "use of one token from two places cannot be told."
        )
    return tuple(told)
