"""Stage 1, wrappers: a Google Cloud Logging entry of a GKE control plane -> `AuditRecord`.

Cloud Logging does not carry the audit record itself: it is rewritten as a `google.cloud.audit.AuditLog`, and this page
writes it back. What Google leaves out (groups, stage, level, the HTTP code of a success) is inferred and listed below.
Pure; called by `envelopes` for every entry with a `protoPayload`.

Inferred: `stage` is ResponseComplete, or ResponseStarted for the first entry of a long-running operation; `level`
follows from the bodies that are there; a success has code 200; groups are unknown and stay empty.
"""

from __future__ import annotations

import contextlib
import re

import msgspec

from riverwatch.activity import record

AUDIT_LOG_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"
"""`@type` of the payload."""

KUBERNETES_SERVICE = "k8s.io"
"""`serviceName` of the Kubernetes API; others (container.googleapis.com ...) are calls to Google's own API."""

HTTP_OF_RPC = {
    0: 200,
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}
"""HTTP status of each google.rpc.Code, as google/rpc/code.proto maps them."""

_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
"""A Kubernetes API version as a part of a method name."""

_DOTLESS_GROUPS = frozenset({"apps", "autoscaling", "batch", "extensions", "policy"})
"""Built-in groups whose name has no domain although Google writes them under `io.k8s`."""


class _Status(msgspec.Struct, gc=False):
    code: int = 0
    message: str | None = None


class _Authentication(msgspec.Struct, gc=False, rename={"principal_email": "principalEmail"}):
    principal_email: str | None = None


class _Authorization(msgspec.Struct, gc=False):
    granted: bool | None = None
    resource: str | None = None
    permission: str | None = None


class _RequestMetadata(
    msgspec.Struct, gc=False, rename={"caller_ip": "callerIp", "user_agent": "callerSuppliedUserAgent"}
):
    caller_ip: str | None = None
    user_agent: str | None = None


class _AuditLog(
    msgspec.Struct,
    gc=False,
    rename={
        "service_name": "serviceName",
        "method_name": "methodName",
        "resource_name": "resourceName",
        "authentication": "authenticationInfo",
        "authorization": "authorizationInfo",
        "request_metadata": "requestMetadata",
    },
):
    service_name: str | None = None
    method_name: str | None = None
    resource_name: str | None = None
    authentication: _Authentication | None = None
    authorization: list[_Authorization] | None = None
    request_metadata: _RequestMetadata | None = None
    status: _Status | None = None
    request: msgspec.Raw = record.ABSENT
    response: msgspec.Raw = record.ABSENT


class _Operation(msgspec.Struct, gc=False):
    id: str | None = None
    first: bool = False
    last: bool = False


class _LogEntry(
    msgspec.Struct,
    gc=False,
    rename={"payload": "protoPayload", "insert_id": "insertId", "receive_timestamp": "receiveTimestamp"},
):
    payload: _AuditLog
    insert_id: str | None = None
    timestamp: str | None = None
    receive_timestamp: str | None = None
    operation: _Operation | None = None
    labels: msgspec.Raw = record.ABSENT


_ENTRY = msgspec.json.Decoder(_LogEntry)
_ANSWER = msgspec.json.Decoder(record.ResponseStatus)


class _Target(msgspec.Struct, gc=False):
    """What a call is about, as Google names it."""

    verb: str
    reference: record.ObjectReference | None
    uri: str


def from_log_entry(data: bytes | msgspec.Raw) -> record.AuditRecord | None:
    """Rebuild the audit record of one log entry.

    Parameters
    ----------
    data
        The entry as JSON, `protoPayload` included.

    Returns
    -------
    AuditRecord or None
        None when the entry is about another service than the Kubernetes API.

    Raises
    ------
    msgspec.DecodeError
        When the entry is not of the expected shape.
    """
    entry = _ENTRY.decode(data)
    payload = entry.payload
    method = payload.method_name or ""
    if payload.service_name != KUBERNETES_SERVICE and (payload.service_name or not method.startswith("io.k8s.")):
        return None
    target = _target(method, payload.resource_name or "")
    operation = entry.operation or _Operation()
    caller = payload.request_metadata or _RequestMetadata()
    who = payload.authentication or _Authentication()
    started = operation.first and not operation.last
    time = entry.timestamp or entry.receive_timestamp
    return record.AuditRecord(
        kind="Event",
        api_version="audit.k8s.io/v1",
        level=_level(payload),
        audit_id=operation.id or entry.insert_id,
        stage="ResponseStarted" if started else "ResponseComplete",
        request_uri=target.uri or None,
        verb=target.verb,
        user=record.UserInfo(username=who.principal_email) if who.principal_email else None,
        source_ips=[caller.caller_ip] if caller.caller_ip else None,
        user_agent=caller.user_agent,
        object_ref=target.reference,
        response_status=_response_status(payload),
        request_object=payload.request,
        response_object=payload.response,
        request_received_timestamp=time,
        stage_timestamp=time,
        annotations=entry.labels,
    )


def _level(payload: _AuditLog) -> str:
    if payload.response != record.ABSENT:
        return "RequestResponse"
    return "Request" if payload.request != record.ABSENT else "Metadata"


def _response_status(payload: _AuditLog) -> record.ResponseStatus:
    status = payload.status or _Status()
    code = HTTP_OF_RPC.get(status.code, status.code if 100 <= status.code <= 599 else 500)
    if code == 200 and any(one.granted is False for one in payload.authorization or ()):
        code = 403
    if code >= 400 and payload.response != record.ABSENT:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            answer = _ANSWER.decode(payload.response)
            if answer.code and answer.code >= 400:
                return record.ResponseStatus(answer.code, answer.status, answer.reason, answer.message)
    return record.ResponseStatus(code=code, message=status.message)


def _target(method: str, resource_name: str) -> _Target:
    """Read a method (``io.k8s.core.v1.pods.exec.create``) and its resource (``core/v1/namespaces/a/pods/b/exec``)."""
    parts = method.split(".")
    verb = parts[-1].lower()
    at = next((i for i, part in enumerate(parts) if _VERSION.fullmatch(part)), -1)
    if at < 0 or at + 2 >= len(parts):
        return _Target(verb, None, "/" + resource_name.lstrip("/") if resource_name else "")
    group, version = _group(parts[:at]), parts[at]
    resource, *subresource = parts[at + 1 : -1]
    reference = record.ObjectReference(
        resource=resource, subresource="/".join(subresource) or None, api_group=group or None, api_version=version
    )
    path = _place(reference, resource_name)
    group = reference.api_group or ""
    prefix = f"/apis/{group}" if group else "/api"
    return _Target(verb, reference, f"{prefix}/{version}/{path}" if path else f"{prefix}/{version}/{resource}")


def _group(reversed_domain: list[str]) -> str:
    """Turn ``io.k8s.authorization.rbac`` into ``rbac.authorization.k8s.io``."""
    if reversed_domain[:2] == ["io", "k8s"]:
        inner = reversed_domain[2:]
        if inner in ([], ["core"]):
            return ""
        if len(inner) == 1 and inner[0] in _DOTLESS_GROUPS:
            return inner[0]
    return ".".join(reversed(reversed_domain))


def _place(reference: record.ObjectReference, resource_name: str) -> str:
    """Fill group, namespace and name from the resource name; return the path below the version."""
    segments = [segment for segment in resource_name.split("/") if segment]
    if len(segments) < 2 or not _VERSION.fullmatch(segments[1]):
        return ""
    reference.api_group = None if segments[0] == "core" else segments[0]
    path = segments[2:]
    rest = path
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] == reference.resource:
        reference.namespace = rest[1]
        rest = rest[2:]
    if rest and rest[0] == reference.resource and len(rest) > 1:
        reference.name = rest[1]
    if reference.resource == "namespaces" and reference.name:
        reference.namespace = reference.name
    return "/".join(path)
