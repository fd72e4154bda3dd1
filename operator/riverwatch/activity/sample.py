"""Builds activities by keyword, for rule cases, documents and tests: keywords -> `AuditRecord` -> `Activity`.

Takes the same path as a real record (JSON bytes, typed decoder, `normalise`), so that a sample can hold nothing that a
record could not. Not used while riverwatch runs on real input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from riverwatch.activity import derived_facts, normalise, record

DEFAULT_TIME = "2026-01-15T08:00:00.000000Z"
"""Time of a sample that names none."""

_decode = msgspec.json.Decoder(record.AuditRecord).decode


def decode(fields: Mapping[str, object]) -> record.AuditRecord:
    """Encode a mapping as JSON and decode it as an audit record.

    Raises
    ------
    msgspec.ValidationError
        When a field has a type that no audit record has.
    """
    return _decode(msgspec.json.encode(fields))


def activity_of(fields: Mapping[str, object]) -> record.Activity:
    """Make an activity of a mapping shaped like an audit record.

    Raises
    ------
    MalformedRecordError
        As `normalise.from_audit`.
    """
    return normalise.from_audit(decode(fields))


def audit_record(  # noqa: PLR0913 - a builder has as many keywords as a record has fields
    *,
    verb: str = "get",
    resource: str = "pods",
    subresource: str = "",
    api_group: str = "",
    namespace: str = "web",
    name: str = "",
    username: str = "ana@example.com",
    groups: Sequence[str] = ("developers", "system:authenticated"),
    impersonated: Mapping[str, object] | None = None,
    code: int = 200,
    source_ip: str = "10.200.0.7",
    user_agent: str = "kubectl/v1.36.3 (linux/amd64) kubernetes/abc1234",
    request_uri: str = "",
    stage: str = "ResponseComplete",
    time: str = DEFAULT_TIME,
    audit_id: str = "00000000-0000-4000-a000-000000000001",
    request_object: object = None,
    response_object: object = None,
) -> dict[str, object]:
    """Return a whole audit record as plain data.

    Examples
    --------
    >>> audit_record(verb="list", resource="secrets")["requestURI"]
    '/api/v1/namespaces/web/secrets'
    """
    base = f"/apis/{api_group}/v1" if api_group else "/api/v1"
    path = "".join(
        f"/{part}" for part in (f"namespaces/{namespace}" if namespace else "", resource, name, subresource) if part
    )
    target = {
        "resource": resource,
        "subresource": subresource,
        "apiGroup": api_group,
        "apiVersion": "v1",
        "namespace": namespace,
        "name": name,
    }
    fields: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": _level(request_object, response_object),
        "auditID": audit_id,
        "stage": stage,
        "requestURI": request_uri or base + path,
        "verb": verb,
        "user": {"username": username, "groups": list(groups)},
        "sourceIPs": [source_ip],
        "userAgent": user_agent,
        "objectRef": {key: text for key, text in target.items() if text},
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
        "annotations": {"authorization.k8s.io/decision": "forbid" if code in (401, 403) else "allow"},
    }
    if impersonated is not None:
        fields["impersonatedUser"] = dict(impersonated)
    if request_object is not None:
        fields["requestObject"] = request_object
    if response_object is not None:
        fields["responseObject"] = response_object
    return fields


def facts_of(fields: Mapping[str, object]) -> derived_facts.Facts:
    """Make the facts of a mapping shaped like an audit record."""
    return derived_facts.Facts(activity_of(fields))


def _level(request_object: object, response_object: object) -> str:
    if response_object is not None:
        return "RequestResponse"
    return "Metadata" if request_object is None else "Request"
