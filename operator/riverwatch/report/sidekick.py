"""Stage 7: a detection -> the JSON that Falco posts and falcosidekick forwards to its outputs.

falcosidekick refuses a payload without rule, priority, time or output fields, and expects the namespace and pod fields
to be text; ``rule`` and ``priority`` become labels of its metrics, so they come from closed sets, never from a name
that a sender chooses. Every output field is text, because most of its outputs pass over anything else. Pure and without
a clock; called by outputs that speak to Falco's tools.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from riverwatch import clock, vocabulary
from riverwatch.detections import finding, render
from riverwatch.report import words

SOURCE = "k8s_audit"
"""Falco's own name for what was read, so that routes by source keep working."""

HOSTNAME = "riverwatch"
"""Stands where Falco names the node: an audit stream belongs to no node."""

MAX_OUTPUT = 1_024
"""Characters of the one-line message; falcosidekick cuts payloads beyond 4,096."""

MAX_FIELD = 512
"""Characters of one output field; falcosidekick cuts longer ones in large payloads."""

PRIORITY: Mapping[vocabulary.Severity, str] = {
    vocabulary.Severity.CRITICAL: "Critical",
    vocabulary.Severity.HIGH: "Error",
    vocabulary.Severity.MEDIUM: "Warning",
    vocabulary.Severity.LOW: "Notice",
    vocabulary.Severity.INFO: "Informational",
}
"""Severity -> Falco's priority; Emergency and Alert are left to people."""

_UUID_SPACE = uuid.UUID("6f1a5bd2-7c0e-5c55-9a6b-2f4d1f0f7f11")


def to_sidekick(
    detection: finding.Detection, *, hostname: str = HOSTNAME, operator_namespace: str = render.OPERATOR_NAMESPACE
) -> dict[str, Any]:
    """Return the payload of a detection as it stands.

    Parameters
    ----------
    detection
        The detection.
    hostname
        What to put where Falco names the node.
    operator_namespace
        Namespace of detections that have none of their own.
    """
    return {
        "uuid": str(uuid.uuid5(_UUID_SPACE, f"{detection.uid}.{detection.revision}")),
        "output": _output(detection),
        "priority": PRIORITY[detection.severity],
        "rule": rule_name(detection),
        "time": clock.rfc3339(detection.last_seen_s),
        "source": SOURCE,
        "hostname": hostname,
        "tags": _tags(detection),
        "output_fields": _fields(detection, operator_namespace),
    }


def rule_name(detection: finding.Detection) -> str:
    """Return the id of the rule that spoke, else what kind of anomaly it is: a closed set, fit for a label."""
    spoke = words.rule_ids(detection)
    return words.plain(spoke[0], 128) if spoke else f"anomaly-{detection.use_case.value}"


def _output(detection: finding.Detection) -> str:
    reasons = " ".join(reason.text.rstrip(".") + "." for reason in detection.explanation[:3])
    text = f"{words.moment(detection.last_seen_s)} {PRIORITY[detection.severity]} {detection.title}. {reasons}"
    return words.plain(text.strip(), MAX_OUTPUT)


def _tags(detection: finding.Detection) -> list[str]:
    tactics = {f"mitre_{item.tactic.lower().replace(' ', '_')}" for item in detection.techniques if item.tactic}
    ids = {item.id for item in detection.techniques}
    own = {"riverwatch", "k8s", detection.use_case.value, detection.kind.value}
    return sorted(own | {words.plain(tag, 128) for tag in tactics | ids})


def _fields(detection: finding.Detection, operator_namespace: str) -> dict[str, str]:
    target = detection.targets[0] if detection.targets else finding.Target("", "")
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    username = words.username(detection.actor)
    fields = {
        "ka.user.name": detection.impersonated_by or username,
        "ka.impuser.name": username if detection.impersonated_by else "",
        "ka.sourceips": ", ".join(detection.source_ips),
        "ka.useragent": detection.user_agents[0] if detection.user_agents else "",
        "ka.target.resource": resource,
        "ka.target.namespace": target.namespace,
        "ka.target.name": target.name,
        "k8s.ns.name": detection.namespace or operator_namespace,
        "k8s.pod.name": target.name if target.resource == "pods" else "",
        "riverwatch.actor": words.actor(detection),
        "riverwatch.actor.kind": detection.actor.kind,
        "riverwatch.detection": f"{detection.namespace or operator_namespace}/{detection.name}",
        "riverwatch.kind": detection.kind.value,
        "riverwatch.severity": detection.severity.value,
        "riverwatch.score": f"{detection.score:.1f}",
        "riverwatch.confidence": f"{detection.confidence:.2f}",
        "riverwatch.records": str(detection.evidence_count),
        "riverwatch.first_seen": clock.rfc3339(detection.first_seen_s),
        "riverwatch.detectors": ", ".join(detection.detectors),
        "riverwatch.counterfactual": detection.counterfactual,
        "riverwatch.next_step": detection.recommendations[0] if detection.recommendations else "",
    }
    return {name: words.plain(value, MAX_FIELD) for name, value in fields.items() if value}
