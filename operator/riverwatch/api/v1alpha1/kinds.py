"""The list of kinds: names, scope, short name, type and printer columns of each. `api.render` makes ``crds/`` of it."""

from __future__ import annotations

import msgspec

from riverwatch.api.v1alpha1 import base, detection, model, policy, rule


class Column(msgspec.Struct, frozen=True):
    """One column of ``kubectl get``."""

    name: str
    path: str
    """Simple JSON path below the object."""
    type: str = "string"
    detail: bool = False
    """Shown only with ``-o wide``."""
    description: str = ""


class Kind(msgspec.Struct, frozen=True):
    """One custom resource."""

    name: str
    plural: str
    short: str
    namespaced: bool
    type: type[base.ApiModel]
    columns: tuple[Column, ...]

    @property
    def singular(self) -> str:
        """Name that ``kubectl`` accepts for one object."""
        return self.name.lower()


READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it is in force.")
"""Column of the summary condition."""

WHY = Column(
    "Message", '.status.conditions[?(@.type=="Ready")].message', detail=True, description="Why it is or is not."
)
"""Column that says why."""

AGE = Column("Age", ".metadata.creationTimestamp", "date")
"""Column of the age, last as everywhere."""

_POLICY = (
    Column("Mode", ".spec.mode", description="What riverwatch does; empty: as the next policy says."),
    Column("Budget", ".spec.alertBudget.perDay", "number", description="Detections a day."),
    Column("Learning", ".spec.learning.period", detail=True),
    Column("Min Severity", ".spec.minSeverity", detail=True),
)

KINDS: tuple[Kind, ...] = (
    Kind("DetectionPolicy", "detectionpolicies", "rwpol", True, policy.DetectionPolicy, (*_POLICY, READY, WHY, AGE)),
    Kind(
        "ClusterDetectionPolicy",
        "clusterdetectionpolicies",
        "rwcpol",
        False,
        policy.ClusterDetectionPolicy,
        (Column("Priority", ".spec.priority", "integer"), *_POLICY, READY, WHY, AGE),
    ),
    Kind(
        "DetectionRule",
        "detectionrules",
        "rwrule",
        False,
        rule.DetectionRule,
        (
            Column("Severity", ".spec.severity", description="Severity override."),
            Column("Passed", ".status.casesPassed", "integer", description="Cases judged rightly."),
            Column("Failed", ".status.casesFailed", "integer", description="Cases judged wrongly."),
            READY,
            WHY,
            AGE,
        ),
    ),
    Kind(
        "ThreatDetection",
        "threatdetections",
        "rwtd",
        True,
        detection.ThreatDetection,
        (
            Column("Severity", ".spec.severity"),
            Column("Score", ".spec.score", "number"),
            Column("Title", ".spec.title"),
            Column("Actor", ".spec.actor.name"),
            Column("Count", ".status.count", "integer"),
            Column("Verdict", ".spec.triage.verdict"),
            Column("Phase", ".status.phase"),
            Column("Last Seen", ".spec.lastSeen", "date"),
            Column("Kind", ".spec.kind", detail=True),
            Column("Use Case", ".spec.useCase", detail=True),
            Column("Confidence", ".spec.confidence", "number", detail=True),
            Column("Detectors", ".spec.detectors", detail=True),
            Column("Sources", ".spec.sourceIPs", detail=True),
            AGE,
        ),
    ),
    Kind(
        "DetectionModel",
        "detectionmodels",
        "rwmodel",
        True,
        model.DetectionModel,
        (
            Column("Phase", ".status.phase"),
            Column("Progress", ".status.warmUp.progressPercent", "number", description="Percent of the warm-up."),
            Column("Ready At", ".status.warmUp.readyAt", description="When the models are expected to judge."),
            Column("Records", ".status.recordsLearned", "integer"),
            Column("Identities", ".status.identities", "integer"),
            Column(
                "Threshold",
                '.status.thresholds[?(@.model=="fused")].value',
                "number",
                description="Evidence needed, nats.",
            ),
            Column("Shed", ".status.shed.lastDay", "integer", description="Kept back by the budget in the last day."),
            Column("Drifted", ".status.drift.drifted", "boolean"),
            Column("Version", ".status.version", detail=True),
            Column("Frozen", ".spec.frozen", "boolean", detail=True),
            READY,
            WHY,
            AGE,
        ),
    ),
)
"""Every kind of the group, in the order people meet them."""

BY_NAME = {kind.name: kind for kind in KINDS}
"""The same, by the name in `kind:`."""
