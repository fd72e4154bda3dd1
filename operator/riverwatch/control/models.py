"""Writes what there is to say about the models of each namespace as a DetectionModel object.

Figures are read on the worker's thread (`control.model_report`), rendered by `control.model_status`, written by the
status lane, and only when they say something new: a count that grew a little is not worth a write to the API server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from riverwatch import clock
from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.control import model_report, model_status, model_wishes, statuses
from riverwatch.kube import resources
from riverwatch.runtime import checkpoint, pipeline

EVERY_S = 30.0
"""Seconds between two looks at the models."""

GROWTH = 1.1
"""Factor by which a count must have grown to be written again while the phase stays the same."""

SHIFT_NATS = 0.5
"""Change of a threshold that is worth a write."""

OBJECT_NAME = model_wishes.OBJECT_NAME
"""Name of the object in each namespace; there is one."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written about one namespace."""

    report: model_report.Report
    listed: list[dict[str, Any]]
    """Conditions with their times."""
    state: list[str]
    """The conditions that are not from the report, in short."""


class ModelReporter:
    """Writes reports that say something new.

    Parameters
    ----------
    report
        The status lane.
    operator_namespace
        Where the object of people and nodes lives; that of the namespace itself is the same one.
    change
        Runs something with the pipeline on the worker's thread.
    time
        Clock.
    stream
        Gives the conditions about the stream, which stand on the object of people and nodes.
    wishes
        Tells what people ask of the models; None when nobody can ask.
    checkpoints
        What the checkpoints did so far; None when there are none.
    """

    def __init__(  # noqa: PLR0913 - what it joins
        self,
        report: statuses.Statuses,
        *,
        operator_namespace: str,
        change: Callable[[Callable[[pipeline.Pipeline], None]], None],
        time: clock.Clock,
        stream: Callable[[], Sequence[conditions.Observation]] = tuple,
        wishes: model_wishes.ModelWishes | None = None,
        checkpoints: checkpoint.Counts | None = None,
    ) -> None:
        self._report = report
        self._operator_namespace = operator_namespace
        self._change = change
        self._time = time
        self._stream = stream
        self._wishes = wishes
        self._checkpoints = checkpoints
        self._written: dict[str, Written] = {}

    def run(self) -> None:
        """Look at the models soon; a chore of the steward."""
        self._change(self._look)

    def _look(self, source: pipeline.Pipeline) -> None:
        reports, stream = self._by_object(source), self._stream()
        if stream and "" not in reports:
            reports[""] = model_report.Report("", words.ModelPhase.WARMING_UP, 0, 0, 0.0, None)
        for namespace, one in reports.items():
            self._write(one, () if namespace else stream)
        for gone in self._written.keys() - reports.keys():
            del self._written[gone]

    def _by_object(self, source: pipeline.Pipeline) -> dict[str, model_report.Report]:
        reports = {one.namespace: one for one in model_report.collect(source)}
        own = reports.pop(self._operator_namespace, None)
        if own is not None:
            people = reports.get("")
            own = dataclasses.replace(own, namespace="")
            reports[""] = own if people is None else model_report.merged(people, own)
        return reports

    def _write(self, one: model_report.Report, further: Sequence[conditions.Observation]) -> None:
        wish = self._wishes.of(one.namespace) if self._wishes is not None else model_wishes.Wish()
        asked = model_wishes.observation(wish, version=one.version)
        state = [f"{seen.type} {seen.status} {seen.reason}" for seen in (*further, asked)]
        state.append(str(wish.generation))
        before = self._written.get(one.namespace)
        if before is not None and before.state == state and not news(before.report, one):
            return
        listed: list[dict[str, Any]] | None = before.listed if before is not None else None
        for seen in (*model_status.observations(one), asked, *further):
            listed = conditions.set_condition(
                listed, seen, now_s=self._time.now_s(), generation=wish.generation if seen is asked else None
            )
        assert listed is not None
        self._written[one.namespace] = Written(one, listed, state)
        told = model_status.status(
            one, listed, stored=model_status.stored(self._checkpoints), generation=wish.generation
        )
        namespace = one.namespace or self._operator_namespace
        self._report.submit(statuses.Write(resources.MODELS, namespace, OBJECT_NAME, told, create=True))


def news(before: model_report.Report, now: model_report.Report) -> bool:
    """Whether a report is worth a write after another one."""
    return (
        before.phase is not now.phase
        or now.records > before.records * GROWTH
        or now.identities > before.identities * GROWTH
        or int(now.progress_percent / 5) != int(before.progress_percent / 5)
        or now.drift.features != before.drift.features
        or now.shed != before.shed
        or _versions(now) != _versions(before)
        or _shifted(before.threshold, now.threshold)
    )


def _shifted(before: model_report.Threshold | None, now: model_report.Threshold | None) -> bool:
    if before is None or now is None:
        return before is not now
    return (
        abs(before.nats - now.nats) >= SHIFT_NATS
        or before.budget_per_day != now.budget_per_day
        or before.settled != now.settled
    )


def _versions(report: model_report.Report) -> tuple[object, ...]:
    """Return what a status says about versions, as coarsely as is worth a write."""
    beside = report.beside
    if beside is None:
        return report.version, report.previous
    rate, agreement = (None if figure is None else round(figure, 1) for figure in (beside.per_day, beside.agreement))
    return report.version, report.previous, beside.version, rate, agreement
