"""What is to be said about the models of each namespace, as plain figures; read on the worker's thread only.

`collect` asks the pipeline and changes nothing. Rendered by `control.model_status`, written by `control.models`,
counted by `control.figures_inside`.
"""

from __future__ import annotations

import dataclasses

from riverwatch.activity import identities
from riverwatch.api.v1alpha1 import words
from riverwatch.models import bank, drift
from riverwatch.runtime import pipeline
from riverwatch.scoring import budget, calibrate, learning, policy

SHED_SHOWN = 10
"""Shed candidates told, newest first, one per actor."""

ACTED_AS = " as "
"""What stands between user name and impersonated name in the key of a case."""


STEADY = drift.State()
"""What is said about a namespace without records."""


@dataclasses.dataclass(frozen=True)
class Threshold:
    """What evidence must exceed, and what that means."""

    nats: float
    expected_per_day: float
    """Cases of ordinary life a day that are at least this strange, by the calibration so far."""
    budget_per_day: float
    cases: int
    """Ended cases that the calibration rests on."""
    settled: bool
    """Whether there were enough of them; until then a cautious assumption stands in."""


@dataclasses.dataclass(frozen=True)
class Beside:
    """A shadow that relearns a namespace."""

    version: str
    since_s: float
    agreement: float | None
    """Share, 0..1, of the active version's cases that it would have raised, too; None before there was one."""
    per_day: float | None
    """Cases a day that it would have raised; None while it learns."""


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
    threshold: Threshold | None = None
    shed: tuple[budget.Shed, ...] = ()
    """Newest first, at most `SHED_SHOWN`."""
    shed_last_day: int = 0
    shed_total: int = 0
    """In the whole cluster since the start."""
    drift: drift.State = STEADY
    frozen: bool = False
    version: str = bank.MODEL_VERSION
    """Version that judges."""
    previous: str = ""
    """Version that judged before and is still kept; empty for none."""
    beside: Beside | None = None


def collect(source: pipeline.Pipeline) -> list[Report]:
    """Read the figures of every namespace that has models."""
    shed = _shed_by_home(source)
    reports = []
    for namespace, home in source.models.homes.items():
        rules = source.policies.effective(namespace)
        warm = source.learning.warm(rules, records=source.models.records)
        threshold = _threshold(source, rules)
        mine = shed.get(namespace, [])
        frozen = namespace in source.frozen
        reports.append(
            Report(
                namespace=namespace,
                phase=_phase(rules, warm=warm, frozen=frozen, rests=source.models_rest, settled=threshold.settled),
                records=home.records,
                identities=home.identities,
                progress_percent=100.0 if warm else _progress_percent(source, rules),
                ready_at_s=None if warm else ready_at_s(source, rules),
                threshold=threshold,
                shed=_newest(mine),
                shed_last_day=sum(one.time_s > source.learning.now_s - budget.DAY_S for one in mine),
                shed_total=source.judge.budget.shed_total,
                drift=source.drift.of(namespace),
                frozen=frozen,
                version=source.models.versions.of(namespace),
                previous=earlier.name if (earlier := source.models.versions.earlier.get(namespace)) else "",
                beside=_beside(source, namespace),
            )
        )
    return reports


def merged(first: Report, second: Report) -> Report:
    """Return one report of two that share an object; the first one's name and threshold stand."""
    newest = sorted((*first.shed, *second.shed), key=lambda one: -one.time_s)
    return dataclasses.replace(
        first,
        records=first.records + second.records,
        identities=first.identities + second.identities,
        shed=_newest(newest[::-1]),
        shed_last_day=first.shed_last_day + second.shed_last_day,
        drift=max(first.drift, second.drift, key=lambda one: one.drifted),
        previous=first.previous or second.previous,
        beside=first.beside or second.beside,
    )


def _beside(source: pipeline.Pipeline, namespace: str) -> Beside | None:
    shadow = source.models.versions.shadows.get(namespace)
    if shadow is None:
        return None
    tally = source.judge.comparison.tallies.get(namespace)
    if tally is None:
        return Beside(shadow.name, shadow.since_s, None, None)
    return Beside(shadow.name, shadow.since_s, tally.agreement, tally.per_day(source.learning.now_s))


def ready_at_s(source: pipeline.Pipeline, rules: policy.EffectivePolicy) -> float | None:
    """Return the record time at which the models are expected to judge, at the pace so far; None when nobody knows."""
    learned = source.learning
    if learned.began_s is None:
        return None
    by_time_s = learned.until_s if learned.until_s is not None else learned.began_s + rules.learning_s
    missing = max(learning.MIN_RECORDS, rules.learning_min_records) - source.models.records
    if missing <= 0:
        return by_time_s
    if not source.models.records or learned.age_s() <= 0.0:
        return None
    return max(by_time_s, learned.now_s + missing * learned.age_s() / source.models.records)


def _progress_percent(source: pipeline.Pipeline, rules: policy.EffectivePolicy) -> float:
    asked = max(learning.MIN_RECORDS, rules.learning_min_records)
    share = min(source.learning.progress(rules), source.models.records / asked)
    return min(99.9, round(100.0 * share, 1))


def _phase(rules: policy.EffectivePolicy, *, warm: bool, frozen: bool, rests: bool, settled: bool) -> words.ModelPhase:
    if rests:
        return words.ModelPhase.DEGRADED
    if frozen:
        return words.ModelPhase.FROZEN
    if not warm:
        return words.ModelPhase.WARMING_UP
    return words.ModelPhase.ACTIVE if settled and rules.mode.models_judge else words.ModelPhase.LEARNING


def _threshold(source: pipeline.Pipeline, rules: policy.EffectivePolicy) -> Threshold:
    calibrator = source.judge.calibrator
    nats = source.judge.threshold(rules)
    return Threshold(
        nats=nats,
        expected_per_day=calibrator.tail().rate_per_day(nats),
        budget_per_day=rules.alert_budget_per_day,
        cases=calibrator.cases,
        settled=calibrator.cases * calibrate.TAIL_SHARE >= calibrate.MIN_TAIL,
    )


def _shed_by_home(source: pipeline.Pipeline) -> dict[str, list[budget.Shed]]:
    by_home: dict[str, list[budget.Shed]] = {}
    for one in source.judge.budget.shed:
        home = identities.classify(one.actor.split(ACTED_AS, 1)[0]).namespace
        by_home.setdefault(home, []).append(one)
    return by_home


def _newest(shed: list[budget.Shed]) -> tuple[budget.Shed, ...]:
    """Return the newest candidate of each actor, newest first."""
    by_actor = {one.actor: one for one in shed}
    return tuple(sorted(by_actor.values(), key=lambda one: -one.time_s)[:SHED_SHOWN])
