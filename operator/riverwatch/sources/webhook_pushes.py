"""Stage 1, receiver: what clouds expect of an HTTPS endpoint that they push to, beyond taking the body.

Amazon Data Firehose (EKS: CloudWatch Logs subscription) shows its key in a header of its own and wants its request id
back in JSON, refusals included. Google Pub/Sub (GKE: log sink) shows a token in the query and takes any 2xx. Azure
Event Grid and CloudEvents senders (AKS: Event Hubs behind it) ask first whether they may send. The bodies themselves
are recognised by `decode`, by content. Pure; used by `audit_webhook` only.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping

import msgspec

FIREHOSE_REQUEST = "X-Amz-Firehose-Request-Id"
"""Header with the id that the answer must repeat."""

FIREHOSE_KEY = "X-Amz-Firehose-Access-Key"
"""Header with the access key: one of our tokens."""

EVENT_GRID = "aeg-event-type"
"""Header that tells Event Grid's deliveries from its handshake."""

EVENT_GRID_HANDSHAKE = "SubscriptionValidation"
"""Its value for the handshake."""

GOOGLE_AGENTS = ("CloudPubSub-Google", "APIs-Google")
"""Beginnings of the user agents of Pub/Sub's pushes."""

ORIGIN = "WebHook-Request-Origin"
"""Header of the CloudEvents handshake, an OPTIONS request."""

MAX_ID_CHARS = 256
"""Characters of a sender's own id that are repeated."""


class _Handshake(msgspec.Struct, rename={"code": "validationCode"}):
    code: str


class _HandshakeMessage(msgspec.Struct):
    data: _Handshake


_HANDSHAKE = msgspec.json.Decoder(list[_HandshakeMessage])


def offered(headers: Mapping[str, str], query: Mapping[str, str]) -> list[str]:
    """Return what a request shows as its token: bearer, password, Firehose's header, or the query.

    Examples
    --------
    >>> offered({"Authorization": "Bearer abc"}, {"token": "def"})
    ['abc', 'def']
    """
    found = [headers[FIREHOSE_KEY]] if FIREHOSE_KEY in headers else []
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(value.strip())
    elif scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            found.append(base64.b64decode(value, validate=True).decode().partition(":")[2])
    if "token" in query:
        found.append(query["token"])
    return found


def sender(headers: Mapping[str, str], query: Mapping[str, str], *, address: str | None) -> str:
    """Name a sender: by its address, or as a cloud, whose addresses change all the time and mean nothing.

    Examples
    --------
    >>> sender({}, {}, address="10.0.0.1"), sender({FIREHOSE_REQUEST: "r-1"}, {}, address="3.3.3.3")
    ('10.0.0.1', "a cloud's push")
    """
    agent = headers.get("User-Agent", "")
    pushed = FIREHOSE_REQUEST in headers or EVENT_GRID in headers or "token" in query or agent.startswith(GOOGLE_AGENTS)
    return "a cloud's push" if pushed else address or "unknown"


def firehose_answer(headers: Mapping[str, str], *, now_s: float, problem: str = "") -> bytes | None:
    """Return the JSON that Firehose wants as the answer's body, or None for another sender.

    Parameters
    ----------
    headers
        Of the request.
    now_s
        Epoch seconds.
    problem
        Why the delivery was refused; empty when it was taken. Firehose shows it in its error log and tries again.
    """
    request_id = headers.get(FIREHOSE_REQUEST)
    if request_id is None:
        return None
    answer: dict[str, object] = {"requestId": request_id[:MAX_ID_CHARS], "timestamp": int(now_s * 1000)}
    if problem:
        answer["errorMessage"] = problem
    return msgspec.json.encode(answer)


def event_grid_answer(headers: Mapping[str, str], body: bytes) -> bytes | None:
    """Return the answer to Event Grid's handshake, or None for anything else.

    Examples
    --------
    >>> event_grid_answer({EVENT_GRID: EVENT_GRID_HANDSHAKE}, b'[{"data": {"validationCode": "7"}}]')
    b'{"validationResponse":"7"}'
    """
    if headers.get(EVENT_GRID) != EVENT_GRID_HANDSHAKE:
        return None
    try:
        messages = _HANDSHAKE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    code = messages[0].data.code[:MAX_ID_CHARS] if messages else ""
    return msgspec.json.encode({"validationResponse": code}) if code else None


def origin_answer(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return the headers that answer the CloudEvents handshake, or None when it names no origin."""
    origin = headers.get(ORIGIN, "").strip()
    if not origin:
        return None
    return {"WebHook-Allowed-Origin": origin[:MAX_ID_CHARS], "WebHook-Allowed-Rate": "*"}
