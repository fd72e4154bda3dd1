"""What the operator may do on the API server, collected from the cards of its parts; nothing else is granted.

`manifests` prints RBAC from it, and the worker tells the operator's own requests by it. Invariant: no read access to
secrets, no write access to objects that are not ours.
"""

from __future__ import annotations

from riverwatch import outputs
from riverwatch.kube import resources
from riverwatch.outputs import base
from riverwatch.runtime import worker_identity

_READ = ("get", "list", "watch")

WATCHES: tuple[base.Access, ...] = tuple(
    base.Access(resource, ("list", "watch"), why)
    for resource, why in (
        (resources.NAMESPACES, "labels for namespace selectors"),
        (resources.NODES, "addresses, to know where a node's requests come from"),
        (resources.PODS, "who runs where, with which account"),
        (resources.SERVICE_ACCOUNTS, "siblings and owners of accounts"),
        (resources.REPLICA_SETS, "owner chain of pods"),
        (resources.DEPLOYMENTS, "owner chain of pods, rollouts"),
        (resources.ROLES, "reach of an account"),
        (resources.CLUSTER_ROLES, "reach of an account"),
        (resources.ROLE_BINDINGS, "reach of an account"),
        (resources.CLUSTER_ROLE_BINDINGS, "reach of an account"),
    )
)
"""Objects that are watched and never written."""

OWN: tuple[base.Access, ...] = (
    base.Access(resources.POLICIES, _READ, "what people decided"),
    base.Access(resources.POLICIES, ("patch",), "say whether a policy is in force", subresource="status"),
    base.Access(resources.CLUSTER_POLICIES, _READ, "what people decided"),
    base.Access(resources.CLUSTER_POLICIES, ("patch",), "say whether a policy is in force", subresource="status"),
    base.Access(resources.RULES, _READ, "rules of the users"),
    base.Access(resources.RULES, ("patch",), "say whether a rule is in force", subresource="status"),
    base.Access(resources.MODELS, (*_READ, "create", "patch"), "one object per namespace that is learned"),
    base.Access(resources.MODELS, ("patch",), "say how far the models are", subresource="status"),
    base.Access(resources.CUSTOM_RESOURCE_DEFINITIONS, ("list", "watch"), "notice when our kinds are installed"),
    base.Access(resources.SELF_SUBJECT_REVIEWS, ("create",), "learn our own identity"),
    base.Access(resources.TOKEN_REVIEWS, ("create",), "ask whose the token of a sender of audit batches is"),
    base.Access(resources.LEASES, ("get", "create", "update"), "elect a leader among replicas", own_namespace=True),
)
"""Our own custom resources and what running takes."""


def everything() -> tuple[base.Access, ...]:
    """Return all access, the outputs' included."""
    return (*WATCHES, *OWN, *(access for card in outputs.CARDS for access in card.access))


def operations() -> frozenset[worker_identity.Operation]:
    """Return group, resource and verb of everything the operator does."""
    return frozenset(
        (
            access.resource.group,
            f"{access.resource.plural}/{access.subresource}" if access.subresource else access.resource.plural,
            verb,
        )
        for access in everything()
        for verb in access.verbs
    )
