"""The public kit for tests of contributors: audit records built from keywords, and a clock that is moved by hand.

May import everything and is imported by nothing in the package.
"""

from __future__ import annotations

from typing import Any, cast

from riverwatch import clock
from riverwatch.activity import record, sample

START_S = 1_767_600_000.0
"""2026-01-05 08:00 UTC, a Monday; where made-up streams begin."""


class FakeClock:
    """A clock that stands still until it is told."""

    def __init__(self, now_s: float = START_S) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        """Return the wall time in seconds since the epoch."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Return the same time; it never goes backwards by itself."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now_s += seconds


def audit_record(  # noqa: PLR0913 - one keyword per thing that a test may want to say
    *,
    time_s: float = START_S,
    user: str = "system:serviceaccount:web:front",
    verb: str = "get",
    resource: str = "configmaps",
    namespace: str = "web",
    name: str = "settings",
    source_ip: str = "10.4.7.19",
    user_agent: str = "front/1.0",
    audit_id: str = "",
    extra: dict[str, list[str]] | None = None,
    **more: Any,
) -> record.AuditRecord:
    """Build one audit record of a service account at its routine, decoded from JSON as a real one.

    Parameters
    ----------
    time_s
        Epoch seconds at which the request was received.
    extra
        `user.extra`, for example the credential id.
    more
        Further keywords of `activity.sample.audit_record`.

    Examples
    --------
    >>> audit_record(verb="list", resource="secrets").object_ref.resource
    'secrets'
    """
    stamp = clock.rfc3339(time_s)
    fields = sample.audit_record(
        verb=verb,
        resource=resource,
        namespace=namespace,
        name=name,
        username=user,
        source_ip=source_ip,
        user_agent=user_agent,
        time=stamp,
        audit_id=audit_id or f"{user}-{verb}-{resource}-{name}-{stamp}",
        **more,
    )
    if extra:
        fields["user"] = {**cast("dict[str, object]", fields["user"]), "extra": extra}
    return sample.decode(fields)
