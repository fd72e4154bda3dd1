"""Stage 2, normalise: who logged in, where OpenShift's OAuth server says so.

The OAuth server audits a log-in as a request of nobody, and names the user whom it let in beside it, in annotations. To
everybody who reads such a record this user acts. One whom it turned away is nobody still: anybody may type a name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from riverwatch.activity import identities, record

_MARK = b"authentication.openshift.io/username"


class _Annotations(msgspec.Struct):
    decision: Any = msgspec.field(default=None, name="authentication.openshift.io/decision")
    username: Any = msgspec.field(default=None, name="authentication.openshift.io/username")


_decode = msgspec.json.Decoder(_Annotations).decode


def who(source: record.AuditRecord) -> str:
    """Return the user whom the OAuth server let in by a request of nobody; empty for all other records."""
    user, annotations = source.user, source.annotations
    if user is None or user.username != identities.ANONYMOUS or _MARK not in bytes(annotations):
        return ""
    try:
        said = _decode(annotations)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    allowed = said.decision == "allow" and isinstance(said.username, str)
    return said.username if allowed else ""


def told(source: record.AuditRecord) -> record.AuditRecord:
    """Return the record as that user's; the record itself when there is none."""
    name = who(source)
    return msgspec.structs.replace(source, user=record.UserInfo(username=name)) if name else source
