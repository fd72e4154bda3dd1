"""Runs kopf in a thread of its own: watch streams -> followers, for ever, started anew should kopf end.

Handlers do nothing but hand the raw body on; followers are quick and never block. No handler returns anything or
touches `patch`, so kopf writes to no object. The pipeline never runs on kopf's event loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import kopf

from riverwatch.control import startup, watched
from riverwatch.kube import connection as connections
from riverwatch.kube import resources

_log = logging.getLogger(__name__)

RESTART_S = (1.0, 5.0, 15.0)
"""Seconds before kopf is started anew after it ended by itself; the last one repeats."""


class Watches:
    """Owns the thread.

    Parameters
    ----------
    connection
        API server.
    followers
        Who is told of what.
    """

    def __init__(self, connection: connections.Connection, followers: Iterable[watched.Follower]) -> None:
        self._connection = connection
        self._followers = tuple(followers)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start watching."""
        self._thread = threading.Thread(target=self._run, name="watches", daemon=True)
        self._thread.start()

    def stop(self, *, within_s: float) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(within_s)

    def registry(self) -> kopf.OperatorRegistry:
        """Build kopf's list of handlers: one login, one per followed kind."""
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, id="login")(self._login)
        by_resource: dict[resources.Resource, list[watched.Follower]] = {}
        for follower in self._followers:
            for resource in follower.follows:
                by_resource.setdefault(resource, []).append(follower)
        for resource, followers in by_resource.items():
            handler = _handler(resource, tuple(followers))
            kopf.on.event(resource.group, resource.version, resource.plural, registry=registry, id=resource.plural)(
                handler
            )
        return registry

    def _login(self, **_: Any) -> kopf.ConnectionInfo:
        return startup.login(self._connection)

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            try:
                asyncio.run(self._operate())
            except Exception:  # noqa: BLE001 - whatever ended kopf, the cluster must be watched on
                _log.exception("watching ended and starts anew")
            if self._stop.wait(RESTART_S[min(attempt, len(RESTART_S) - 1)]):
                return
            attempt += 1

    async def _operate(self) -> None:
        await kopf.operator(
            registry=self.registry(),
            settings=startup.settings(),
            clusterwide=True,
            standalone=True,
            stop_flag=self._stop,
        )


def _handler(resource: resources.Resource, followers: tuple[watched.Follower, ...]) -> Callable[..., Awaitable[None]]:
    """Make the handler of one kind."""

    async def handle(event: Mapping[str, Any], **_: Any) -> None:
        body = event["object"]
        tell(resource, followers, body, gone=event.get("type") == "DELETED")

    return handle


def tell(
    resource: resources.Resource, followers: Iterable[watched.Follower], body: Mapping[str, Any], *, gone: bool
) -> None:
    """Hand an object to its followers; one that raises does not keep it from the others."""
    for follower in followers:
        try:
            if gone:
                follower.forget(resource, watched.key_of(body))
            else:
                follower.take(resource, body)
        except Exception:  # noqa: BLE001 - one odd object must not stop the stream of all others
            _log.exception("an object could not be taken", extra={"object": "/".join(watched.key_of(body))})
