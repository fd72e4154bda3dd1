"""Stage 6, render: `Detection` -> the body of a `ThreatDetection`.

Pure. Cuts every text to the bounds of the schema, replaces control characters, and leaves `spec.triage` alone, which
belongs to people. Called by outputs and by `replay`; both therefore show the same object.
"""

from __future__ import annotations

from typing import Any

from riverwatch import clock
from riverwatch.detections import advice, finding

API_VERSION = "riverwatch.dev/v1alpha1"
"""API group and version of the object."""

OPERATOR_NAMESPACE = "riverwatch-system"
"""Namespace of detections about people and cluster-wide objects, when nothing else is said."""

MAX_NAME = 512
"""Characters of a name, as the schema allows."""

MAX_LINE = 512
"""Characters of a title."""

MAX_TEXT = 2_048
"""Characters of a longer text; half of what the schema allows, so that an object stays far below etcd's limit."""


def to_threat_detection(
    detection: finding.Detection, *, operator_namespace: str = OPERATOR_NAMESPACE
) -> dict[str, Any]:
    """Return the custom resource of a detection: apiVersion, kind, metadata, spec and status.

    Parameters
    ----------
    detection
        The detection.
    operator_namespace
        Namespace for detections that have none of their own.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "ThreatDetection",
        "metadata": {
            "name": detection.name,
            "namespace": detection.namespace or operator_namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "riverwatch",
                "riverwatch.dev/severity": detection.severity.value,
                "riverwatch.dev/kind": detection.kind.value,
            },
        },
        "spec": _spec(detection),
        "status": {"phase": detection.phase.value, "count": detection.evidence_count},
    }


def _spec(detection: finding.Detection) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "title": _text(detection.title, MAX_LINE),
        "useCase": detection.use_case.value,
        "severity": detection.severity.value,
        "score": round(detection.score, 1),
        "confidence": round(detection.confidence, 2),
        "kind": detection.kind.value,
        "detectors": detection.detectors[:64],
        "actor": _filled(
            kind=detection.actor.kind,
            name=_text(detection.actor.name, MAX_NAME),
            namespace=_text(detection.actor.namespace, MAX_NAME),
        ),
        "sourceIPs": [_text(address, MAX_NAME) for address in detection.source_ips],
        "userAgents": [_text(agent, MAX_NAME) for agent in detection.user_agents],
        "targets": [
            {"apiGroup": _text(target.api_group, MAX_NAME)}
            | _filled(
                resource=_text(target.resource, MAX_NAME),
                subresource=_text(target.subresource, MAX_NAME),
                namespace=_text(target.namespace, MAX_NAME),
                name=_text(target.name, MAX_NAME),
            )
            for target in detection.targets
        ],
        "techniques": [
            {"id": item.id, "name": item.name, "tactic": item.tactic, "attackVersion": item.attack_version}
            for item in detection.techniques[:32]
        ],
        "firstSeen": clock.rfc3339(detection.first_seen_s),
        "lastSeen": clock.rfc3339(detection.last_seen_s),
        "observedAt": clock.rfc3339(detection.observed_at_s),
        "evidence": [
            {
                "auditID": _text(item.audit_id, MAX_NAME),
                "time": clock.rfc3339(item.time_s),
                "summary": _text(item.summary, MAX_TEXT),
            }
            for item in detection.evidence
        ],
        "chain": [
            {"time": clock.rfc3339(step.time_s), "actor": _text(step.actor, MAX_NAME)}
            | _filled(tactic=step.tactic)
            | {"summary": _text(step.summary, MAX_TEXT)}
            | _filled(auditID=_text(step.audit_id, MAX_NAME))
            for step in detection.chain
        ],
        "evidenceCount": detection.evidence_count,
        "explanation": [
            {
                "feature": _text(reason.feature, MAX_NAME),
                "observed": _text(reason.observed, MAX_TEXT),
                "expected": _text(reason.expected, MAX_TEXT),
                "frequency": reason.frequency.value,
                "contribution": min(1.0, max(0.0, reason.contribution)),
                "text": _text(reason.text, MAX_TEXT),
            }
            for reason in detection.explanation
        ],
        "counterfactual": _text(detection.counterfactual, MAX_TEXT),
        "recommendations": [_text(step, MAX_TEXT) for step in detection.recommendations],
        "modelVersion": detection.model_version,
        "policyRefs": [_text(ref, MAX_NAME) for ref in detection.policy_refs[:64]],
    }
    if detection.impersonated_by:
        spec["impersonatedBy"] = _text(detection.impersonated_by, MAX_NAME)
    return spec


def _text(text: str, limit: int) -> str:
    return advice.printable(text, limit)


def _filled(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
