"""Stage 6 words: `Detection`, one folded incident, as plain data.

The shape is `ThreatDetection` without Kubernetes around it: `detections.fold` builds and grows it, `detections.render`
turns it into a custom resource body, `outputs` deliver it. Times are epoch seconds taken from records.
"""

from __future__ import annotations

import msgspec

from riverwatch import vocabulary
from riverwatch.scoring import argument

MAX_EVIDENCE = 50
"""Evidence items kept in one detection: first, strongest and last ones."""

MAX_TARGETS = 50
"""Targets kept in one detection; `evidence_count` and `target_count` go on counting."""

MAX_VALUES = 20
"""Source addresses and user agents kept in one detection."""

MAX_STEPS = 24
"""Steps kept in the chain of one detection: eight tactics of three identities."""

MAX_PARTIES = 8
"""Identities told one by one in one detection; findings about further ones only add evidence."""


class Actor(msgspec.Struct, frozen=True):
    """Who acted, in the words of `spec.actor`."""

    kind: str
    name: str
    namespace: str = ""


class Target(msgspec.Struct, frozen=True):
    """What was acted on, in the words of `spec.targets[]`."""

    api_group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Step(msgspec.Struct, frozen=True):
    """One step of the incident: where an identity first served a tactic, or handed power to the next identity."""

    time_s: float
    actor: str
    tactic: str
    """ATT&CK tactic; empty when the step serves none."""
    summary: str
    audit_id: str = ""
    link: bool = False
    """Whether it is a hand-over."""


class Party(msgspec.Struct):
    """What one identity of the incident did, and why that stands out."""

    key: str
    """Case key."""
    label: str
    """As people write it."""
    title: str = ""
    deed: str = ""
    """What it did, fit to stand behind "which then"."""
    link: str = ""
    """How it came into the incident, for example "minted a token for web/front"; empty for the first one."""
    by: str = ""
    """Label of the identity that did so."""
    strength: float = 0.0
    """0..1."""
    rank: int = -1
    """Rank of the severity of what is told; -1 while nothing is."""
    explanation: list[argument.Reason] = []
    recommendations: list[str] = []
    counterfactual: str = ""


Evidence = argument.Evidence
"""One record that speaks for the detection."""

Reason = argument.Reason
"""One line of the explanation."""


class Detection(msgspec.Struct):
    """One folded incident of one actor; grows while its window is open."""

    uid: str
    """Deterministic: the hash of actor and window from which the object's name is made."""
    namespace: str
    """Where the object lives: the acting service account's namespace, else the target's, else empty (the
    operator's)."""
    title: str
    use_case: vocabulary.UseCase
    severity: vocabulary.Severity
    score: float
    """0..100."""
    confidence: float
    """0..1."""
    kind: vocabulary.DetectionKind
    detectors: list[str]
    actor: Actor
    impersonated_by: str
    source_ips: list[str]
    user_agents: list[str]
    targets: list[Target]
    techniques: list[vocabulary.Technique]
    first_seen_s: float
    last_seen_s: float
    observed_at_s: float
    evidence: list[Evidence]
    evidence_count: int
    explanation: list[Reason]
    counterfactual: str
    recommendations: list[str]
    model_version: str
    policy_refs: list[str]
    phase: vocabulary.Phase = vocabulary.Phase.OPEN
    chain: list[Step] = []
    """Steps in order of time, one per identity and tactic."""
    parties: list[Party] = []
    """Identities of the incident, the first one that was raised first."""
    revision: int = 0
    """Counts the changes; an output writes when it has seen a lower one."""

    @property
    def name(self) -> str:
        """Name of the custom resource."""
        return f"rw-{self.uid}"
