"""Stage 7: a detection -> an OCSF Detection Finding (class 2004), as SIEMs and data lakes read it.

Follows OCSF 1.7.0 with the profile ``host``, which brings ``actor``. What is unusual goes to ``anomaly_analyses`` in
the words that the schema itself names (UNSEEN, RARE, INFREQUENT, FREQUENT); what has no place goes to ``unmapped``.
Pure and without a clock: whoever sends it says whether it creates, updates or closes the finding. Called by
``replay -o ocsf`` and by outputs.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import riverwatch
from riverwatch import vocabulary
from riverwatch.activity import identities
from riverwatch.detections import finding, render
from riverwatch.report import ocsf_parts, words

SCHEMA_VERSION = "1.7.0"
"""Version of OCSF that the attributes are taken from."""

CATEGORY_UID = 2
"""Findings."""

CLASS_UID = 2004
"""Detection Finding."""


class Change(enum.IntEnum):
    """What happened to the finding; the values are OCSF's ``activity_id``."""

    CREATE = 1
    UPDATE = 2
    CLOSE = 3


SEVERITY: Mapping[vocabulary.Severity, tuple[int, str]] = {
    vocabulary.Severity.INFO: (1, "Informational"),
    vocabulary.Severity.LOW: (2, "Low"),
    vocabulary.Severity.MEDIUM: (3, "Medium"),
    vocabulary.Severity.HIGH: (4, "High"),
    vocabulary.Severity.CRITICAL: (5, "Critical"),
}
"""Severity -> ``severity_id`` and its caption."""

RISK: Mapping[vocabulary.Severity, tuple[int, str]] = {
    vocabulary.Severity.INFO: (0, "Info"),
    vocabulary.Severity.LOW: (1, "Low"),
    vocabulary.Severity.MEDIUM: (2, "Medium"),
    vocabulary.Severity.HIGH: (3, "High"),
    vocabulary.Severity.CRITICAL: (4, "Critical"),
}
"""Severity -> ``risk_level_id`` and its caption."""

STATUS: Mapping[vocabulary.Phase, tuple[int, str]] = {
    vocabulary.Phase.OPEN: (1, "New"),
    vocabulary.Phase.ACKNOWLEDGED: (2, "In Progress"),
    vocabulary.Phase.RESOLVED: (4, "Resolved"),
    vocabulary.Phase.EXPIRED: (5, "Archived"),
}
"""Phase -> ``status_id`` and its caption."""

CONFIDENCE_STEPS = ((0.8, 3, "High"), (0.5, 2, "Medium"), (0.0, 1, "Low"))
"""Least confidence (0..1), ``confidence_id`` and its caption; 0.8 is a rule with a habit beside it."""


def to_ocsf(
    detection: finding.Detection,
    *,
    change: Change | None = None,
    operator_namespace: str = render.OPERATOR_NAMESPACE,
    version: str = riverwatch.__version__,
) -> dict[str, Any]:
    """Return the Detection Finding of a detection as it stands.

    Parameters
    ----------
    detection
        The detection.
    change
        What this message tells; None for a finding told once: created, or closed when its phase says so.
    operator_namespace
        Namespace of detections that have none of their own.
    version
        Version of riverwatch.
    """
    over = detection.phase in {vocabulary.Phase.RESOLVED, vocabulary.Phase.EXPIRED}
    told = change if change is not None else (Change.CLOSE if over else Change.CREATE)
    time_s = detection.observed_at_s if told is Change.CREATE else detection.last_seen_s
    severity_id, severity = SEVERITY[detection.severity]
    status_id, status = STATUS[detection.phase]
    _, confidence_id, confidence = next(step for step in CONFIDENCE_STEPS if detection.confidence >= step[0])
    risk_id, risk = RISK[detection.severity]
    body: dict[str, Any] = {
        "activity_id": int(told),
        "activity_name": told.name.capitalize(),
        "category_uid": CATEGORY_UID,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + int(told),
        "type_name": f"Detection Finding: {told.name.capitalize()}",
        "time": ocsf_parts.millis(time_s),
        "start_time": ocsf_parts.millis(detection.first_seen_s),
        "end_time": ocsf_parts.millis(detection.last_seen_s),
        "count": detection.evidence_count,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "confidence_id": confidence_id,
        "confidence": confidence,
        "confidence_score": round(100 * detection.confidence),
        "risk_level_id": risk_id,
        "risk_level": risk,
        "risk_score": round(detection.score),
        "is_alert": told is Change.CREATE and detection.severity is not vocabulary.Severity.INFO,
        "message": words.plain(detection.title, 512),
        "metadata": _metadata(detection, version),
        "finding_info": ocsf_parts.finding_info(detection, operator_namespace),
        "actor": ocsf_parts.actor(detection),
        "resources": [ocsf_parts.resource(target) for target in detection.targets],
        "evidences": ocsf_parts.evidences(detection),
        "observables": ocsf_parts.observables(detection),
        "unmapped": _unmapped(detection),
    }
    if detection.recommendations:
        body["remediation"] = {"desc": "\n".join(words.plain(step) for step in detection.recommendations)}
    analysis = ocsf_parts.anomaly_analysis(detection)
    if analysis is not None:
        body["anomaly_analyses"] = [analysis]
    return body


def _metadata(detection: finding.Detection, version: str) -> dict[str, Any]:
    return {
        "version": SCHEMA_VERSION,
        "profiles": ["host"],
        "uid": f"{detection.uid}.{detection.revision}",
        "correlation_uid": detection.uid,
        "log_name": "audit",
        "log_provider": "kube-apiserver",
        "product": {"name": "riverwatch", "vendor_name": "riverwatch", "version": version},
    }


def _unmapped(detection: finding.Detection) -> dict[str, Any]:
    values = {
        "kind": detection.kind.value,
        "use_case": detection.use_case.value,
        "model_version": words.plain(detection.model_version, 512),
        "counterfactual": words.plain(detection.counterfactual),
        "impersonated_by": words.plain(detection.impersonated_by, 512),
        "policy_refs": [words.plain(ref, 512) for ref in detection.policy_refs],
        "anonymous": detection.actor.kind == identities.PrincipalKind.ANONYMOUS,
    }
    return {name: value for name, value in values.items() if value}
