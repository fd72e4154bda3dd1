"""`DetectionModel`: the models of one namespace; people freeze, promote or roll back, the operator reports the rest."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from riverwatch.api.v1alpha1 import base, words
from riverwatch.api.v1alpha1 import conditions as condition_types

Count = Annotated[int, pydantic.Field(ge=0)]
"""A number of things."""

Share = Annotated[float, pydantic.Field(ge=0, le=1)]
"""A part of a whole, 0 to 1."""

Version = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128)]
"""Name of a model version, as `status.version` and `status.shadow.version` show it."""


class DetectionModelSpec(base.ApiModel):
    """What people ask of the models of this namespace."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.cel(
            ("!(has(self.promote) && has(self.rollbackTo))", "set promote or rollbackTo, not both"),
        )
    )

    frozen: bool = False
    """Whether the models stop learning; they go on judging."""
    promote: Version | None = None
    """Version that should judge from now on: `status.shadow.version`."""
    rollback_to: Version | None = None
    """Earlier version that should judge again: `status.previousVersion`."""

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> DetectionModelSpec:
        if self.promote is not None and self.rollback_to is not None:
            raise ValueError("set promote or rollbackTo, not both")
        return self


class WarmUp(base.ApiModel):
    """How far the models are from judging."""

    progress_percent: Annotated[float, pydantic.Field(ge=0, le=100)]
    """The lesser of time passed and records learned, in percent of what the policy asks for."""
    ready_at: base.Time | None = None
    """When the models are expected to judge, at the pace so far."""


class Threshold(base.ApiModel):
    """A threshold that the alert budget holds."""

    model: base.Identifier
    """Name of the model, or `fused` for the verdict."""
    value: float
    """What the evidence must exceed, in nats: -ln of the chance that ordinary life shows as much."""
    budget_per_day: Annotated[float, pydantic.Field(ge=0)] | None = None
    """The alert budget that sets it."""
    expected_per_day: Annotated[float, pydantic.Field(ge=0)] | None = None
    """Cases a day of ordinary life that reach it, by what was seen so far."""
    meaning: base.Line | None = None
    """The same in a sentence."""


class ShedCandidate(base.ApiModel):
    """One candidate that was not raised for want of budget."""

    time: base.Time
    """When it was shed, in record time."""
    actor: base.Line
    """User name, and after it the one it acted as when it impersonated somebody."""
    score: Annotated[float, pydantic.Field(ge=0, le=100)]
    """How strange it was, as `spec.score` of a ThreatDetection."""
    nats: Annotated[float, pydantic.Field(ge=0)]
    """Its evidence, to be compared with the threshold."""
    summary: base.Line
    """What the actor did last."""


class Shed(base.ApiModel):
    """What the alert budget kept back."""

    last_day: Count = 0
    """Candidates of this namespace shed in the last 24 hours of record time, of the last 50 in the cluster."""
    total: Count = 0
    """Candidates shed since the start, in the whole cluster."""
    newest: Annotated[tuple[ShedCandidate, ...], pydantic.Field(max_length=10, json_schema_extra=base.ATOMIC)] = ()
    """The newest of each actor in this namespace, newest first."""


class Drift(base.ApiModel):
    """Whether the namespace's life has changed its shape."""

    drifted: bool
    """Whether any feature drifted."""
    features: Annotated[tuple[base.Identifier, ...], pydantic.Field(max_length=64, json_schema_extra=base.ATOMIC)] = ()
    """Features that drifted."""
    since: base.Time | None = None
    """When the drift was noticed."""


class Checkpoint(base.ApiModel):
    """The last state that was written down."""

    digest: base.Identifier
    """Checksum of the state, for example sha256:..."""
    time: base.Time
    """When it was written."""


class Shadow(base.ApiModel):
    """A version that relearns a namespace that drifted, beside the active one and without raising anything."""

    version: Version
    """Its name, for `spec.promote`."""
    since: base.Time | None = None
    """When it began to learn."""
    agreement: Share | None = None
    """Share of the active version's detections that it would have raised too."""
    would_raise_per_day: Annotated[float, pydantic.Field(ge=0)] | None = None
    """Detections a day that it would have raised."""


class DetectionModelStatus(base.ApiModel):
    """Where the models stand."""

    phase: words.ModelPhase | None = None
    """WarmingUp: learns, does not judge. Learning: judges by a cautious threshold, or only learns as its policy asks.
    Active: judges. Degraded: rests while rules judge. Frozen: judges, does not learn."""
    version: Version | None = None
    """Version that judges."""
    previous_version: Version | None = None
    """Version that judged before it and is still kept, for `spec.rollbackTo`."""
    records_learned: Count | None = None
    """Records that the models have learned."""
    identities: Count | None = None
    """Identities that the models know."""
    warm_up: WarmUp | None = None
    """How far the models are from judging."""
    thresholds: Annotated[
        tuple[Threshold, ...], pydantic.Field(max_length=32, json_schema_extra=base.list_by("model"))
    ] = ()
    """Thresholds in force."""
    shed: Shed | None = None
    """What the alert budget kept back."""
    drift: Drift | None = None
    """Whether the namespace's life has changed its shape."""
    checkpoint: Checkpoint | None = None
    """The last state that was written down."""
    shadow: Shadow | None = None
    """A version that judges beside the active one without raising anything."""
    observed_generation: Count | None = None
    """The `metadata.generation` that the status speaks about."""
    conditions: condition_types.Conditions = ()
    """`Ready` is True once the models judge, `Drifted` while more is new than usual, `SpecInForce` while the whole
    spec is acted on."""


class DetectionModel(base.ApiModel):
    """The models of one namespace: phase, version, records learned, thresholds in force."""

    api_version: Literal["riverwatch.dev/v1alpha1"]
    kind: Literal["DetectionModel"]
    metadata: base.ObjectMeta
    spec: DetectionModelSpec = DetectionModelSpec()
    """What people ask for."""
    status: DetectionModelStatus | None = None
    """What the operator reports."""
