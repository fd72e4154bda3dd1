"""Figures that only the worker's thread may read, taken there now and then as plain numbers for the metrics.

`Inside.collect` is a duty of the worker; `Inside.update` runs at a scrape. Sizes of namespaces are measured a few at
a time, because writing a state down to see its size takes as long as a checkpoint of it.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable

import msgspec

from riverwatch import metrics
from riverwatch.control import model_report
from riverwatch.detections import finding
from riverwatch.outputs import references
from riverwatch.runtime import pipeline

EVERY_S = 5.0
"""Seconds between two collections."""

MEASURED_IDENTITIES = 500
"""Identities whose state is measured in one collection, at about 20 us each; one namespace at least."""

GROWTH = 1.05
"""Factor by which a namespace's records must have grown to be measured again."""

Grown = Callable[[str, float], float]
"""Told a name and a number that only grows, returns by how much it grew since the last scrape."""


class Inside:
    """What the pipeline holds, in numbers."""

    def __init__(self) -> None:
        self._phases: collections.Counter[str] = collections.Counter()
        self._identities = 0
        self._shed = 0
        self._drifted = 0
        self._faults = 0
        self._disabled = 0
        self._bytes: dict[str, tuple[int, int]] = {}
        """Namespace -> records at the time of measuring, bytes."""
        self._encode = msgspec.msgpack.Encoder().encode

    def collect(self, source: pipeline.Pipeline) -> None:
        """Read the figures; only on the worker's thread."""
        reports = model_report.collect(source)
        self._phases = collections.Counter(one.phase.value for one in reports)
        self._identities = sum(one.identities for one in reports)
        self._shed = source.judge.budget.shed_total
        self._drifted = len(source.drift.drifted())
        self._faults = sum(source.rules.faults.values())
        self._disabled = len(source.rules.disabled)
        self._measure(source)

    def update(self, exported: metrics.Metrics, grown: Grown, work_s: dict[str, float]) -> None:
        """Bring the metrics up to date.

        Parameters
        ----------
        exported
            The metrics.
        grown
            See `Grown`.
        work_s
            Seconds of work by namespace, as the worker estimates them.
        """
        for phase in metrics.PHASES:
            exported.namespaces.labels(phase=phase).set(self._phases.get(phase, 0))
        exported.identities.set(self._identities)
        exported.drifted_namespaces.set(self._drifted)
        exported.shed.inc(grown("shed", self._shed))
        exported.rule_faults.inc(grown("rule faults", self._faults))
        exported.rules_disabled.set(self._disabled)
        sizes = self._bytes
        metrics.tell_top(exported.namespace_state_bytes, {name: size for name, (_, size) in sizes.items()})
        # Only names that the models know: whoever asks for invented namespaces must not choose our labels.
        known = dict.fromkeys((name if name in sizes else "" for name in work_s), 0.0)
        for name, seconds in work_s.items():
            known[name if name in sizes else ""] += seconds
        metrics.tell_top(exported.namespace_work_seconds, known)

    def _measure(self, source: pipeline.Pipeline) -> None:
        homes = source.models.homes
        sizes = {name: size for name, size in self._bytes.items() if name in homes}
        left = MEASURED_IDENTITIES
        for name, home in homes.items():
            if left <= 0:
                break
            if name in sizes and home.records <= sizes[name][0] * GROWTH:
                continue
            sizes[name] = (home.records, len(self._encode(home.dump())))
            left -= max(1, home.identities)
        self._bytes = sizes


class Raised:
    """Counts new detections by severity on their way to the outputs.

    Parameters
    ----------
    exported
        The metrics.
    deliver
        Where detections go.
    """

    def __init__(self, exported: metrics.Metrics, deliver: Callable[[Iterable[finding.Detection]], None]) -> None:
        self._exported = exported
        self._deliver = deliver
        self._known = references.Recent()

    def __call__(self, detections: Iterable[finding.Detection]) -> None:
        """Count and hand on."""
        found = list(detections)
        for one in found:
            if not self._known.has(one.uid):
                self._known.add(one.uid)
                self._exported.detections.labels(severity=one.severity.value).inc()
        self._deliver(found)
