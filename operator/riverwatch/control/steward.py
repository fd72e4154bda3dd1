"""The control thread: waits for the API server, reads everything once, then keeps house at intervals.

Order at start: who are we (to leave our own requests out), are our kinds installed, what do policies, rules and
inventory say now; only then the operator is ready and kopf's watches take over. Later: list everything again now and
then, because a watch that broke off never tells what was deleted meanwhile; expire and delete old detections. An API
server that is away, at start or later, is waited for; the worker judges on with what it knows.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable

from riverwatch import clock, errors
from riverwatch.control import access, watched, watches
from riverwatch.kube import resources
from riverwatch.runtime import context as contexts
from riverwatch.runtime import worker_identity

_log = logging.getLogger(__name__)

DELAYS_S = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts at start; the last one repeats."""

FIRST_CHORE_S = 5.0
"""Seconds after the start at which each chore is done for the first time."""

API = "api-server"
"""Part of readiness: the API server answered and knows us."""

SYNCED = "watches"
"""Part of readiness: policies, rules and inventory were read and reached the worker."""

SETTLE_S = 60.0
"""Seconds that the worker may take to apply what the first lists brought."""


@dataclasses.dataclass
class Chore:
    """Something done at intervals on the control thread."""

    name: str
    every_s: float
    run: Callable[[], object]
    due_s: float = 0.0


class Steward:
    """Owns the control thread.

    Parameters
    ----------
    context
        Shared objects.
    followers
        Told of every object.
    chores
        Done at intervals, after the start.
    """

    def __init__(
        self, context: contexts.Context, followers: Iterable[watched.Follower], *, chores: Iterable[Chore]
    ) -> None:
        self._context = context
        self._followers = tuple(followers)
        self._chores = list(chores)
        self._watches = watches.Watches(context.connection, self._followers)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        context.readiness.wait_for(API, "not reached yet")
        context.readiness.wait_for(SYNCED, "not read yet")

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="steward", daemon=True)
        self._thread.start()

    def stop(self, *, within_s: float) -> None:
        """End watches and thread."""
        self._stop.set()
        self._watches.stop(within_s=within_s)
        if self._thread is not None:
            self._thread.join(within_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def sync(self) -> None:
        """List every followed kind, hand objects on and forget what is gone.

        Raises
        ------
        ApiTemporaryError, ApiPermanentError
            As the API server answers.
        """
        by_resource: dict[resources.Resource, list[watched.Follower]] = {}
        for follower in self._followers:
            for resource in follower.follows:
                by_resource.setdefault(resource, []).append(follower)
        for resource, followers in by_resource.items():
            before = {id(follower): set(follower.known(resource)) for follower in followers}
            present: set[watched.Key] = set()
            for body in self._context.client.list(resource):
                present.add(watched.key_of(body))
                watches.tell(resource, followers, body, gone=False)
            for follower in followers:
                # Only what was known before the list began: a newer object may have come by watch meanwhile.
                for key in before[id(follower)] - present:
                    follower.forget(resource, key)

    def _run(self) -> None:
        if not self._retry(self._introduce, part=API) or not self._retry(self._first_sync, part=SYNCED):
            return
        self._watches.start()
        time: clock.Clock = self._context.time
        for chore in self._chores:
            chore.due_s = time.monotonic_s() + min(chore.every_s, FIRST_CHORE_S)
        while self._chores:
            nearest_s = min(chore.due_s for chore in self._chores) - time.monotonic_s()
            if self._stop.wait(max(0.05, nearest_s)):
                return
            for chore in self._chores:
                if chore.due_s <= time.monotonic_s():
                    self._do(chore)
                    chore.due_s = time.monotonic_s() + chore.every_s

    def _introduce(self) -> None:
        """Learn our own identity."""
        own = worker_identity.from_review(self._context.client.whoami(), access.operations())
        self._context.worker.exclude(own)
        _log.info("API server reached", extra={"username": own.username if own else "unknown"})

    def _first_sync(self) -> None:
        """Read everything for the first time and wait until the worker has it."""
        self.sync()
        rows = self._context.housekeeper.refresh()
        self._context.announcer.adopt(self._context.housekeeper.announced(rows))
        if not self._context.worker.settle(within_s=SETTLE_S):
            raise errors.ApiTemporaryError("the worker has not taken over the first lists yet")
        self._context.worker.release()
        _log.info(
            "cluster read", extra={"count": sum(len(list(f.known(r))) for f in self._followers for r in f.follows)}
        )

    def _retry(self, step: Callable[[], None], *, part: str) -> bool:
        """Do a step until it works; False when the process stops first."""
        attempt = 0
        while not self._stop.is_set():
            try:
                step()
            except (errors.TemporaryError, errors.PermanentError) as error:
                self._context.readiness.wait_for(part, explain(error))
                if attempt in (0, 5) or attempt % 60 == 0:
                    _log.warning("waiting for the API server", extra={"cause": explain(error), "attempts": attempt + 1})
            else:
                self._context.readiness.done(part)
                return True
            if self._stop.wait(DELAYS_S[min(attempt, len(DELAYS_S) - 1)]):
                return False
            attempt += 1
        return False

    def _do(self, chore: Chore) -> None:
        try:
            chore.run()
        except (errors.TemporaryError, errors.PermanentError) as error:
            _log.warning("a chore waits for the API server", extra={"step": chore.name, "cause": str(error)})
        except Exception:  # noqa: BLE001 - the next chores must still be done
            _log.exception("a chore failed", extra={"step": chore.name})


def explain(error: Exception) -> str:
    """Say what is wrong and, where it is known, what to do."""
    text = str(error)
    if isinstance(error, errors.ApiPermanentError):
        if error.status == 404 and resources.GROUP in text:
            return f"the custom resources are not installed; run kubectl apply -f crds/ ({text})"
        if error.status == 403:
            return f"not allowed; apply manifests/rbac.yaml ({text})"
    return text
