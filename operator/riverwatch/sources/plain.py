"""Stage 1, the hot path: whole chunks of plain records, or of EventLists, decoded at once -> usable `AuditRecord`s.

All or nothing: a chunk with anything else in it gives None and goes to `decode`, which takes it apart. Nothing is
counted here. The only other work per record is the check that it is what it should be; every field of a record is
optional on the wire, so that any object would decode.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from riverwatch.activity import record
from riverwatch.sources import base

API_VERSIONS = ("audit.k8s.io/v1", "audit.k8s.io/v1beta1")
"""Versions that are read; v1beta1 has the same fields."""

GROUP = "audit.k8s.io/"
"""What every audit API version starts with."""

_V1 = API_VERSIONS[0]
_RECEIVED = "RequestReceived"

_ITEM_VERSIONS = frozenset((_V1, None))
"""What an item of a current EventList says: the API server leaves kind and version to the list."""


class RecordList(msgspec.Struct, gc=False, rename={"api_version": "apiVersion"}):
    """An EventList of which every item is decoded."""

    kind: str | None = None
    api_version: str | None = None
    items: list[record.AuditRecord] | None = None


RECORD = msgspec.json.Decoder(record.AuditRecord)
LIST = msgspec.json.Decoder(RecordList)


class Plain(NamedTuple):
    """A chunk that was decoded at once."""

    records: list[record.AuditRecord]
    received: int
    """Records of the stage RequestReceived, left out."""


def reason_against(one: record.AuditRecord) -> base.SkipReason | None:
    """Say why a decoded object is no usable record; `NOT_AUDIT` also for a wrapper, which has none of the fields."""
    version = one.api_version
    if version in API_VERSIONS or version is None:
        if one.kind != "Event" and (one.kind is not None or not one.audit_id):
            return base.SkipReason.NOT_AUDIT
        if version is None and not (one.audit_id and (one.verb or one.stage or one.request_uri)):
            return base.SkipReason.NOT_AUDIT
        return base.SkipReason.STAGE_RECEIVED if one.stage == _RECEIVED else None
    if version.startswith(GROUP) and one.kind == "Event":
        return base.SkipReason.UNKNOWN_API_VERSION
    return base.SkipReason.NOT_AUDIT


def from_lines(chunk: bytes) -> Plain | None:
    """Decode records, one after the other; raises what msgspec raises."""
    records = RECORD.decode_lines(chunk)
    usable = [r for r in records if r.api_version == _V1 and r.stage != _RECEIVED and r.kind == "Event"]
    return _settled(records, usable)


def from_lists(lists: list[RecordList]) -> Plain | None:
    """Take the records out of EventLists."""
    for one in lists:
        if one.kind != "EventList" or one.api_version != _V1:
            return None
    records = (lists[0].items or []) if len(lists) == 1 else [r for one in lists for r in one.items or ()]
    usable = [r for r in records if r.api_version in _ITEM_VERSIONS and r.stage != _RECEIVED and r.audit_id and r.verb]
    return _settled(records, usable)


def _settled(records: list[record.AuditRecord], usable: list[record.AuditRecord]) -> Plain | None:
    """Accept the chunk when nothing but the stage RequestReceived stands between read and usable."""
    missing = len(records) - len(usable)
    if missing and missing != sum([reason_against(one) is base.SkipReason.STAGE_RECEIVED for one in records]):
        return None
    return Plain(usable, missing)
