"""Stage 1, receiver: what a request body must be before it is taken: uncompressed within a limit, and JSON.

Pure; used by `audit_webhook` only. Cheap on purpose, because it runs on the event loop: decoding is the worker's.
"""

from __future__ import annotations

import re
import zlib

import msgspec

from riverwatch import errors

CHECKED_BYTES = 128 * 1024
"""Largest body that is checked completely for being JSON, in bytes; takes about 0.2 ms."""

OFF_LOOP_BYTES = 256 * 1024
"""Compressed bodies larger than this are undone on another thread; below it that takes less than 2 ms."""

ON_LOOP_BYTES = 4 * 1024 * 1024
"""So are those that turn out to hold more than this: 30 kB can hold 31 MiB."""

OPENING_BYTES = 4 * 1024
"""Bytes in which JSON must begin; a search through 31 MiB of white space takes a fifth of a second."""

CONTENT_TYPES = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/json-lines",
        "application/stream+json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
)
"""Content types that are taken: JSON and JSON lines under the names that senders use."""

_OPENING = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{"\]])')
_VALUES = msgspec.json.Decoder(msgspec.Raw)


class TooLargeError(errors.BadInputError):
    """A body grows beyond the limit when its compression is undone."""


def gunzip(data: bytes, limit_bytes: int) -> bytes:
    """Undo gzip, several members included.

    Raises
    ------
    BadInputError
        When it is no gzip, ends too early, or grows beyond the limit.
    """
    out = bytearray()
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(data, limit_bytes + 1 - len(out))
        except zlib.error as error:
            raise errors.BadInputError(f"the body is no gzip: {error}") from error
        if len(out) > limit_bytes:
            raise TooLargeError(f"the body is over {limit_bytes} bytes uncompressed; send smaller batches")
        if not member.eof:
            raise errors.BadInputError("the gzip body ends too early")
        data = member.unused_data
    return bytes(out)


def why_not_json(body: bytes) -> str:
    """Say why a body is no JSON, or return an empty text when it looks like it.

    Examples
    --------
    >>> why_not_json(b'{"kind": "EventList"}')
    ''
    >>> why_not_json(b"kind=EventList")
    'malformed JSON: the body must be a JSON object or list, or JSON lines'
    """
    if not body[:OPENING_BYTES].strip():
        return "malformed JSON: the body is empty"
    if not _OPENING.match(body, 0, OPENING_BYTES):
        return "malformed JSON: the body must be a JSON object or list, or JSON lines"
    if body[-64:].rstrip()[-1:] not in (b"}", b"]"):
        return "malformed JSON: the body ends in the middle of a value"
    if len(body) <= CHECKED_BYTES:
        try:
            _VALUES.decode_lines(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return f"malformed JSON: {error}"
    return ""
