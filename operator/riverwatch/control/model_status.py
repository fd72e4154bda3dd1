"""A report about models -> the `status` of a DetectionModel and its conditions, in words for people. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

from riverwatch import clock
from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.control import model_report, statuses
from riverwatch.models import base as models_base
from riverwatch.runtime import checkpoint
from riverwatch.scoring import budget

FUSED = "fused"
"""Name of the threshold that the fused evidence of a case must exceed."""

MAX_LINE = 512
"""Longest line of text in a status."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """The checkpoint that was written last."""

    digest: str
    """Checksum, ``sha256:...``."""
    time_s: float


def stored(counts: checkpoint.Counts | None) -> Stored | None:
    """Return the checkpoint that was written last; None when none was."""
    return Stored(counts.digest, counts.written_at_s) if counts is not None and counts.digest else None


def observations(report: model_report.Report) -> list[conditions.Observation]:
    """Say in conditions whether the models judge, and whether the namespace drifted."""
    return [_ready(report), _drifted(report)]


def status(
    report: model_report.Report, listed: list[dict[str, Any]], *, stored: Stored | None, generation: int | None
) -> dict[str, Any]:
    """Return the whole status.

    Parameters
    ----------
    report
        The figures.
    listed
        Conditions with their times.
    stored
        The checkpoint that was written last; None for none.
    generation
        The `metadata.generation` whose spec is in force; None when the object is not known yet.
    """
    warm_up: dict[str, Any] = {"progressPercent": report.progress_percent}
    if report.ready_at_s is not None:
        warm_up["readyAt"] = clock.rfc3339(report.ready_at_s)
    told: dict[str, Any] = {
        "phase": report.phase.value,
        "version": report.version,
        "recordsLearned": report.records,
        "identities": report.identities,
        "warmUp": warm_up,
        "shed": {
            "lastDay": report.shed_last_day,
            "total": report.shed_total,
            "newest": [_candidate(one) for one in report.shed],
        },
        "drift": {"drifted": report.drift.drifted, "features": list(report.drift.features)},
        "conditions": listed,
    }
    if report.threshold is not None:
        told["thresholds"] = [_threshold(report.threshold)]
    if report.previous:
        told["previousVersion"] = report.previous
    if report.beside is not None:
        told["shadow"] = _shadow(report.beside)
    if report.drift.since_s is not None:
        told["drift"]["since"] = clock.rfc3339(report.drift.since_s)
    if stored is not None:
        told["checkpoint"] = {"digest": stored.digest, "time": clock.rfc3339(stored.time_s)}
    if generation is not None:
        told["observedGeneration"] = generation
    return told


def _ready(report: model_report.Report) -> conditions.Observation:
    learned = f"{report.records} records of {report.identities} identities learned"
    if report.phase is words.ModelPhase.WARMING_UP:
        when = f", ready about {clock.rfc3339(report.ready_at_s)}" if report.ready_at_s is not None else ""
        message = f"{report.progress_percent:g}% of the learning period{when}; rules judge meanwhile"
        return statuses.not_ready("WarmingUp", message)
    if report.phase is words.ModelPhase.DEGRADED:
        return statuses.not_ready("ModelsRest", f"the models rest, rules alone judge; {learned}")
    if report.phase is words.ModelPhase.FROZEN:
        if report.progress_percent < 100.0:
            return statuses.not_ready("FrozenWhileWarmingUp", f"spec.frozen stops the learning period; {learned}")
        return statuses.ready("Frozen", f"judging without learning, as spec.frozen asks; {learned}")
    if report.phase is words.ModelPhase.LEARNING:
        cases = report.threshold.cases if report.threshold is not None else 0
        told = f"judging with a cautious threshold while ordinary cases are few ({cases}); {learned}"
        return statuses.ready("StillLearning", told)
    return statuses.ready("Judging", learned)


def _drifted(report: model_report.Report) -> conditions.Observation:
    state = report.drift
    if not state.drifted:
        told = "what is new has its usual share" if state.batches else "too few records to tell"
        return conditions.Observation(conditions.DRIFTED, words.ConditionStatus.FALSE, "Steady", told)
    since = f" since {clock.rfc3339(state.since_s)}" if state.since_s is not None else ""
    told = f"more is new than usual{since} in {', '.join(state.features)}; the models relearn by themselves"
    if report.beside is not None:
        told += f", and {report.beside.version} from nothing beside them: spec.promote has it judge"
    return conditions.Observation(conditions.DRIFTED, words.ConditionStatus.TRUE, "MoreIsNew", told)


def _shadow(beside: model_report.Beside) -> dict[str, Any]:
    told: dict[str, Any] = {"version": beside.version, "since": clock.rfc3339(beside.since_s)}
    if beside.agreement is not None:
        told["agreement"] = round(beside.agreement, 3)
    if beside.per_day is not None:
        told["wouldRaisePerDay"] = round(beside.per_day, 2)
    return told


def _threshold(found: model_report.Threshold) -> dict[str, Any]:
    basis = f"{found.cases} ended cases" if found.settled else "a cautious assumption, too few cases have ended"
    return {
        "model": FUSED,
        "value": round(found.nats, 2),
        "budgetPerDay": found.budget_per_day,
        "expectedPerDay": round(found.expected_per_day, 3),
        "meaning": f"raised from {found.nats:.1f} nats of evidence on, which ordinary life reaches about "
        f"{found.expected_per_day:.2g} times a day (by {basis}); the budget is {found.budget_per_day:g} a day",
    }


def _candidate(one: budget.Shed) -> dict[str, Any]:
    return {
        "time": clock.rfc3339(one.time_s),
        "actor": one.actor[:MAX_LINE],
        "score": round(100.0 * models_base.to_score(one.nats), 1),
        "nats": round(one.nats, 2),
        "summary": one.summary[:MAX_LINE],
    }
