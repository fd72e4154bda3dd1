"""kopf's settings and login: no persistence on watched objects, no posting, own names, retry for ever.

kopf only watches for us. Nothing it does may write to an object: handlers are of the kind that keeps no notes
(`on.event` without persistence), and should one of another kind ever be added, its notes would go to our own status
and prefix.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import kopf

from riverwatch.kube import connection as connections
from riverwatch.kube import resources

BACKOFFS_S = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts of kopf's own requests; the last one repeats for ever."""

PAGE_SIZE = 500
"""Objects in one page of an initial list."""

CONNECT_S = 10.0
"""Seconds in which a connection must be made."""


class Endless:
    """Delays that never end; iterated anew for each request."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain(BACKOFFS_S, itertools.repeat(BACKOFFS_S[-1]))


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.persistence.finalizer = f"{resources.GROUP}/finalizer"
    chosen.persistence.progress_storage = kopf.StatusProgressStorage(field="status.kopf")
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=resources.GROUP, key="last-seen")
    chosen.networking.error_backoffs = Endless()
    chosen.networking.connect_timeout = CONNECT_S
    chosen.networking.request_timeout = 60.0
    chosen.watching.chunk_size = PAGE_SIZE
    chosen.watching.connect_timeout = CONNECT_S
    chosen.watching.reconnect_backoff = 1.0
    chosen.queueing.idle_timeout = 1.0
    chosen.scanning.disabled = False
    return chosen


def login(connection: connections.Connection) -> kopf.ConnectionInfo:
    """Give kopf the credentials in force now; it asks again after a 401."""
    return kopf.ConnectionInfo(
        server=connection.server,
        ca_path=connection.ca_file,
        insecure=connection.insecure or None,
        certificate_path=connection.certificate_file,
        private_key_path=connection.key_file,
        token=connection.current_token(),
        default_namespace=connection.namespace or None,
    )
