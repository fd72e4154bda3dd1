"""Reports the models of each namespace as a DetectionModel object: phase, counts, how far the warm-up is.

Figures are read on the worker's thread (`collect`), written by the status lane, and only when they say something new:
a count that grew a little is not worth a write to the API server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from riverwatch import clock
from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.control import statuses
from riverwatch.kube import resources
from riverwatch.models import bank
from riverwatch.runtime import pipeline

EVERY_S = 30.0
"""Seconds between two looks at the models."""

GROWTH = 1.1
"""Factor by which a count must have grown to be written again while the phase stays the same."""

OBJECT_NAME = "models"
"""Name of the object in each namespace; there is one."""


@dataclasses.dataclass(frozen=True)
class Report:
    """The models of one namespace."""

    namespace: str
    """Empty for people, nodes and the control plane."""
    phase: words.ModelPhase
    records: int
    identities: int
    progress_percent: float
    ready_at_s: float | None


def collect(source: pipeline.Pipeline) -> list[Report]:
    """Read the figures; only on the worker's thread."""
    reports = []
    for namespace, home in source.models.homes.items():
        rules = source.policies.effective(namespace)
        warm = source.learning.warm(rules, records=source.models.records)
        progress = source.learning.progress(rules)
        began_s = source.learning.began_s
        reports.append(
            Report(
                namespace=namespace,
                phase=words.ModelPhase.ACTIVE if warm else words.ModelPhase.WARMING_UP,
                records=home.records,
                identities=home.identities,
                progress_percent=100.0 if warm else min(99.9, round(100 * progress, 1)),
                ready_at_s=None if warm or began_s is None else began_s + rules.learning_s,
            )
        )
    return reports


class ModelReporter:
    """Writes reports that say something new.

    Parameters
    ----------
    report
        The status lane.
    operator_namespace
        Where the object of people and nodes lives.
    change
        Runs something with the pipeline on the worker's thread.
    time
        Clock.
    stream
        Gives the conditions about the stream, which stand on the object of people and nodes.
    """

    def __init__(
        self,
        report: statuses.Statuses,
        *,
        operator_namespace: str,
        change: Callable[[Callable[[pipeline.Pipeline], None]], None],
        time: clock.Clock,
        stream: Callable[[], Sequence[conditions.Observation]] = tuple,
    ) -> None:
        self._report = report
        self._operator_namespace = operator_namespace
        self._change = change
        self._time = time
        self._stream = stream
        self._written: dict[str, tuple[Report, list[dict[str, Any]], list[str]]] = {}

    def run(self) -> None:
        """Look at the models soon; a chore of the steward."""
        self._change(self._look)

    def _look(self, source: pipeline.Pipeline) -> None:
        reports, stream = collect(source), self._stream()
        if stream and all(one.namespace for one in reports):
            reports.append(Report("", words.ModelPhase.WARMING_UP, 0, 0, 0.0, None))
        for one in reports:
            further = () if one.namespace else stream
            state = [f"{seen.type} {seen.status} {seen.reason}" for seen in further]
            before = self._written.get(one.namespace)
            if before is not None and before[2] == state and not news(before[0], one):
                continue
            listed: list[dict[str, Any]] | None = before[1] if before else None
            for seen in (observation(one), *further):
                listed = conditions.set_condition(listed, seen, now_s=self._time.now_s())
            assert listed is not None
            self._written[one.namespace] = (one, listed, state)
            namespace = one.namespace or self._operator_namespace
            write = statuses.Write(resources.MODELS, namespace, OBJECT_NAME, _status(one, listed), create=True)
            self._report.submit(write)
        for gone in self._written.keys() - {one.namespace for one in reports}:
            del self._written[gone]


def news(before: Report, now: Report) -> bool:
    """Whether a report is worth a write after another one."""
    return (
        before.phase is not now.phase
        or now.records > before.records * GROWTH
        or now.identities > before.identities * GROWTH
        or int(now.progress_percent / 5) != int(before.progress_percent / 5)
    )


def observation(report: Report) -> conditions.Observation:
    """Say in a condition whether the models judge."""
    if report.phase is words.ModelPhase.ACTIVE:
        return statuses.ready("Judging", f"{report.records} records of {report.identities} identities learned")
    return statuses.not_ready(
        "WarmingUp", f"{report.progress_percent:g}% of the learning period; rules judge meanwhile"
    )


def _status(report: Report, listed: list[dict[str, Any]]) -> dict[str, Any]:
    warm_up: dict[str, Any] = {"progressPercent": report.progress_percent}
    if report.ready_at_s is not None:
        warm_up["readyAt"] = clock.rfc3339(report.ready_at_s)
    return {
        "phase": report.phase.value,
        "version": bank.MODEL_VERSION,
        "recordsLearned": report.records,
        "identities": report.identities,
        "warmUp": warm_up,
        "conditions": listed,
    }
