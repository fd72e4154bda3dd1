"""The only place that reads the time; stages 1 to 6 read it from records, the edges take a `Clock`."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time for code at the edges."""

    def now_s(self) -> float:
        """Return the wall time in seconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return a clock that never goes backwards, in seconds."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_s(self) -> float:
        """Return the wall time in seconds since the epoch, UTC."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return a clock that never goes backwards, in seconds."""
        return time.monotonic()


def rfc3339(time_s: float) -> str:
    """Write seconds since the epoch as RFC 3339 with microseconds, UTC.

    Examples
    --------
    >>> rfc3339(1768464000.25)
    '2026-01-15T08:00:00.250000Z'
    """
    return dt.datetime.fromtimestamp(time_s, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Read an RFC 3339 time into seconds since the epoch.

    Raises
    ------
    ValueError
        When the text is no RFC 3339 time with a zone.

    Examples
    --------
    >>> parse_rfc3339("2026-01-15T08:00:00.25Z")
    1768464000.25
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no RFC 3339 time; write for example 2026-01-15T08:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write for example 2026-01-15T08:00:00Z")
    return moment.timestamp()
