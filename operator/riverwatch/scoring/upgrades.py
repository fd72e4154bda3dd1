"""Stage 5 helper: which software calls itself by a version that it never had before.

A pod's name tells that its Deployment was given another template, but pods of StatefulSets and DaemonSets keep theirs,
and what runs outside of the cluster has none; most clients say their version, though. Owned by `scoring.judge`, which
is told of every record that is not routine; pure, time comes from records.
"""

from __future__ import annotations

from typing import Any

import msgspec

from riverwatch.activity import identities, record
from riverwatch.features import attributes

UPGRADED_S = 86_400.0
"""Seconds for which another version explains new work."""

SETTLED_S = 2 * 86_400.0
"""Seconds that the version before must have been the newest: what is replaced every day does not change by it."""

MAX_VERSIONS = 4
"""Versions remembered of a client: while it is rolled out two run side by side, and both may come back."""

MAX_CLIENTS = 20_000
"""Identities' clients remembered; the one whose newest version is oldest is forgotten first."""

ANOTHER_VERSION = "its client calls itself by another version since less than a day"
"""Why new work of such software counts less."""


class Client(msgspec.Struct):
    """One client software of one identity."""

    versions: list[str]
    """The newest last."""
    since_s: float
    """Record time at which the newest came."""
    settled: bool = False
    """Whether the one before it had been the newest for long."""


class Upgrades:
    """Clients of all software, and their versions."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}

    def see(self, activity: record.Activity) -> None:
        """Remember the version of a program's client; people have several clients of several versions."""
        version = attributes.agent_version(activity.user_agent)
        if not version or not identities.is_software(activity.principal) or activity.failed:
            return
        key, time_s = _key(activity), activity.time_s
        client = self._clients.get(key)
        if client is None:
            self._keep(key, Client([version], time_s))
        elif version not in client.versions:
            del self._clients[key]
            newest = [*client.versions, version][-MAX_VERSIONS:]
            self._keep(key, Client(newest, time_s, settled=time_s - client.since_s >= SETTLED_S))

    def explains(self, activity: record.Activity) -> str:
        """Say so when the client was given another version within a day; empty when it was not."""
        client = self._clients.get(_key(activity))
        if client is None or not client.settled or activity.time_s - client.since_s > UPGRADED_S:
            return ""
        return ANOTHER_VERSION if attributes.agent_version(activity.user_agent) == client.versions[-1] else ""

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint, the one whose newest version is oldest first."""
        return {key: msgspec.to_builtins(client) for key, client in self._clients.items()}

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self._clients = msgspec.convert(data, dict[str, Client])

    def _keep(self, key: str, client: Client) -> None:
        self._clients[key] = client
        if len(self._clients) > MAX_CLIENTS:
            del self._clients[next(iter(self._clients))]


def _key(activity: record.Activity) -> str:
    return f"{activity.principal.username} {attributes.agent_family(activity.user_agent)}"
