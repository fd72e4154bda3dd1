"""Closed sets and small facts that several stages share: severity, kinds of detection, frequency words, techniques.

The values are those of the custom resources (DESIGN of `ThreatDetection`), so they are written out exactly once.
"""

from __future__ import annotations

import enum

import msgspec

ATTACK_VERSION = "18.1"
"""Version of MITRE ATT&CK that technique ids refer to unless a rule's card says otherwise."""


class Severity(enum.StrEnum):
    """How bad it is if true."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    INFO = "Info"

    @property
    def rank(self) -> int:
        """0 (Info) to 4 (Critical)."""
        return _SEVERITY_RANK[self]


_SEVERITY_RANK = {
    Severity.INFO: 0,
    Severity.LOW: 1,
    Severity.MEDIUM: 2,
    Severity.HIGH: 3,
    Severity.CRITICAL: 4,
}


class DetectionKind(enum.StrEnum):
    """What spoke: a rule, a model, a correlation over time, or several identities linked into one incident."""

    RULE = "Rule"
    ANOMALY = "Anomaly"
    SEQUENCE = "Sequence"
    CORRELATED = "Correlated"


class Frequency(enum.StrEnum):
    """How often a value was seen before in its comparison group."""

    UNSEEN = "Unseen"
    RARE = "Rare"
    INFREQUENT = "Infrequent"
    FREQUENT = "Frequent"


class UseCase(enum.StrEnum):
    """What the detection is about, for routing and for figures per use case."""

    CREDENTIAL_MISUSE = "CredentialMisuse"
    SECRET_ACCESS = "SecretAccess"  # noqa: S105 - the name of a use case
    PRIVILEGE_ESCALATION = "PrivilegeEscalation"
    DISCOVERY = "Discovery"
    EXECUTION = "Execution"
    PERSISTENCE = "Persistence"
    DEFENSE_EVASION = "DefenseEvasion"
    LATERAL_MOVEMENT = "LateralMovement"
    IMPACT = "Impact"


class Verdict(enum.StrEnum):
    """What a person decided about a detection (`spec.triage.verdict`)."""

    TRUE_POSITIVE = "TruePositive"
    FALSE_POSITIVE = "FalsePositive"
    EXPECTED = "Expected"


class Phase(enum.StrEnum):
    """Life cycle of a detection (`status.phase`)."""

    OPEN = "Open"
    ACKNOWLEDGED = "Acknowledged"
    RESOLVED = "Resolved"
    EXPIRED = "Expired"


class Technique(msgspec.Struct, frozen=True, gc=False):
    """One ATT&CK technique."""

    id: str
    """For example ``T1552.007``."""
    name: str
    tactic: str
    """Tactic in ATT&CK's own words, for example ``Credential Access``."""
    attack_version: str = ATTACK_VERSION
