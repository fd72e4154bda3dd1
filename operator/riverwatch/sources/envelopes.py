"""Stage 1, wrappers: peels one layer off what clouds and log shippers put around audit records.

``one JSON object -> what is inside it``: other JSON, text that may hold JSON, or a rebuilt record. Recognised by
the keys, never by a file name. Pure and total; `decode` calls it again for what comes out, up to
`decode.MAX_LAYERS` times. To support another wrapper that simply carries the record under a key, add the key to
`CARRIERS`.

Known: EventList and List; CloudWatch Logs subscriptions, `filter-log-events`, `get-log-events`, `get-query-results`,
Lambda, Kinesis and Firehose records; Cloud Logging entries, `entries.list` and Pub/Sub; Azure diagnostic records, Log
Analytics rows; Elasticsearch hits, Splunk, Loki, Fluentd, Vector, Docker and CRI lines, OpenTelemetry logs,
CloudEvents.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

import msgspec

from riverwatch.activity import record
from riverwatch.sources import azure_audit, base, google_audit

CARRIERS = (
    "items",
    "logEvents",
    "records",
    "Records",
    "entries",
    "receivedMessages",
    "hits",
    "_source",
    "jsonPayload",
    "properties",
    "log",
    "log_s",
    "message",
    "Message",
    "@message",
    "_raw",
    "MESSAGE",
    "msg",
    "line",
    "event",
    "events",
    "data",
    "data_base64",
    "kinesis",
    "awslogs",
    "result",
    "results",
    "streams",
    "values",
    "body",
    "stringValue",
    "textPayload",
    "resourceLogs",
    "scopeLogs",
    "logRecords",
    "tables",
    "rows",
    "attributes",
    "record",
    "kubernetes",
    "audit",
)
"""Keys under which something known carries a record, most telling first.

Text that holds JSON goes before lists, lists before objects: shippers put objects about themselves beside the message.
"""

INFLATE_MAX_BYTES = 64 * 1024 * 1024
"""Largest body that a compressed field may become; CloudWatch sends at most 1 MiB compressed, about 12 MiB of text."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{16,}={0,2}\s*")
"""Text that may be base64, of either alphabet."""

_GZIP_MAGIC = b"\x1f\x8b"


class Peeled(msgspec.Struct, gc=False):
    """What one layer held; exactly one field is set."""

    value: msgspec.Raw | None = None
    """One JSON object or array."""
    items: list[msgspec.Raw] | None = None
    """A list, each item a candidate of its own."""
    text: bytes | None = None
    """Bytes of unknown content: JSON, JSON lines, or log text."""
    record: record.AuditRecord | None = None
    """A record rebuilt from another form."""


def fields_of(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Decode one object, its values left raw.

    Raises
    ------
    msgspec.DecodeError, UnicodeDecodeError, RecursionError
        When it is no JSON object.
    """
    return _FIELDS.decode(data)


def items_of(data: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """Decode one array, its items left raw; raises as `fields_of` does."""
    return _ITEMS.decode(data)


def text_of(raw: msgspec.Raw | None) -> str:
    """Return the string that `raw` holds, or an empty one when it is absent or something else."""
    if raw is None or first_byte(raw) != b'"':
        return ""
    try:
        return _TEXT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def peel(data: bytes | msgspec.Raw, fields: dict[str, msgspec.Raw]) -> Peeled | None:
    """Take one layer off an object.

    Parameters
    ----------
    data
        The object as JSON.
    fields
        The same, as `fields_of` decodes it.

    Returns
    -------
    Peeled or None
        None when nothing in it can be an audit record.

    Raises
    ------
    msgspec.DecodeError
        When a Cloud Logging entry is not of its shape.
    """
    if "protoPayload" in fields:
        found = google_audit.from_log_entry(data)
        return Peeled(record=found) if found else None
    if "AuditId" in fields and "Verb" in fields:
        return Peeled(value=azure_audit.from_row(fields))
    if "results" in fields and "status" in fields:
        return _query_results(fields["results"])
    return _carried({key: fields[key] for key in CARRIERS if key in fields})


def first_byte(raw: msgspec.Raw) -> bytes:
    """Return the first byte of a value, which tells its type; a raw value has no white space before it."""
    return bytes(memoryview(raw)[:1])


def carries(raw: msgspec.Raw) -> bool:
    """Tell whether a value may hold a record: an object, a list, or text with JSON in it."""
    first = first_byte(raw)
    return first in (b"{", b"[") or (first == b'"' and text_candidate(text_of(raw)) is not None)


def _carried(carriers: dict[str, msgspec.Raw]) -> Peeled | None:
    objects = []
    lists = []
    for raw in carriers.values():
        first = first_byte(raw)
        if first == b'"':
            text = text_candidate(text_of(raw))
            if text is not None:
                return Peeled(text=text)
        elif first == b"[":
            lists.append(raw)
        elif first == b"{":
            objects.append(raw)
    if lists:
        return Peeled(items=items_of(lists[0]))
    objects.sort(key=lambda raw: b"audit" not in bytes(raw))
    return Peeled(value=objects[0]) if objects else None


def text_candidate(text: str) -> bytes | None:
    """Return the bytes in which a record may be found: the text itself, or what its base64 and gzip hold.

    Examples
    --------
    >>> text_candidate('{"kind": "Event"}')
    b'{"kind": "Event"}'
    >>> text_candidate("eyJraW5kIjogIkV2ZW50In0=")
    b'{"kind": "Event"}'
    >>> text_candidate("listening on port 80") is None
    True
    """
    stripped = text.strip()
    if "{" in stripped:
        return stripped.encode()
    if not _BASE64.fullmatch(stripped):
        return None
    try:
        plain = base64.b64decode(stripped.replace("-", "+").replace("_", "/") + "==")
    except (binascii.Error, ValueError):
        return None
    if plain.startswith(_GZIP_MAGIC):
        plain = _inflate(plain)
    return plain if b"{" in plain[:1024] else None


def _inflate(data: bytes) -> bytes:
    """Undo gzip, several members included; returns what could be undone, cut at `INFLATE_MAX_BYTES`."""
    out = bytearray()
    while data.startswith(_GZIP_MAGIC) and len(out) < INFLATE_MAX_BYTES:
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(data, INFLATE_MAX_BYTES - len(out))
        except zlib.error:
            break
        data = member.unused_data
    return bytes(out)


def _query_results(raw: msgspec.Raw) -> Peeled | None:
    """CloudWatch Logs Insights: a list of rows, each a list of ``{"field": ..., "value": ...}``."""
    messages = []
    for row in items_of(raw):
        cells = [fields_of(cell) for cell in items_of(row)]
        by_name = {text_of(cell.get("field")): cell["value"] for cell in cells if "value" in cell}
        messages.append(by_name.get("@message", row))
    return Peeled(items=messages)


def from_csv(text: bytes) -> bytes:
    """Take the JSON out of a quoted cell, where every quote is doubled."""
    return text[text.index(b'{""') : text.rindex(b"}") + 1].replace(b'""', b'"') if b"}" in text else text


def keys_of(fields: dict[str, msgspec.Raw]) -> str:
    """Say what an object holds, for people."""
    shown = ", ".join(sorted(fields)[:6])
    return f"an object with {shown}" if shown else "an empty object"


def reason_of(error: Exception) -> base.SkipReason:
    """Say what kind of fault kept bytes from being decoded."""
    if isinstance(error, msgspec.ValidationError):
        return base.SkipReason.WRONG_SHAPE
    return base.SkipReason.MALFORMED_JSON


def words_of(error: Exception | None) -> str:
    """Say the same in words, for people."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: {error.reason}"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return str(error or "")
