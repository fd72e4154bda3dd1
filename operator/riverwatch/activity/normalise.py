"""Stage 2, normalise: `AuditRecord` -> `Activity`.

Pure and total: any record gives an `Activity` or a `MalformedRecordError` with one of the reasons below. Called once
per record by `runtime.pipeline`; must not parse bodies.
"""

from __future__ import annotations

import datetime as dt
import functools
import math

from riverwatch import errors
from riverwatch.activity import identities, oauth_login, record

MISSING_TIMESTAMP = "missing_timestamp"
"""Skip reason: no usable time; without one nothing can be compared with what came before."""

MISSING_USER = "missing_user"
"""Skip reason: nobody to attribute the record to."""

UNAUTHENTICATED = "unauthenticated"
"""Skip reason: the request was refused because nobody stood behind it; an ordinary record, with nobody to judge."""

REFUSED_UNKNOWN = 401
"""HTTP status code of that."""

MISSING_VERB = "missing_verb"
"""Skip reason: nothing was done."""

STAGE_RECEIVED = "stage_received"
"""Skip reason: stage RequestReceived, which comes before the result is known; a later stage follows."""

_NO_USER = record.UserInfo()
_NO_OBJECT = record.ObjectReference()
_NO_EXTRA = record.UserExtra()

PLAIN_CHARS = 27
"""Characters of a time as kube-apiserver writes it: microseconds, UTC."""

EARLIEST_S = 946_684_800.0
"""2000-01-01; an earlier time is a zero value written by a broken sender, not a time."""


@functools.lru_cache(maxsize=1024)
def _epoch_of_second(text: str) -> float:
    moment = dt.datetime.fromisoformat(text + "+00:00")
    return moment.timestamp()


def parse_time(text: str) -> float:
    """Read the time formats of audit records into seconds since the epoch.

    Records of one second share all but the fraction, so the part before the fraction is cached.

    Raises
    ------
    ValueError
        When the text is no time.

    Examples
    --------
    >>> parse_time("2026-01-15T08:00:00.250000Z")
    1768464000.25
    """
    if text[19:20] == "." and text[-1] == "Z" and text[20:-1].isdigit():
        return _epoch_of_second(text[:19]) + float(text[19:-1])
    moment = dt.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def time_or_never(text: str | None) -> float:
    """Do the same; what is no time, or absent, lies infinitely far ahead.

    Examples
    --------
    >>> time_or_never("yesterday")
    inf
    """
    if text is None:
        return math.inf
    try:
        # As kube-apiserver writes all of them: microseconds, UTC.
        if len(text) == PLAIN_CHARS and text[26] == "Z" and text[19] == "." and text[20:26].isdigit():
            return _epoch_of_second(text[:19]) + float(text[19:26])
        return parse_time(text)
    except (ValueError, OverflowError):
        return math.inf


def time_of(source: record.AuditRecord) -> float:
    """Return when the API server received the request, else when it wrote the stage, in epoch seconds.

    Raises
    ------
    MalformedRecordError
        When neither is a time.
    """
    for text in (source.request_received_timestamp, source.stage_timestamp):
        if text:
            try:
                time_s = parse_time(text)
            except (ValueError, OverflowError):
                continue
            if time_s >= EARLIEST_S:
                return time_s
    raise errors.MalformedRecordError("no usable requestReceivedTimestamp or stageTimestamp", reason=MISSING_TIMESTAMP)


def from_audit(source: record.AuditRecord, time_s: float = math.inf) -> record.Activity:
    """Normalise one audit record.

    Parameters
    ----------
    source
        The record.
    time_s
        What `time_or_never` said about its `requestReceivedTimestamp`, where that was asked already.

    Raises
    ------
    MalformedRecordError
        With reason `unauthenticated`, `missing_user`, `missing_verb`, `missing_timestamp` or `stage_received`.
    """
    stage = source.stage or ""
    if stage == "RequestReceived":
        raise errors.MalformedRecordError("the result is not known yet", reason=STAGE_RECEIVED)
    if source.object_ref is None:
        source = oauth_login.told(source)
    user = source.user or _NO_USER
    if not user.username and not user.groups:
        if source.response_status is not None and source.response_status.code == REFUSED_UNKNOWN:
            raise errors.MalformedRecordError("refused before anybody was known", reason=UNAUTHENTICATED)
        raise errors.MalformedRecordError("no user.username", reason=MISSING_USER)
    if not source.verb:
        raise errors.MalformedRecordError("no verb", reason=MISSING_VERB)
    target = source.object_ref or _NO_OBJECT
    extra = user.extra or _NO_EXTRA
    impersonated = source.impersonated_user
    status = source.response_status
    return record.Activity(
        source.audit_id or "",
        time_s if EARLIEST_S <= time_s < math.inf else time_of(source),
        stage,
        source.level or "",
        identities.classify(user.username or ""),
        identities.classify(impersonated.username or "") if impersonated and impersonated.username else None,
        source.verb,
        target.api_group or "",
        target.resource or "",
        target.subresource or "",
        target.namespace or "",
        target.name or "",
        (status.code or 0) if status else 0,
        source.request_uri or "",
        source.source_ips[-1 if impersonated else 0] if source.source_ips else "",
        source.user_agent or "",
        extra.credential_id[0] if extra.credential_id else "",
        extra.pod_name[0] if extra.pod_name else "",
        extra.node_name[0] if extra.node_name else "",
        source,
    )
