"""Stage 4a: a Sigma field name -> the function that reads it from `Facts`.

Names are paths of the audit record as the Sigma community writes them, derived fields, and the short names that public
rules use. Scalars of `Activity` are plain attribute access; body paths are followed in the body, parsed once per
record. A name that can never hold a value is refused, with the nearest known one. Called by `rules.matching`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from riverwatch import errors
from riverwatch.activity import derived, derived_facts

Getter = Callable[[derived.Facts], Any]
"""Reads one field; None when absent, a list or tuple when it has several values."""

MAX_PATH_VALUES = 4_096
"""Values that one body path may give; more are dropped (the largest real objects hold some hundreds)."""

ALIASES: dict[str, str] = {
    "apiGroup": "objectRef.apiGroup",
    "resource": "objectRef.resource",
    "subresource": "objectRef.subresource",
    "namespace": "objectRef.namespace",
    "name": "objectRef.name",
    "username": "user.username",
    "groups": "user.groups",
    "hostPath": "pod.hostPath",
    "hostpath": "pod.hostPath",
    "capabilities": "pod.capabilities",
    "privileged": "pod.privileged",
    "hostNetwork": "pod.hostNetwork",
    "hostPID": "pod.hostPID",
    "hostIPC": "pod.hostIPC",
    "image": "pod.image",
    "file_path": "exec.line",
    "responseStatus": "responseStatus.code",
    "sourceIP": "sourceIPs",
    "objectRef.group": "objectRef.apiGroup",
}
"""Short names in public rules -> the field they mean (apiGroup, capabilities, hostPath and file_path are SigmaHQ's)."""

SCALARS: dict[str, Getter] = {
    "verb": lambda facts: facts.activity.verb,
    "stage": lambda facts: facts.activity.stage,
    "level": lambda facts: facts.activity.level,
    "auditID": lambda facts: facts.activity.audit_id,
    "objectRef.resource": lambda facts: facts.activity.resource,
    "objectRef.subresource": lambda facts: facts.activity.subresource,
    "objectRef.apiGroup": lambda facts: facts.activity.api_group,
    "objectRef.namespace": lambda facts: facts.activity.namespace,
    "objectRef.name": lambda facts: facts.activity.name,
    "user.username": lambda facts: facts.activity.principal.username,
    "userAgent": lambda facts: facts.activity.user_agent,
    "requestURI": lambda facts: facts.activity.request_uri,
    "responseStatus.code": lambda facts: facts.activity.code or None,
}
"""Fields that every `Activity` has; an empty string stands for an absent one."""

_RECORD: dict[str, Getter] = {
    "apiVersion": lambda facts: facts.activity.record.api_version,
    "kind": lambda facts: facts.activity.record.kind,
    "sourceIPs": lambda facts: facts.activity.record.source_ips,
    "user.uid": lambda facts: _of(facts.activity.record.user, "uid"),
    "user.groups": lambda facts: _of(facts.activity.record.user, "groups"),
    "impersonatedUser.username": lambda facts: _of(facts.activity.record.impersonated_user, "username"),
    "impersonatedUser.uid": lambda facts: _of(facts.activity.record.impersonated_user, "uid"),
    "impersonatedUser.groups": lambda facts: _of(facts.activity.record.impersonated_user, "groups"),
    "objectRef.uid": lambda facts: _of(facts.activity.record.object_ref, "uid"),
    "objectRef.apiVersion": lambda facts: _of(facts.activity.record.object_ref, "api_version"),
    "objectRef.resourceVersion": lambda facts: _of(facts.activity.record.object_ref, "resource_version"),
    "responseStatus.status": lambda facts: _of(facts.activity.record.response_status, "status"),
    "responseStatus.reason": lambda facts: _of(facts.activity.record.response_status, "reason"),
    "responseStatus.message": lambda facts: _of(facts.activity.record.response_status, "message"),
    "requestReceivedTimestamp": lambda facts: facts.activity.record.request_received_timestamp,
    "stageTimestamp": lambda facts: facts.activity.record.stage_timestamp,
    "user.extra.authentication.kubernetes.io/credential-id": lambda facts: facts.activity.credential_id or None,
    "user.extra.authentication.kubernetes.io/pod-name": lambda facts: facts.activity.token_pod or None,
    "user.extra.authentication.kubernetes.io/node-name": lambda facts: facts.activity.token_node or None,
}

_BODIES: dict[str, Getter] = {
    "requestObject": lambda facts: facts.request_object,
    "responseObject": lambda facts: facts.response_object,
    "annotations": lambda facts: facts.annotations,
}


def canonical(name: str) -> str:
    """Return the full name of a field: short names resolved, ``[]`` and ``[*]`` marks of lists removed.

    Examples
    --------
    >>> canonical("hostPath"), canonical("pod.hostPath[]")
    ('pod.hostPath', 'pod.hostPath')
    """
    plain = name.replace("[*]", "").replace("[]", "").replace("{}", "")
    return ALIASES.get(plain, plain)


def getter(name: str, *, where: str) -> Getter:
    """Return the function that reads a field.

    Parameters
    ----------
    name
        As written in the rule.
    where
        File and rule, for the error.

    Raises
    ------
    BadRuleError
        When no audit record and no derived field has that name.
    """
    full = canonical(name)
    if full in SCALARS:
        return SCALARS[full]
    if full in _RECORD:
        return _RECORD[full]
    if full in derived.REGISTRY:
        return derived.getter(full)
    root, dot, rest = full.partition(".")
    if root in _BODIES:
        return _path_getter(_BODIES[root], tuple(rest.split(".")) if dot else ())
    near = difflib.get_close_matches(full, [*SCALARS, *_RECORD, *derived.REGISTRY, *ALIASES], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; see docs/reference/derived-fields.md"
    raise errors.BadRuleError(f"field {name!r} is in no audit record and is no derived field{hint}", where=where)


def is_body(name: str) -> bool:
    """Return whether a field is a path into a request or response body, which may hold secrets."""
    return canonical(name).partition(".")[0] in ("requestObject", "responseObject")


def needed_level(name: str) -> str:
    """Return the least audit level at which a field can have a value."""
    full = canonical(name)
    if full in derived.REGISTRY:
        return derived.REGISTRY[full].needs
    root = full.partition(".")[0]
    return {"requestObject": "Request", "responseObject": "RequestResponse"}.get(root, "Metadata")


def _of(owner: object, attribute: str) -> Any:
    return None if owner is None else getattr(owner, attribute)


def _path_getter(body: Getter, parts: tuple[str, ...]) -> Getter:
    def get(facts: derived.Facts) -> Any:
        found: list[derived_facts.Json] = []
        _collect(body(facts), parts, found)
        return found or None

    return get


def _collect(value: derived_facts.Json, parts: tuple[str, ...], found: list[derived_facts.Json]) -> None:
    """Follow a path; lists are passed through, keys may themselves hold dots (labels, annotations)."""
    if len(found) >= MAX_PATH_VALUES:
        return
    if isinstance(value, list):
        _collect_list(value, parts, found)
    elif not parts:
        if value is not None:
            found.append(value)
    elif isinstance(value, dict):
        for length in range(1, len(parts) + 1):
            key = ".".join(parts[:length])
            if key in value:
                _collect(value[key], parts[length:], found)


def _collect_list(values: list[derived_facts.Json], parts: tuple[str, ...], found: list[derived_facts.Json]) -> None:
    if parts and parts[0].isdigit():
        index = int(parts[0][:6])
        if index < len(values):
            _collect(values[index], parts[1:], found)
        return
    for item in values:
        _collect(item, parts, found)
