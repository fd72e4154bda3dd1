"""The rights in RBAC rules that let an identity become another one, see credentials or own nodes; data and matching.

Pure. `of_rules` turns the rules of one role into the ids of `RIGHTS`. Called by `attack_surface`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from riverwatch import vocabulary

SEVERITIES = (
    (90.0, vocabulary.Severity.CRITICAL),
    (70.0, vocabulary.Severity.HIGH),
    (45.0, vocabulary.Severity.MEDIUM),
    (20.0, vocabulary.Severity.LOW),
)
"""Least danger of each severity, worst first."""


class Right(msgspec.Struct, frozen=True):
    """One dangerous right."""

    meaning: str
    """What its holder can do, for people."""
    weight: float
    """0..100 when it holds in the whole cluster: 100 is the cluster itself, 90 a step away from it, 60 a workload."""
    verbs: frozenset[str]
    group: str
    resources: frozenset[str]
    takes_over: bool = False
    """Whether it makes its holder any service account of the namespace."""
    cluster_only: bool = False
    """Whether it means nothing in a namespaced binding."""


def _right(  # noqa: PLR0913 - a table
    meaning: str,
    weight: float,
    verbs: str,
    group: str,
    resources: str,
    *,
    takes_over: bool = False,
    cluster_only: bool = False,
) -> Right:
    return Right(
        meaning,
        weight,
        frozenset(verbs.split()),
        group,
        frozenset(resources.split()),
        takes_over=takes_over,
        cluster_only=cluster_only,
    )


_RBAC = "rbac.authorization.k8s.io"
_WRITE = "create update patch"

RIGHTS: Mapping[str, Right] = {
    "everything": _right("may do anything", 100, "*", "*", "*", takes_over=True),
    "escalate": _right("may write roles beyond its own rights", 95, "escalate", _RBAC, "roles clusterroles"),
    "bind": _right("may bind roles that it does not hold itself", 95, "bind", _RBAC, "roles clusterroles"),
    "impersonate": _right("may act as others", 95, "impersonate", "", "users groups serviceaccounts", takes_over=True),
    "nodes-proxy": _right(
        "may use every kubelet: commands in any pod, unaudited", 92, "get create", "", "nodes/proxy", cluster_only=True
    ),
    "approve-certificates": _right(
        "may approve client certificates",
        88,
        "update patch",
        "certificates.k8s.io",
        "certificatesigningrequests/approval",
        cluster_only=True,
    ),
    "write-webhooks": _right(
        "may see and change every request through admission webhooks",
        88,
        _WRITE,
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations validatingwebhookconfigurations",
        cluster_only=True,
    ),
    "read-secrets": _right("may read secrets", 85, "get list watch", "", "secrets"),
    "mint-tokens": _right("may mint tokens of accounts", 85, "create", "", "serviceaccounts/token", takes_over=True),
    "enter-pods": _right(
        "may run commands in pods",
        80,
        "create get update patch",
        "",
        "pods/exec pods/attach pods/ephemeralcontainers",
        takes_over=True,
    ),
    "start-pods": _right(
        "may start pods, with any account there and whatever admission lets through",
        78,
        "create",
        "",
        "pods",
        takes_over=True,
    ),
    "write-workloads": _right(
        "may write workloads, with any account there",
        78,
        _WRITE,
        "apps batch",
        "deployments daemonsets statefulsets replicasets jobs cronjobs",
        takes_over=True,
    ),
    "write-bindings": _right("may hand on the rights it holds", 65, _WRITE, _RBAC, "rolebindings clusterrolebindings"),
    "write-secrets": _right("may plant long-lived tokens and change credentials", 60, _WRITE, "", "secrets"),
    "write-nodes": _right("may change nodes and so what runs there", 60, _WRITE, "", "nodes", cluster_only=True),
    "write-volumes": _right(
        "may make volumes of any path of a node", 70, "create", "", "persistentvolumes", cluster_only=True
    ),
}
"""Id -> right, for documents in this order."""


def of_rules(rules: Iterable[Mapping[str, Any]], *, namespaced: bool) -> tuple[str, ...]:
    """Return the dangerous rights that rules give.

    Parameters
    ----------
    rules
        ``rules`` of a Role or ClusterRole.
    namespaced
        Whether they are bound in one namespace.

    Examples
    --------
    >>> of_rules([{"apiGroups": [""], "resources": ["*"], "verbs": ["list"]}], namespaced=False)
    ('read-secrets',)
    """
    found = dict.fromkeys(
        name
        for rule in rules
        for name, right in RIGHTS.items()
        if not (namespaced and right.cluster_only) and _gives(rule, name, right)
    )
    return ("everything",) if "everything" in found else tuple(found)


def _gives(rule: Mapping[str, Any], name: str, right: Right) -> bool:
    verbs, groups, resources = (set(rule.get(field) or ()) for field in ("verbs", "apiGroups", "resources"))
    if name == "everything":
        return "*" in verbs and "*" in groups and "*" in resources
    if rule.get("resourceNames"):
        # One named object is a decision somebody took; `bind` on one role is what installers are given.
        return False
    return (
        ("*" in verbs or not verbs.isdisjoint(right.verbs))
        and ("*" in groups or not groups.isdisjoint(right.group.split() or [""]))
        and any(_covers(resource, right.resources) for resource in resources)
    )


def _covers(resource: str, wanted: frozenset[str]) -> bool:
    """Whether a resource of a rule, ``*`` and ``*/sub`` included, is one of some resources."""
    if resource in wanted or resource == "*":
        return True
    return resource.startswith("*/") and any(one.endswith(resource[1:]) for one in wanted)
