"""Stage 1, admission: an AdmissionReview -> the audit record that the same request would have left, and the answer.

Pure. A review comes before the request is carried out and carries no time, no address and no client: the time is that
of arrival, the request is taken for successful. What a person changed by patch arrives as update with the whole
object. Bodies that hold credentials are left out, as the shipped audit policy does. Called by `admission_webhook`.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

import msgspec

from riverwatch import errors

API_VERSION = "admission.k8s.io/v1"
"""The only version that is read; API servers offer it from 1.16 on."""

ID_PREFIX = "admission-"
"""Before the review's uid in `auditID`; the request's own audit id is not in the review."""

SECRET_BODIES = frozenset({("", "secrets"), ("", "configmaps"), ("authentication.k8s.io", "tokenreviews")})
"""Group and resource whose bodies are dropped unread."""

_CODES = {"create": 201, "update": 200, "delete": 200, "deletecollection": 200, "connect": 101}
_OPTIONS = ("command", "container", "stdin", "stdout", "stderr", "tty", "ports")


class _Resource(msgspec.Struct, frozen=True):
    group: str = ""
    version: str = "v1"
    resource: str = ""


class _Request(
    msgspec.Struct,
    rename={
        "sub_resource": "subResource",
        "asked_resource": "requestResource",
        "asked_sub_resource": "requestSubResource",
        "user_info": "userInfo",
        "dry_run": "dryRun",
    },
):
    uid: str
    operation: str
    user_info: msgspec.Raw
    resource: _Resource
    sub_resource: str | None = None
    asked_resource: _Resource | None = None
    asked_sub_resource: str | None = None
    name: str = ""
    namespace: str = ""
    object: msgspec.Raw = msgspec.Raw(b"null")
    dry_run: bool | None = None


class _Review(msgspec.Struct, rename={"api_version": "apiVersion"}):
    kind: str
    api_version: str
    request: _Request


class _Metadata(msgspec.Struct):
    name: str = ""


class _Named(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


_REVIEW = msgspec.json.Decoder(_Review)
_NAMED = msgspec.json.Decoder(_Named)
_NULL = msgspec.Raw(b"null")


class Converted(msgspec.Struct, frozen=True):
    """A review that was read."""

    answer: bytes
    """Body of the answer: allowed, always."""
    record: bytes
    """The audit record as one line of JSON; empty for a dry run, which changes nothing."""


def convert(body: bytes, *, received: str) -> Converted:
    """Read a review.

    Parameters
    ----------
    body
        The request's body.
    received
        RFC 3339 time of arrival.

    Raises
    ------
    BadInputError
        When it is no AdmissionReview of `API_VERSION`; the text says what is wrong.
    """
    try:
        review = _REVIEW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.BadInputError(f"no AdmissionReview: {error}") from error
    if review.kind != "AdmissionReview" or review.api_version != API_VERSION:
        told = f"{review.kind} of {review.api_version}"
        raise errors.BadInputError(f"expected an AdmissionReview of {API_VERSION}, got {told[:200]}")
    request = review.request
    answer = {
        "apiVersion": API_VERSION,
        "kind": "AdmissionReview",
        "response": {"uid": request.uid, "allowed": True},
    }
    line = b"" if request.dry_run else msgspec.json.encode(_record(request, received))
    return Converted(msgspec.json.encode(answer), line)


def _record(request: _Request, received: str) -> dict[str, Any]:
    resource = request.asked_resource or request.resource
    subresource = request.asked_sub_resource if request.asked_resource is not None else request.sub_resource
    connects = request.operation == "CONNECT"
    name = request.name or ("" if request.operation == "DELETE" else _name_in(request.object))
    verb = request.operation.lower()
    if verb == "delete" and not name:
        verb = "deletecollection"
    body = request.object
    if request.operation == "DELETE" or ((resource.group, resource.resource) in SECRET_BODIES and not subresource):
        body = _NULL
    target = {
        "apiGroup": resource.group,
        "apiVersion": resource.version,
        "resource": resource.resource,
        "subresource": subresource or "",
        "namespace": request.namespace,
        "name": name,
    }
    record: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata" if body == _NULL else "Request",
        "auditID": f"{ID_PREFIX}{request.uid}",
        "stage": "ResponseComplete",
        "requestURI": _path(target) + (_query(body) if connects else ""),
        # Clients connect by POST (SPDY) or GET (WebSocket); the review does not say which.
        "verb": "create" if connects else verb,
        "user": request.user_info,
        "objectRef": {key: text for key, text in target.items() if text},
        "responseStatus": {"code": _CODES.get(verb, 200)},
        "requestReceivedTimestamp": received,
        "stageTimestamp": received,
        "annotations": {"riverwatch.dev/source": "admission"},
    }
    if body != _NULL:
        record["requestObject"] = body
    return record


def _name_in(body: msgspec.Raw) -> str:
    """Return the name that the API server made for an object without one."""
    try:
        return _NAMED.decode(body).metadata.name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _path(target: dict[str, str]) -> str:
    """Write the path that the request was sent to."""
    base = f"/apis/{target['apiGroup']}" if target["apiGroup"] else "/api"
    scope = target["namespace"] if target["resource"] != "namespaces" else ""
    parts = [base, target["apiVersion"], *(("namespaces", scope) if scope else ())]
    parts += [target[key] for key in ("resource", "name", "subresource") if target[key]]
    return "/".join([parts[0], *(urllib.parse.quote(part, safe=":") for part in parts[1:])])


def _query(options: msgspec.Raw) -> str:
    """Write the options of exec, attach, portforward and proxy as the path and query that clients send."""
    try:
        given = msgspec.json.decode(options)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if not isinstance(given, dict):
        return ""
    path = str(given.get("path") or "")
    pairs = [
        (key, str(value).lower() if isinstance(value, bool) else str(value))
        for key in _OPTIONS
        for value in (given[key] if isinstance(given.get(key), list) else [given.get(key)])
        if value not in (None, "")
    ]
    behind = "/" + urllib.parse.quote(path.lstrip("/"), safe="/:?&=%") if path else ""
    return behind + (f"?{urllib.parse.urlencode(pairs)}" if pairs else "")
