"""`DetectionRule`: a user's own Sigma rule or correlation, with the cases that prove it.

The schema checks shape only; `rules` compiles `spec.sigma` and runs the cases, and says so in the `Ready` condition.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from riverwatch import vocabulary
from riverwatch.api.v1alpha1 import base
from riverwatch.api.v1alpha1 import conditions as condition_types

MAX_SIGMA = 65_536
"""Characters of `spec.sigma`; a Sigma rule has about 2,000."""

MAX_CASES = 64
"""Cases of one rule."""

MAX_RECORDS = 256
"""Audit records in one case; enough for a correlation's count."""

AuditRecord = Annotated[
    dict[str, Any],
    pydantic.WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""An audit record as the API server wrote it (``audit.k8s.io`` Event)."""


class RuleCase(base.ApiModel):
    """One example that the rule must judge rightly."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.cel(("has(self.record) != has(self.records)", "set either record or records"))
    )

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128)]
    """What the case shows, in words."""
    fires: bool
    """Whether the rule must fire: at least once on true, never on false."""
    record: AuditRecord | None = None
    """One audit record."""
    records: Annotated[
        tuple[AuditRecord, ...], pydantic.Field(min_length=1, max_length=MAX_RECORDS, json_schema_extra=base.ATOMIC)
    ] = ()
    """Several audit records in the order of their times, for a correlation."""

    @pydantic.model_validator(mode="after")
    def _has_one_input(self) -> RuleCase:
        if (self.record is None) == (not self.records):
            raise ValueError("set either record or records")
        return self

    @property
    def inputs(self) -> tuple[dict[str, Any], ...]:
        """The audit records of the case."""
        return self.records or (self.record or {},)


class DetectionRuleSpec(base.ApiModel):
    """The rule and its proof."""

    sigma: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=MAX_SIGMA, pattern=r"\S")]
    """A Sigma rule over audit records, or a Sigma correlation with the rules it counts, as YAML documents."""
    cases: Annotated[
        tuple[RuleCase, ...], pydantic.Field(max_length=MAX_CASES, json_schema_extra=base.list_by("name"))
    ] = ()
    """Examples that the rule must judge rightly before it is used."""
    severity: vocabulary.Severity | None = None
    """Severity of its detections, in place of the rule's `level`."""


class DetectionRuleStatus(base.ApiModel):
    """What the operator made of the rule."""

    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The `metadata.generation` that the status speaks about."""
    rule_ids: Annotated[tuple[base.Identifier, ...], pydantic.Field(max_length=64, json_schema_extra=base.ATOMIC)] = ()
    """Ids under which it speaks in `detectors` and in policies."""
    cases_passed: Annotated[int, pydantic.Field(ge=0)] | None = None
    """Cases that were judged rightly."""
    cases_failed: Annotated[int, pydantic.Field(ge=0)] | None = None
    """Cases that were not; the rule is off while there are any."""
    conditions: condition_types.Conditions = ()
    """`Ready` is False when the rule cannot be compiled or a case fails."""


class DetectionRule(base.ApiModel):
    """A user's own Sigma rule over audit records, with its test cases."""

    api_version: Literal["riverwatch.dev/v1alpha1"]
    kind: Literal["DetectionRule"]
    metadata: base.ObjectMeta
    spec: DetectionRuleSpec
    """What people wrote."""
    status: DetectionRuleStatus | None = None
    """What the operator reports."""
