"""Stage 1, receiver: what one request and one sender may cost; above it the sender is told to come again. Pure."""

from __future__ import annotations

import collections

import msgspec

REMEMBERED = 1_024
"""Senders whose use is remembered; the oldest is forgotten, which gives it a full allowance again."""

BURST_S = 4.0
"""Seconds of the rate that may come at once."""


class Limits(msgspec.Struct, frozen=True):
    """What one request may cost."""

    body_bytes: int = 32 * 1024 * 1024
    """Largest body, in bytes after decompression."""
    records: int = 20_000
    """Largest number of records in one body; kube-apiserver sends 400 by default."""
    body_s: float = 30.0
    """Seconds in which the body must have arrived: the API server's own patience."""
    in_flight_bytes: int = 128 * 1024 * 1024
    """Bytes of all bodies being received at once; beyond it senders are shed."""
    source_bytes_per_s: float = 256.0 * 1024 * 1024
    """Bytes a second that one sender may bring; beyond it that sender is shed."""


class SourceQuota:
    """An allowance for each sender.

    Parameters
    ----------
    bytes_per_s
        Of one sender, sustained.

    Examples
    --------
    >>> quota = SourceQuota(100.0)
    >>> [quota.allow("10.0.0.1", 300, now_s=0.0) for _ in range(3)], quota.allow("10.0.0.2", 300, now_s=0.0)
    ([True, True, False], True)
    >>> quota.allow("10.0.0.1", 300, now_s=9.0)
    True
    """

    def __init__(self, bytes_per_s: float) -> None:
        self._rate = bytes_per_s
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def allow(self, sender: str, octets: int, *, now_s: float) -> bool:
        """Take an allowance, or say that there is none left; one body may always overdraw it."""
        most = self._rate * BURST_S
        left, at_s = self._left.pop(sender, (most, now_s))
        left = min(most, left + max(0.0, now_s - at_s) * self._rate)
        allowed = left > 0.0
        self._left[sender] = (left - octets if allowed else left, max(at_s, now_s))
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return allowed
