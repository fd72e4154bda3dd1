"""Stage 5, triage: the object of a detection -> a policy with narrow exceptions, for Git.

``ThreatDetection`` body in, policy body out. An exception names the actors, the rules and models that spoke, and the
kinds of objects in the namespaces that were touched: never more than the detection itself. Pure; called by
`cli.triage`, which prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from riverwatch.activity import identities
from riverwatch.api.v1alpha1 import words

MAX_REASON_CHARS = 1_000
"""Longest reason, a little below what the schema allows."""

MAX_RESOURCES = 64
"""Kinds of objects in one exception."""

Body = Mapping[str, Any]


def draft(detection: Body, *, reason: str, expires_at: str) -> dict[str, Any]:
    """Return a policy that keeps quiet what a detection is about.

    Parameters
    ----------
    detection
        The ThreatDetection.
    reason
        Why this is fine.
    expires_at
        RFC 3339 time until which it is.
    """
    spec = detection.get("spec") or {}
    name = str((detection.get("metadata") or {}).get("name") or "rw")
    actors = _actors(spec)
    homes = {_home(actor) for actor in actors}
    exceptions = [
        {
            "name": name if number == 0 else f"{name}-{number + 1}",
            "reason": reason[:MAX_REASON_CHARS],
            "expiresAt": expires_at,
            "detections": sorted({str(one) for one in spec.get("detectors") or ()}),
            "match": {"actors": list(actors), **match},
        }
        for number, match in enumerate(_matches(spec))
    ]
    home = homes.pop() if len(homes) == 1 else ""
    metadata = {"name": name} | ({"namespace": home} if home else {})
    return {
        "apiVersion": f"{words.GROUP}/{words.VERSION}",
        "kind": "DetectionPolicy" if home else "ClusterDetectionPolicy",
        "metadata": metadata,
        "spec": {"exceptions": exceptions},
    }


def _actors(spec: Body) -> list[str]:
    """Return globs for everyone who acted: the actor, the credential behind it, and identities linked to it."""
    actor = spec.get("actor") or {}
    kind, name = str(actor.get("kind") or ""), str(actor.get("name") or "")
    if kind == identities.PrincipalKind.SERVICE_ACCOUNT.value:
        name = f"{actor.get('namespace') or ''}/{name}"
    elif kind == identities.PrincipalKind.NODE.value:
        name = f"{identities.NODE_PREFIX}{name}"
    found = [name]
    if spec.get("impersonatedBy"):
        found.append(_label(str(spec["impersonatedBy"])))
    for step in spec.get("chain") or ():
        # Only the labels of service accounts say for certain whom they mean.
        found += [part for part in str(step.get("actor") or "").split(" as ") if "/" in part]
    return [_literal(one) for one in dict.fromkeys(found) if one]


def _label(username: str) -> str:
    principal = identities.classify(username)
    return principal.label if principal.kind is identities.PrincipalKind.SERVICE_ACCOUNT else username


def _literal(name: str) -> str:
    """Return a glob that means this name: whoever may choose a name must not widen an exception with it."""
    return name.replace("*", "?")


def _home(actor: str) -> str:
    """Return the namespace whose policies judge an actor; empty for everyone but service accounts."""
    namespace, slash, name = actor.partition("/")
    return namespace if slash and "/" not in name and "@" not in actor and ":" not in actor else ""


def _matches(spec: Body) -> list[dict[str, list[str]]]:
    """Group what was touched: one match per set of kinds, over the namespaces in which just these were touched."""
    by_namespace: dict[str, set[str]] = {}
    for target in spec.get("targets") or ():
        by_namespace.setdefault(str(target.get("namespace") or ""), set()).add(_resource(target))
    by_kinds: dict[tuple[str, ...], list[str]] = {}
    for namespace, kinds in sorted(by_namespace.items()):
        if namespace:
            by_kinds.setdefault(_listed(kinds), []).append(namespace)
    matches = [{"namespaces": spaces, "resources": list(kinds)} for kinds, spaces in by_kinds.items()]
    if "" in by_namespace:
        matches.append({"resources": list(_listed(by_namespace[""]))})
    return matches or [{}]


def _listed(kinds: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(kind for kind in kinds if kind))[:MAX_RESOURCES]


def _resource(target: Body) -> str:
    kind, group = str(target.get("resource") or ""), str(target.get("apiGroup") or "")
    below = str(target.get("subresource") or "")
    kind = f"{kind}.{group}" if group else kind
    return f"{kind}/{below}" if below else kind
