"""Stage 1, wrappers: a row of Azure's AKSAudit and AKSAuditAdmin tables -> the audit record it was made of.

The tables keep the record's fields as columns with a capital letter; structured ones come as objects, or as text that
holds JSON, depending on how the row was exported. Pure; called by `envelopes` for every object with such columns.
Rows of the older AzureDiagnostics table carry the record as text in `log_s` and need nothing of this.
"""

from __future__ import annotations

import msgspec

COLUMNS = {
    "Level": "level",
    "AuditId": "auditID",
    "Stage": "stage",
    "RequestUri": "requestURI",
    "Verb": "verb",
    "User": "user",
    "ImpersonatedUser": "impersonatedUser",
    "SourceIps": "sourceIPs",
    "UserAgent": "userAgent",
    "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus",
    "RequestObject": "requestObject",
    "ResponseObject": "responseObject",
    "RequestReceivedTime": "requestReceivedTimestamp",
    "StageReceivedTime": "stageTimestamp",
    "Annotations": "annotations",
}
"""Column of the table -> field of the record."""

_STRUCTURED = frozenset(
    {"User", "ImpersonatedUser", "SourceIps", "ObjectRef", "ResponseStatus", "RequestObject", "ResponseObject"}
    | {"Annotations"}
)
"""Columns that hold an object or a list."""

_HEAD = {"kind": msgspec.Raw(b'"Event"'), "apiVersion": msgspec.Raw(b'"audit.k8s.io/v1"')}

_TEXT = msgspec.json.Decoder(str)


def from_row(row: dict[str, msgspec.Raw]) -> msgspec.Raw:
    """Write a row as the record it was made of.

    Parameters
    ----------
    row
        Column name to JSON value.

    Raises
    ------
    msgspec.DecodeError
        When a structured column holds text that is no JSON.

    Examples
    --------
    >>> from_row({"AuditId": msgspec.Raw(b'"a"'), "User": msgspec.Raw(b'"{}"')})  # doctest: +ELLIPSIS
    <msgspec.Raw object at ...>
    """
    fields = dict(_HEAD)
    for column, name in COLUMNS.items():
        raw = row.get(column)
        if raw is None:
            continue
        if column in _STRUCTURED and bytes(memoryview(raw)[:1]) == b'"':
            text = _TEXT.decode(raw).strip()
            if not text:
                continue
            raw = msgspec.json.decode(text.encode(), type=msgspec.Raw)
        fields[name] = raw
    return msgspec.Raw(msgspec.json.encode(fields))
