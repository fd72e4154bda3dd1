"""Stage 6, record: `Verdict` -> `Detection`, one per actor and incident.

While an actor's incident is open (last evidence less than `IDLE_S` ago by record time, begun less than `MAX_S` ago),
whatever is raised about it grows the same detection. Its uid is made from actor and first evidence, so a restart or a
second replica that reads the same stream makes the same object. Owns the open incidents and forgets those that are
over.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from riverwatch import clock, vocabulary
from riverwatch.activity import record
from riverwatch.detections import advice, finding
from riverwatch.models import bank
from riverwatch.scoring import explain, judge

IDLE_S = 24 * 3_600.0
"""Seconds without evidence after which the next finding is a new incident: a person looks at most once a day."""

MAX_S = 7 * 24 * 3_600.0
"""Longest incident, seconds."""

MAX_OPEN = 5_000
"""Open incidents kept; the one with the oldest evidence goes first."""

KEEP_FIRST = 15
"""Evidence items kept from the beginning."""

KEEP_STRONGEST = 15
"""Evidence items kept for their strength; the rest of `finding.MAX_EVIDENCE` are the last ones."""

RULE_SCORE = {
    vocabulary.Severity.CRITICAL: 0.95,
    vocabulary.Severity.HIGH: 0.8,
    vocabulary.Severity.MEDIUM: 0.5,
    vocabulary.Severity.LOW: 0.3,
    vocabulary.Severity.INFO: 0.1,
}
"""Score that a rule of this severity has alone, 0..1."""


class Folder:
    """Open incidents of one cluster."""

    def __init__(self) -> None:
        self.open: dict[str, finding.Detection] = {}

    def fold(
        self, activity: record.Activity, verdict: judge.Verdict, *, policy_refs: tuple[str, ...]
    ) -> finding.Detection:
        """Open or grow the actor's detection."""
        key = verdict.case.key
        found = self.open.pop(key, None)
        if found is not None and _over(found, activity.time_s):
            found = None
        if found is None:
            found = _opened(key, activity, verdict, policy_refs)
        self.open[key] = found
        if len(self.open) > MAX_OPEN:
            del self.open[next(iter(self.open))]
        _grow(found, activity, verdict)
        found.revision += 1
        return found

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint, the incident with the oldest evidence first."""
        return [[key, msgspec.to_builtins(found)] for key, found in self.open.items()]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self.open = dict(msgspec.convert(data, list[tuple[str, finding.Detection]]))


def _over(found: finding.Detection, time_s: float) -> bool:
    return time_s - found.last_seen_s > IDLE_S or time_s - found.first_seen_s > MAX_S


def _opened(
    key: str, activity: record.Activity, verdict: judge.Verdict, policy_refs: tuple[str, ...]
) -> finding.Detection:
    actor = activity.actor
    first_s = min((item.time_s for item in verdict.before), default=activity.time_s)
    digest = hashlib.sha256(f"{key}\n{clock.rfc3339(first_s)}".encode()).hexdigest()
    return finding.Detection(
        uid=digest[:16],
        namespace=actor.namespace or activity.principal.namespace or activity.namespace,
        title="",
        use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
        severity=vocabulary.Severity.INFO,
        score=0.0,
        confidence=0.0,
        kind=verdict.kind,
        detectors=[],
        actor=finding.Actor(actor.kind.value, actor.name, actor.namespace),
        impersonated_by=activity.principal.username if activity.impersonated else "",
        source_ips=[],
        user_agents=[],
        targets=[],
        techniques=[],
        first_seen_s=first_s,
        last_seen_s=activity.time_s,
        observed_at_s=activity.time_s,
        evidence=list(verdict.before),
        evidence_count=len(verdict.before),
        explanation=[],
        counterfactual="",
        recommendations=[],
        model_version=bank.MODEL_VERSION,
        policy_refs=list(policy_refs),
    )


def _grow(found: finding.Detection, activity: record.Activity, verdict: judge.Verdict) -> None:
    case = verdict.case
    strength = _strength(verdict)
    if found.detectors and found.kind is not verdict.kind:
        found.kind = vocabulary.DetectionKind.CORRELATED
    detectors = [hit.card.id for hit in case.hits] + [part.model for part in case.parts]
    found.detectors.extend(name for name in dict.fromkeys(detectors) if name not in found.detectors)
    found.last_seen_s = max(found.last_seen_s, activity.time_s)
    found.first_seen_s = min(found.first_seen_s, activity.time_s)
    if verdict.evidence is not None:
        _remember(found, verdict.evidence)
    _extend(found.source_ips, activity.source_ip)
    _extend(found.user_agents, activity.user_agent[:256])
    target = finding.Target(
        activity.api_group, activity.resource, activity.subresource, activity.namespace, activity.name
    )
    if activity.resource and target not in found.targets and len(found.targets) < finding.MAX_TARGETS:
        found.targets.append(target)
    for hit in case.hits:
        found.techniques.extend(item for item in hit.card.techniques if item not in found.techniques)
    if verdict.severity.rank > found.severity.rank:
        found.severity = verdict.severity
    score = round(100.0 * strength, 1)
    if score >= found.score or not found.title:
        found.score = max(score, found.score)
        _describe(found, activity, verdict)
    found.confidence = round(max(found.confidence, _confidence(verdict)), 2)


def _describe(found: finding.Detection, activity: record.Activity, verdict: judge.Verdict) -> None:
    case = verdict.case
    who = f"{activity.principal.label} as {activity.actor.label}" if activity.impersonated else activity.actor.label
    telling = [hit for hit in case.hits if hit.card.severity.rank >= vocabulary.Severity.MEDIUM.rank]
    telling = case.hits if verdict.by_rule else telling
    found.title = explain.title(who, case.parts, telling)
    if telling:
        found.use_case = telling[0].card.use_case
    else:
        found.use_case = advice.use_case(case.parts)
        techniques = advice.techniques(case.parts)
        found.techniques.extend(item for item in techniques if item not in found.techniques)
    share = (verdict.nats - case.nats) / verdict.nats if verdict.nats > 0 else 1.0
    found.explanation = explain.reasons(case.parts, case.hits, share_of_rules=share)
    found.counterfactual = explain.counterfactual(
        case.parts, nats=verdict.nats, threshold=verdict.threshold, by_rule=bool(case.hits)
    )
    found.recommendations = advice.recommendations(activity, case.hits, found)


def _strength(verdict: judge.Verdict) -> float:
    case = verdict.case
    anomaly = 1.0 - math.exp2(-case.nats / max(verdict.threshold, 1.0))
    rule = max((RULE_SCORE[hit.card.severity] for hit in case.hits), default=0.0)
    return 1.0 - (1.0 - anomaly) * (1.0 - rule)


def _confidence(verdict: judge.Verdict) -> float:
    case = verdict.case
    ratio = verdict.nats / max(verdict.threshold, 1.0)
    by_rule = 0.7 if case.hits else 0.0
    return min(0.99, max(by_rule, 1.0 - math.exp2(-ratio)) + (0.1 if case.hits and case.parts else 0.0))


def _remember(found: finding.Detection, item: finding.Evidence) -> None:
    found.evidence_count += 1
    found.evidence.append(item)
    if len(found.evidence) <= finding.MAX_EVIDENCE:
        return
    head, rest = found.evidence[:KEEP_FIRST], found.evidence[KEEP_FIRST:]
    keep_last = finding.MAX_EVIDENCE - KEEP_FIRST - KEEP_STRONGEST
    middle, last = rest[:-keep_last], rest[-keep_last:]
    weakest = min(range(len(middle)), key=lambda place: middle[place].score)
    del middle[weakest]
    found.evidence = head + middle + last


def _extend(values: list[str], value: str) -> None:
    if value and value not in values and len(values) < finding.MAX_VALUES:
        values.append(value)
