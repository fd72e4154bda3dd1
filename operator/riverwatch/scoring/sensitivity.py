"""Stage 5 helper: how much a novelty weighs, by what it touches.

The weights say how useful the thing is to an attacker, never who does it. Pure; called by `scoring.judge`.
"""

from __future__ import annotations

from riverwatch.activity import derived_facts, derived_rbac, record
from riverwatch.features import attributes

SENSITIVE = 1.3
"""Weight of credentials, RBAC, code execution and admission: what an attacker needs next."""

PLAIN = 1.0
"""Weight of everything else."""

CHATTER = 0.4
"""Weight of records that every client writes by itself: leases, its own events, discovery, health."""

_SENSITIVE_RESOURCES = derived_rbac.RBAC_RESOURCES | {
    "secrets",
    "certificatesigningrequests",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
}
WAYS_IN = attributes.CONNECT_SUBRESOURCES | {"ephemeralcontainers"}
"""Subresources that lead into a running workload."""

SUBRESOURCES = WAYS_IN | {"token"}
"""Subresources that run something or hand something out."""

_CHATTER_RESOURCES = frozenset({"leases", "events", "tokenreviews", "subjectaccessreviews"})


def factor(activity: record.Activity) -> float:
    """Return the weight of a novelty in this activity: `SENSITIVE`, `PLAIN` or `CHATTER`."""
    if activity.subresource in SUBRESOURCES or activity.resource in _SENSITIVE_RESOURCES:
        return SENSITIVE
    if not activity.resource or (
        activity.resource in _CHATTER_RESOURCES and activity.verb not in derived_facts.DELETE_VERBS
    ):
        return CHATTER
    return PLAIN
