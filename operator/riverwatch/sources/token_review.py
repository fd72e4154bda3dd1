"""Stage 1, receiver: bearer tokens that the cluster itself vouches for (TokenReview), remembered for a short time.

In: a token, and a function that asks the API server whose it is. Out: whether that user may send. Only digests are
kept. A token that the API server does not know is remembered too, and few questions are under way at once, so that a
stranger cannot make us flood it. While the API server is away no new token is accepted; known ones stay for their time.
Used by `audit_webhook` on its event loop; asking runs on threads.
"""

from __future__ import annotations

import asyncio
import collections
import hashlib
import logging
from collections.abc import Callable

from riverwatch import clock, errors

_log = logging.getLogger(__name__)

KNOWN_S = 60.0
"""Seconds for which an answer of the API server holds: a token that is revoked is refused after that."""

REFUSED_S = 10.0
"""Seconds for which a refused token is refused without asking again."""

REMEMBERED = 1_024
"""Tokens remembered; the oldest is forgotten."""

AT_ONCE = 4
"""Questions under way at most."""

LONGEST_CHARS = 16_384
"""Longer tokens are refused unasked; real ones are below 4 kB."""

Ask = Callable[[str], str]
"""Token -> name of its user, empty when the API server does not know it; blocking, raises `TemporaryError`."""


class TokenReviewer:
    """Accepts tokens of certain users.

    Parameters
    ----------
    ask
        Asks the API server.
    users
        Names that may send.
    time
        Clock.
    """

    def __init__(self, ask: Ask, users: frozenset[str], *, time: clock.Clock) -> None:
        self._ask = ask
        self._users = users
        self._time = time
        self._known: collections.OrderedDict[bytes, tuple[bool, float]] = collections.OrderedDict()
        self._free = asyncio.Semaphore(AT_ONCE)

    async def accept(self, token: str) -> bool:
        """Tell whether a token's user may send."""
        if not token or len(token) > LONGEST_CHARS:
            return False
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        remembered = self._remembered(digest)
        if remembered is not None:
            return remembered
        async with self._free:
            remembered = self._remembered(digest)
            if remembered is not None:
                return remembered
            try:
                user = await asyncio.to_thread(self._ask, token)
            except (errors.TemporaryError, errors.PermanentError) as error:
                _log.warning("the API server cannot be asked about a token", extra={"cause": str(error)})
                return False
            accepted = user in self._users
            self._known[digest] = (accepted, self._time.monotonic_s() + (KNOWN_S if accepted else REFUSED_S))
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return accepted

    def _remembered(self, digest: bytes) -> bool | None:
        found = self._known.get(digest)
        if found is None:
            return None
        accepted, until_s = found
        if self._time.monotonic_s() >= until_s:
            del self._known[digest]
            return None
        return accepted
