"""`DetectionPolicy` and `ClusterDetectionPolicy`: what is watched, how loudly, and what is excepted.

Written by people in Git. Every field may be left out, which means "as the next policy says"; the order in which
policies are asked is `scoring.policy`'s. Compiled to plain data by `scoring.policy_compile`, never used per record.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from riverwatch import vocabulary
from riverwatch.api.v1alpha1 import base, words
from riverwatch.api.v1alpha1 import conditions as condition_types

MAX_PER_DAY = 10_000
"""Largest alert budget: beyond it a budget limits nothing that folding does not."""

MAX_OVERRIDES = 200
"""Entries of `spec.detections`: more than there are rules and models."""

MAX_EXCEPTIONS = 100
"""Entries of `spec.exceptions`; several policies may apply to a namespace."""

_MATCH_FIELDS = ("actors", "namespaces", "resources", "verbs", "names", "sourceCIDRs", "userAgents")


class DetectionOverride(base.ApiModel):
    """Switches a rule or model on or off, or says how severe its detections are here."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.cel(("has(self.enabled) || has(self.severity)", "set enabled, severity or both"))
    )

    id: base.Glob
    """Id of a rule, name of a model, or a glob over both. An exact id wins over a glob, a longer glob over a short."""
    enabled: bool | None = None
    """Whether it may raise detections; a rule or model that is off still feeds others."""
    severity: vocabulary.Severity | None = None
    """Severity of its detections, in place of its own."""

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> DetectionOverride:
        if self.enabled is None and self.severity is None:
            raise ValueError("set enabled, severity or both")
        return self


class AlertBudget(base.ApiModel):
    """How many detections ordinary life may raise; strong findings are never shed because of it."""

    per_day: Annotated[float, pydantic.Field(ge=0, le=MAX_PER_DAY)]
    """Detections a day, on average, over everything the policy selects. Critical and High rule hits do not count."""


class Learning(base.ApiModel):
    """How long models learn before they may raise anything."""

    period: base.Duration | None = None
    """Time from the first record of a namespace until its models judge, for example 14d; 0s judges at once."""
    min_records: Annotated[int, pydantic.Field(ge=0, le=1_000_000_000)] | None = None
    """Records of a namespace that must have been learned before its models judge, however much time has passed."""


_GLOBS = pydantic.Field(min_length=1, max_length=base.MAX_MATCH_ITEMS, json_schema_extra=base.SET)


class ExceptionMatch(base.ApiModel):
    """Which activities are excepted: all fields that are set must match, each by any of its entries."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.cel(
            (
                " || ".join(f"has(self.{name})" for name in _MATCH_FIELDS),
                "an exception must be narrow: set at least one of " + ", ".join(_MATCH_FIELDS),
            )
        )
    )

    actors: Annotated[tuple[base.NarrowGlob, ...], _GLOBS] = ()
    """Globs over who acts: namespace/name of a service account, else a user name. Under impersonation both the real
    and the assumed identity must match."""
    namespaces: Annotated[tuple[base.NarrowGlob, ...], _GLOBS] = ()
    """Globs over the namespace of the object acted on."""
    resources: Annotated[tuple[base.NarrowGlob, ...], _GLOBS] = ()
    """Globs over what is acted on: secrets, pods/exec, deployments.apps or deployments.apps/scale."""
    verbs: Annotated[tuple[base.NarrowGlob, ...], _GLOBS] = ()
    """Globs over the verb as the audit log writes it: get, list, watch, create, update, patch, delete ..."""
    names: Annotated[tuple[base.NarrowGlob, ...], _GLOBS] = ()
    """Globs over the name of the object acted on."""
    source_cidrs: Annotated[
        tuple[base.Network, ...],
        pydantic.Field(alias="sourceCIDRs", min_length=1, max_length=64, json_schema_extra=base.SET),
    ] = ()
    """Networks; every address in the record's sourceIPs must lie in one of them: a client can invent the first."""
    user_agents: Annotated[tuple[base.NarrowGlob, ...], _GLOBS] = ()
    """Globs over the user agent. Anyone can choose one: combine it with another field."""

    @pydantic.model_validator(mode="after")
    def _is_narrow(self) -> ExceptionMatch:
        if not self.model_fields_set:
            raise ValueError("an exception must be narrow: set at least one of " + ", ".join(_MATCH_FIELDS))
        return self


class PolicyException(base.ApiModel):
    """Activities that raise nothing, for a reason, for a time."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.cel(("self.reason.trim() != ''", "reason must say why this exception is fine"))
    )

    name: base.Name
    """Name of the exception within the policy; shown wherever it silences something."""
    reason: Annotated[
        str,
        pydantic.StringConstraints(min_length=1, max_length=1024, pattern=r"\S"),
        pydantic.WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1024}),
    ]
    """Why this is fine, for whoever reads the policy in a year."""
    expires_at: base.Time | None = None
    """The exception covers activities before this moment. Leave it out only for what stays true."""
    detections: Annotated[
        tuple[base.Glob, ...],
        pydantic.Field(min_length=1, max_length=base.MAX_DETECTORS, json_schema_extra=base.SET),
    ] = ()
    """Globs over rule ids and model names that are silenced; all of them when left out."""
    match: ExceptionMatch
    """Which activities are excepted."""


class Response(base.ApiModel):
    """What should follow a detection. Advisory: it is accepted and shown, nothing is carried out."""

    detections: Annotated[
        tuple[base.Glob, ...],
        pydantic.Field(min_length=1, max_length=base.MAX_DETECTORS, json_schema_extra=base.SET),
    ] = ()
    """Globs over rule ids and model names; any when left out."""
    min_severity: vocabulary.Severity = vocabulary.Severity.CRITICAL
    """Least severity of the detection."""
    action: words.ResponseAction
    """What should be done."""
    approval: words.Approval = words.Approval.REQUIRED
    """Whether a person must approve it in `spec.triage.approvedResponses` first."""


class Privacy(base.ApiModel):
    """What detections say about people. Advisory: accepted and shown, detections are written plainly so far."""

    hash_identities: bool | None = None
    """Whether user names of people are written as keyed tokens; service accounts and nodes stay plain."""
    hash_addresses: bool | None = None
    """Whether source addresses are written as keyed tokens."""


class DetectionPolicySpec(base.ApiModel):
    """What is watched in this namespace, and how."""

    mode: words.PolicyMode | None = None
    """Detect: rules and models judge. RulesOnly: models rest. LearnOnly: models learn, nothing is raised.
    Disabled: nothing is judged or learned."""
    detections: Annotated[
        tuple[DetectionOverride, ...],
        pydantic.Field(max_length=MAX_OVERRIDES, json_schema_extra=base.list_by("id")),
    ] = ()
    """Rules and models switched on or off, or given another severity."""
    min_severity: vocabulary.Severity | None = None
    """Detections below this severity are not raised."""
    alert_budget: AlertBudget | None = None
    """How many detections ordinary life may raise."""
    learning: Learning | None = None
    """How long models learn before they may raise anything."""
    exceptions: Annotated[
        tuple[PolicyException, ...],
        pydantic.Field(max_length=MAX_EXCEPTIONS, json_schema_extra=base.list_by("name")),
    ] = ()
    """Activities that raise nothing. The exceptions of all policies that apply add up."""
    responses: Annotated[tuple[Response, ...], pydantic.Field(max_length=32, json_schema_extra=base.ATOMIC)] = ()
    """What should follow a detection. Advisory: accepted and shown, nothing is carried out."""
    privacy: Privacy | None = None
    """What detections say about people. Advisory: accepted and shown, detections are written plainly so far."""

    @pydantic.field_validator("mode", mode="before")
    @classmethod
    def _mode_is_no_boolean(cls, value: Any) -> Any:
        if value is False or value == "Off":
            raise ValueError("write Disabled to switch detection off (YAML reads a bare Off as false)")
        return value

    @pydantic.model_validator(mode="after")
    def _names_are_distinct(self) -> DetectionPolicySpec:
        for path, keys in (
            ("detections", [override.id for override in self.detections]),
            ("exceptions", [exception.name for exception in self.exceptions]),
        ):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            if twice:
                raise ValueError(f"{path} has two entries called {', '.join(twice)}; keep one of each")
        return self


class LabelRequirement(base.ApiModel):
    """One condition on a label, as in any Kubernetes label selector."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.cel(
            (
                "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : !has(self.values)",
                "In and NotIn need values; Exists and DoesNotExist take none",
            )
        )
    )

    key: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=317)]
    """Key of the label."""
    operator: words.SelectorOperator
    """How the label's value relates to `values`."""
    values: Annotated[
        tuple[Annotated[str, pydantic.StringConstraints(max_length=63)], ...],
        pydantic.Field(max_length=64, json_schema_extra=base.ATOMIC),
    ] = ()
    """Values for In and NotIn."""

    @pydantic.model_validator(mode="after")
    def _values_fit(self) -> LabelRequirement:
        wants = self.operator in (words.SelectorOperator.IN, words.SelectorOperator.NOT_IN)
        if wants != bool(self.values):
            raise ValueError("In and NotIn need values; Exists and DoesNotExist take none")
        return self


class NamespaceSelector(base.ApiModel):
    """Which namespaces a policy applies to: all parts that are set must hold; an empty selector holds everywhere."""

    match_labels: Annotated[
        dict[
            Annotated[str, pydantic.StringConstraints(min_length=1, max_length=317)],
            Annotated[str, pydantic.StringConstraints(max_length=63)],
        ],
        pydantic.Field(max_length=32),
    ] = pydantic.Field(default_factory=dict)
    """Labels that the namespace must have."""
    match_expressions: Annotated[
        tuple[LabelRequirement, ...], pydantic.Field(max_length=32, json_schema_extra=base.ATOMIC)
    ] = ()
    """Conditions on the namespace's labels."""
    match_names: Annotated[
        tuple[base.Glob, ...], pydantic.Field(min_length=1, max_length=256, json_schema_extra=base.SET)
    ] = ()
    """Globs over the namespace's name, of which one must match."""


class ClusterDetectionPolicySpec(DetectionPolicySpec):
    """What is watched in the selected namespaces, and how."""

    namespace_selector: NamespaceSelector | None = None
    """Which namespaces; left out, the policy holds in all of them and for cluster-wide objects."""
    priority: Annotated[int, pydantic.Field(ge=-1000, le=1000)] = 0
    """Of two cluster policies that differ, the one with the higher priority wins, then the first by name."""


class PolicyStatus(base.ApiModel):
    """What the operator made of the policy."""

    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The `metadata.generation` that the status speaks about."""
    conditions: condition_types.Conditions = ()
    """`Ready` is False with the field's path when the policy cannot be used; the last good one then stays in force."""


class DetectionPolicy(base.ApiModel):
    """What is watched in one namespace: mode, detections, budget, learning, exceptions. Refines cluster policies."""

    api_version: Literal["riverwatch.dev/v1alpha1"]
    kind: Literal["DetectionPolicy"]
    metadata: base.ObjectMeta
    spec: DetectionPolicySpec
    """What people decided."""
    status: PolicyStatus | None = None
    """What the operator reports."""


class ClusterDetectionPolicy(base.ApiModel):
    """What is watched in all namespaces that a selector names. Namespaced policies refine it."""

    api_version: Literal["riverwatch.dev/v1alpha1"]
    kind: Literal["ClusterDetectionPolicy"]
    metadata: base.ObjectMeta
    spec: ClusterDetectionPolicySpec
    """What people decided."""
    status: PolicyStatus | None = None
    """What the operator reports."""
