"""Stage 1, glance: a delivery -> who made each of its records, for a fifth of what decoding them costs.

For a worker that is behind and will drop most of them: only the names are made into Python's objects. Names are read
as `decode` reads them (of a repeated key the last one counts). Nothing else is checked: of what is never decoded nobody
knows whether it was usable. What is neither one EventList nor plain records, one a line, gives None and has to be
decoded. Pure; called by `runtime.worker`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from riverwatch.activity import record
from riverwatch.sources import decode, plain


class _User(msgspec.Struct, gc=False):
    username: str | None = None


class _Record(msgspec.Struct, gc=False):
    user: _User | None = None


class _Line(msgspec.Struct, gc=False, rename={"api_version": "apiVersion"}):
    """A record, or a list of them."""

    kind: str | None = None
    api_version: str | None = None
    user: _User | None = None
    items: list[_Record] | None = None


class _RawList(msgspec.Struct, gc=False):
    items: list[msgspec.Raw] = []


_LINE = msgspec.json.Decoder(_Line)
_RAW_LINE = msgspec.json.Decoder(msgspec.Raw)
_RAW_LIST = msgspec.json.Decoder(_RawList)


class Glance(NamedTuple):
    """What a glance at a delivery tells."""

    names: list[str]
    """The user's name of each record, in order; empty where a record names nobody."""
    listed: bool
    """Whether the records are the items of one EventList; else each is a line."""


def look(body: bytes) -> Glance | None:
    """Look at the body of a delivery; None when it must be decoded to know.

    Examples
    --------
    >>> look(b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"user":{"username":"ana"}},{}]}')
    Glance(names=['ana', ''], listed=True)
    >>> look(b'{"message":"{}"}') is None
    True
    """
    try:
        lines = _LINE.decode_lines(body)
    except decode.UNREADABLE:
        return None
    if any(one.api_version not in plain.API_VERSIONS for one in lines):
        return None
    if len(lines) == 1 and lines[0].kind == "EventList":
        return Glance(_names(lines[0].items or []), listed=True)
    return Glance(_names(lines), listed=False) if all(one.kind == "Event" for one in lines) else None


def chosen(
    seen: Glance, places: Sequence[int], body: bytes, *, decoder: decode.RecordDecoder, where: str
) -> list[record.AuditRecord]:
    """Decode some of the records of a body.

    Parameters
    ----------
    seen
        What `look` told of the body.
    places
        Of the records, in `seen.names`.
    body
        Of the delivery.
    decoder
        Decodes, and counts what it reads and skips.
    where
        Name of the delivery, for the place of skips.
    """
    if not places:
        return []
    raw = _RAW_LIST.decode(body).items if seen.listed else _RAW_LINE.decode_lines(body)
    found: list[record.AuditRecord] = []
    for place in places:
        found += decoder.value(raw[place], where=f"{where}[{place}]", layer=int(seen.listed))
    return found


def _names(records: Sequence[_Record | _Line]) -> list[str]:
    return [(one.user.username or "") if one.user is not None else "" for one in records]
