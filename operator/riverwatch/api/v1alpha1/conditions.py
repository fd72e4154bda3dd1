"""Conditions as the Kubernetes API conventions ask, and the pure function that updates a list of them.

Called by `control` when it writes a status; `set_condition` is pure: the same facts again change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
import pydantic

from riverwatch import clock
from riverwatch.api.v1alpha1 import base, words

READY = "Ready"
"""Type of the condition that sums up all others."""

AUDIT_STREAM_HEALTHY = "AuditStreamHealthy"
"""Type of the condition that says whether audit records arrive, all of them and in time."""

COVERAGE_COMPLETE = "CoverageComplete"
"""Type of the condition that says whether the records show what rules and models need."""

KEEPING_UP = "KeepingUp"
"""Type of the condition that says whether every record is judged by rules and models, in time."""

DRIFTED = "Drifted"
"""Type of the condition that says whether the life of a namespace has changed its shape; True is news, not a fault."""

SPEC_IN_FORCE = "SpecInForce"
"""Type of the condition that says whether all of what people ask for is acted on."""

MAX_MESSAGE = 4096
"""Characters of a message; the API conventions allow 32768, a person reads far less."""


class Condition(base.ApiModel):
    """One observation about the object."""

    type: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=316)]
    """What is observed, in CamelCase; `Ready` sums up the others."""
    status: words.ConditionStatus
    """Whether it holds."""
    reason: Annotated[
        str,
        pydantic.StringConstraints(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Why, as one CamelCase word for programs."""
    message: Annotated[str, pydantic.StringConstraints(max_length=MAX_MESSAGE)]
    """Why, in a sentence for people."""
    last_transition_time: base.Time
    """When `status` last changed."""
    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The `metadata.generation` that was looked at."""


Conditions = Annotated[tuple[Condition, ...], pydantic.Field(max_length=16, json_schema_extra=base.list_by("type"))]
"""The conditions of an object, one per type."""


class Observation(msgspec.Struct, frozen=True):
    """What `set_condition` is told: a condition without its time."""

    type: str
    status: words.ConditionStatus
    reason: str
    message: str


def set_condition(
    conditions: Iterable[Mapping[str, Any]] | None,
    observation: Observation,
    *,
    now_s: float,
    generation: int | None = None,
) -> list[dict[str, Any]]:
    """Return the conditions of an object, as they stand on the wire, with one of them replaced or added.

    Parameters
    ----------
    conditions
        What the object's status holds now; None when it holds nothing.
    observation
        What was seen. A message that is too long is cut.
    now_s
        Epoch seconds; becomes `lastTransitionTime` only when the status changes.
    generation
        `metadata.generation` of the object that was looked at.

    Examples
    --------
    >>> seen = Observation(READY, words.ConditionStatus.TRUE, "Accepted", "in force")
    >>> first = set_condition(None, seen, now_s=0.0, generation=1)
    >>> first == set_condition(first, seen, now_s=60.0, generation=1)
    True
    """
    found = [dict(condition) for condition in conditions or ()]
    previous = next((condition for condition in found if condition.get("type") == observation.type), None)
    unchanged = previous is not None and previous.get("status") == observation.status.value
    current: dict[str, Any] = {
        "type": observation.type,
        "status": observation.status.value,
        "reason": observation.reason,
        "message": observation.message[:MAX_MESSAGE],
        "lastTransitionTime": (
            previous["lastTransitionTime"]
            if previous is not None and unchanged and previous.get("lastTransitionTime")
            # Kubernetes' own metav1.Time has no fraction.
            else clock.rfc3339(now_s)[:19] + "Z"
        ),
    }
    if generation is not None:
        current["observedGeneration"] = generation
    if previous is None:
        return [*found, current]
    return [current if condition is previous else condition for condition in found]
