"""`ThreatDetection`: one folded incident, as other tools read it.

The operator writes `spec` by server-side apply, but for `spec.triage`, which is people's. The field names are a
promise; `detections.render` makes such a body and its test validates it here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from riverwatch import vocabulary
from riverwatch.api.v1alpha1 import base, words
from riverwatch.api.v1alpha1 import conditions as condition_types

MAX_EVIDENCE = 50
"""Evidence items in one object; the same as `detections.finding.MAX_EVIDENCE`."""

MAX_TARGETS = 50
"""Targets in one object; the same as `detections.finding.MAX_TARGETS`."""

MAX_STEPS = 24
"""Steps in one object; the same as `detections.finding.MAX_STEPS`."""

MAX_VALUES = 20
"""Source addresses and user agents in one object; the same as `detections.finding.MAX_VALUES`."""


class Actor(base.ApiModel):
    """Who acted, in RBAC's eyes."""

    kind: words.ActorKind
    """What kind of identity it is."""
    name: base.Identifier
    """Name of the service account or node, else the user name."""
    namespace: base.Identifier | None = None
    """Namespace of the service account."""


class Target(base.ApiModel):
    """What was acted on."""

    api_group: base.Identifier = ""
    """API group; empty for the core group."""
    resource: base.Identifier = ""
    """Resource in the plural, for example secrets; absent for paths that are no resource."""
    subresource: base.Identifier | None = None
    """Subresource, for example exec."""
    namespace: base.Identifier | None = None
    """Namespace of the object."""
    name: base.Identifier | None = None
    """Name of the object; absent for lists."""


class Technique(base.ApiModel):
    """One MITRE ATT&CK technique."""

    id: base.Identifier
    """For example T1552.007."""
    name: base.Identifier
    """For example Container API."""
    tactic: base.Identifier
    """For example Credential Access."""
    attack_version: base.Identifier
    """Version of ATT&CK that the id refers to."""


class Evidence(base.ApiModel):
    """One audit record that speaks for the detection."""

    audit_id: Annotated[base.Identifier, pydantic.Field(alias="auditID")]
    """`auditID` of the record, to find it in the audit log."""
    time: base.Time
    """When the API server received the request."""
    summary: base.Text
    """Who did what to which object."""


class Step(base.ApiModel):
    """One step of the incident: where an identity first served a tactic, or handed power to the next identity."""

    time: base.Time
    """When it began."""
    actor: base.Identifier
    """Who."""
    tactic: base.Identifier | None = None
    """MITRE ATT&CK tactic that it serves; absent when it serves none by itself."""
    summary: base.Text
    """What was done."""
    audit_id: Annotated[base.Identifier | None, pydantic.Field(alias="auditID")] = None
    """`auditID` of the first record of the step."""


class Reason(base.ApiModel):
    """One line of the explanation: what was seen, against what it was compared, how rare that is."""

    feature: base.Identifier
    """What was looked at."""
    observed: base.Text
    """What was seen."""
    expected: base.Text
    """What would have been normal."""
    frequency: vocabulary.Frequency
    """How often what was seen occurred before in the comparison group."""
    contribution: Annotated[float, pydantic.Field(ge=0, le=1)]
    """Share of the score, 0 to 1."""
    text: base.Text
    """The line as a sentence."""


class Triage(base.ApiModel):
    """What a person decided. The only part of `spec` that people write."""

    verdict: vocabulary.Verdict | None = None
    """TruePositive: it was an attack. FalsePositive: it was not. Expected: it was meant to happen."""
    reason: Annotated[str, pydantic.StringConstraints(max_length=1024)] | None = None
    """Why."""
    by: base.Identifier | None = None
    """Who decided."""
    expires_at: base.Time | None = None
    """When the verdict stops counting."""
    approved_responses: Annotated[
        tuple[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128)], ...],
        pydantic.Field(max_length=16, json_schema_extra=base.SET),
    ] = ()
    """Responses that may now be carried out."""


_VALUES = pydantic.Field(max_length=MAX_VALUES, json_schema_extra=base.ATOMIC)


class ThreatDetectionSpec(base.ApiModel):
    """What happened, how bad it is, why it stands out, and what to do."""

    title: base.Line
    """The incident in one line."""
    use_case: vocabulary.UseCase
    """What the detection is about, for routing."""
    severity: vocabulary.Severity
    """How bad it is if true."""
    score: Annotated[float, pydantic.Field(ge=0, le=100)]
    """How far out of the ordinary it is, 0 to 100."""
    confidence: Annotated[float, pydantic.Field(ge=0, le=1)]
    """How sure riverwatch is, 0 to 1."""
    kind: vocabulary.DetectionKind
    """What spoke: a rule, a model, a correlation over time, or several identities linked into one incident."""
    detectors: Annotated[
        tuple[base.Identifier, ...], pydantic.Field(max_length=base.MAX_DETECTORS, json_schema_extra=base.ATOMIC)
    ]
    """Rule ids and model names that spoke."""
    actor: Actor
    """Who acted; under impersonation the assumed identity."""
    impersonated_by: base.Identifier | None = None
    """User name of the real credential when the actor was impersonated."""
    source_ips: Annotated[tuple[base.Identifier, ...], _VALUES, pydantic.Field(alias="sourceIPs")] = ()
    """Addresses that the requests came from."""
    user_agents: Annotated[tuple[base.Text, ...], _VALUES] = ()
    """Programs that the requests claimed to come from."""
    targets: Annotated[tuple[Target, ...], pydantic.Field(max_length=MAX_TARGETS, json_schema_extra=base.ATOMIC)] = ()
    """What was acted on."""
    techniques: Annotated[tuple[Technique, ...], pydantic.Field(max_length=32, json_schema_extra=base.ATOMIC)] = ()
    """MITRE ATT&CK techniques."""
    first_seen: base.Time
    """Time of the first record that belongs to it."""
    last_seen: base.Time
    """Time of the last record that belongs to it."""
    observed_at: base.Time
    """Record time at which it was first raised."""
    evidence: Annotated[
        tuple[Evidence, ...], pydantic.Field(max_length=MAX_EVIDENCE, json_schema_extra=base.ATOMIC)
    ] = ()
    """First, strongest and last records."""
    chain: Annotated[tuple[Step, ...], pydantic.Field(max_length=MAX_STEPS, json_schema_extra=base.ATOMIC)] = ()
    """The incident step by step in order of time, one per identity and tactic, and each hand-over between them."""
    evidence_count: Annotated[int, pydantic.Field(ge=0)]
    """Records that belong to it, those not listed included."""
    explanation: Annotated[tuple[Reason, ...], pydantic.Field(max_length=32, json_schema_extra=base.ATOMIC)] = ()
    """Why it stands out, the weightiest reason first."""
    counterfactual: base.Text | None = None
    """What would have made it ordinary."""
    recommendations: Annotated[tuple[base.Text, ...], pydantic.Field(max_length=32, json_schema_extra=base.ATOMIC)] = ()
    """What to do next; commands are never run by riverwatch."""
    model_version: base.Identifier | None = None
    """Version of the models that judged."""
    policy_refs: Annotated[
        tuple[base.Identifier, ...], pydantic.Field(max_length=64, json_schema_extra=base.ATOMIC)
    ] = ()
    """Policies that applied: DetectionPolicy/namespace/name or ClusterDetectionPolicy/name."""
    triage: Triage | None = None
    """What a person decided."""


class DeliveredOutput(base.ApiModel):
    """What became of the detection at one output."""

    name: base.Identifier
    """Name of the output."""
    delivered: bool
    """Whether the last attempt got through."""
    time: base.Time
    """When that was."""
    message: base.Text | None = None
    """What went wrong."""


class ThreatDetectionStatus(base.ApiModel):
    """Where the detection stands."""

    phase: vocabulary.Phase | None = None
    """Open, Acknowledged (a person looked), Resolved (a verdict was given) or Expired (nothing new for long)."""
    count: Annotated[int, pydantic.Field(ge=0)] | None = None
    """Records that belong to it."""
    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The `metadata.generation` that the status speaks about."""
    conditions: condition_types.Conditions = ()
    """Observations about the object."""
    outputs: Annotated[
        tuple[DeliveredOutput, ...], pydantic.Field(max_length=32, json_schema_extra=base.list_by("name"))
    ] = ()
    """What became of it at each output."""


class ThreatDetection(base.ApiModel):
    """One folded incident: who did what, how unusual that is, against what it was compared, and what to do."""

    api_version: Literal["riverwatch.dev/v1alpha1"]
    kind: Literal["ThreatDetection"]
    metadata: base.ObjectMeta
    spec: ThreatDetectionSpec
    """The incident; people write only `triage`."""
    status: ThreatDetectionStatus | None = None
    """What the operator reports."""
