"""Closed sets that only the custom resources own; `riverwatch.vocabulary` holds those that a detection has as well.

Free of pydantic, so that the stages that judge can import them.
"""

from __future__ import annotations

import enum
import functools

GROUP = "riverwatch.dev"
"""API group of every kind."""

VERSION = "v1alpha1"
"""The only version served so far."""

API_VERSION = f"{GROUP}/{VERSION}"
"""What `apiVersion` says in every object."""


class PolicyMode(enum.StrEnum):
    """What riverwatch does in a namespace."""

    DETECT = "Detect"
    """Rules and models judge, models learn."""
    RULES_ONLY = "RulesOnly"
    """Rules judge; models neither judge nor learn."""
    LEARN_ONLY = "LearnOnly"
    """Models learn, nothing is raised."""
    DISABLED = "Disabled"
    """Nothing is judged or learned. Not called Off, which YAML 1.1 (and so kubectl) reads as the boolean false."""

    @functools.cached_property
    def rules_judge(self) -> bool:
        """Whether rule hits may be raised."""
        return self in (PolicyMode.DETECT, PolicyMode.RULES_ONLY)

    @functools.cached_property
    def models_judge(self) -> bool:
        """Whether anomalies may be raised."""
        return self is PolicyMode.DETECT

    @functools.cached_property
    def models_learn(self) -> bool:
        """Whether models may learn."""
        return self in (PolicyMode.DETECT, PolicyMode.LEARN_ONLY)

    @functools.cached_property
    def models_rest(self) -> PolicyMode:
        """What is left of this mode while models neither judge nor learn."""
        return PolicyMode.RULES_ONLY if self.rules_judge else PolicyMode.DISABLED


class SelectorOperator(enum.StrEnum):
    """Operators of a label selector, as Kubernetes writes them."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class ResponseAction(enum.StrEnum):
    """What a response would do."""

    REVOKE_CREDENTIAL = "RevokeCredential"
    REMOVE_BINDING = "RemoveBinding"
    ISOLATE_WORKLOAD = "IsolateWorkload"
    DELETE_POD = "DeletePod"
    CORDON_NODE = "CordonNode"


class Approval(enum.StrEnum):
    """Who lets a response happen."""

    REQUIRED = "Required"
    AUTOMATIC = "Automatic"


class ActorKind(enum.StrEnum):
    """What kind of identity acted; the values are those of `activity.identities.PrincipalKind`."""

    SERVICE_ACCOUNT = "ServiceAccount"
    USER = "User"
    NODE = "Node"
    ANONYMOUS = "Anonymous"


class ModelPhase(enum.StrEnum):
    """Where a namespace's models stand."""

    WARMING_UP = "WarmingUp"
    LEARNING = "Learning"
    ACTIVE = "Active"
    DEGRADED = "Degraded"
    FROZEN = "Frozen"


class ConditionStatus(enum.StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"
