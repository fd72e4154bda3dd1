"""Which replica keeps house: a coordination.k8s.io Lease, as other controllers use it.

Every replica receives, judges and writes detections, because their names are the same whoever writes them. What would
only be done twice (expiring, deleting, reporting model states) is the leader's. `decide` is pure; `Leader.step`
reads, decides and writes, and is called again and again by the steward. Two replicas that believe to lead for a
moment do no harm.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any

from riverwatch import clock, errors
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources

_log = logging.getLogger(__name__)

NAME = "riverwatch"
"""Name of the Lease."""

LEASE_S = 30
"""Seconds for which a leader that says nothing more still leads."""

STEP_S = 7.0
"""Seconds between two looks; a leader may miss three."""


class Move(enum.StrEnum):
    """What a look at the Lease leads to."""

    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


@dataclasses.dataclass(frozen=True)
class Seen:
    """A state of the Lease and when this replica first saw it; clocks of others are not trusted."""

    holder: str
    renewed: str
    """`spec.renewTime`, compared only with itself."""
    since_s: float
    """Our monotonic seconds."""


def decide(seen: Seen, *, me: str, now_s: float) -> Move:
    """Decide what to do about a Lease.

    Examples
    --------
    >>> decide(Seen("other", "t", since_s=100.0), me="me", now_s=110.0).value
    'wait'
    >>> decide(Seen("other", "t", since_s=100.0), me="me", now_s=131.0).value
    'take'
    """
    if seen.holder == me:
        return Move.RENEW
    if not seen.holder or now_s - seen.since_s > LEASE_S:
        return Move.TAKE
    return Move.WAIT


class Leader:
    """Takes part in the election.

    Parameters
    ----------
    client
        API server.
    namespace
        Where the Lease is.
    me
        Name of this replica, unique.
    time
        Clock.
    """

    def __init__(self, client: kube_client.Client, *, namespace: str, me: str, time: clock.Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._me = me
        self._time = time
        self._seen: Seen | None = None
        self._leads_until_s = float("-inf")

    @property
    def leads(self) -> bool:
        """Whether this replica leads now."""
        return self._time.monotonic_s() < self._leads_until_s

    def step(self) -> None:
        """Look at the Lease, and take or renew it when that is right.

        Raises
        ------
        ApiTemporaryError, ApiPermanentError
            As the API server answers; a lead that cannot be renewed ends by itself.
        """
        before = self.leads
        asked_s = self._time.monotonic_s()
        lease = self._read()
        if lease is None:
            done = self._client.create(resources.LEASES, self._body({}, transitions=0))
        else:
            done = self._move(lease)
        if done:
            self._leads_until_s = asked_s + LEASE_S
        elif lease is not None:
            self._leads_until_s = float("-inf")
        if self.leads is not before:
            _log.info("leads now" if self.leads else "leads no more", extra={"username": self._me})

    def resign(self) -> None:
        """Leave the Lease to others at once; failing to is no harm."""
        if not self.leads:
            return
        self._leads_until_s = float("-inf")
        try:
            lease = self._read()
            if lease is not None and (lease.get("spec") or {}).get("holderIdentity") == self._me:
                lease["spec"]["holderIdentity"] = ""
                self._client.replace(resources.LEASES, lease)
        except (errors.TemporaryError, errors.PermanentError) as error:
            _log.info("the lease could not be handed back", extra={"cause": str(error)})

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._client.get(resources.LEASES, namespace=self._namespace, name=NAME)
        except errors.ApiPermanentError as error:
            if error.status == 404:
                return None
            raise

    def _move(self, lease: Mapping[str, Any]) -> bool:
        """Do what the Lease asks for; True when we hold it afterwards."""
        spec = lease.get("spec") or {}
        now_s = self._time.monotonic_s()
        holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
        if self._seen is None or (self._seen.holder, self._seen.renewed) != (holder, renewed):
            self._seen = Seen(holder, renewed, now_s)
        move = decide(self._seen, me=self._me, now_s=now_s)
        if move is Move.WAIT:
            return False
        transitions = int(spec.get("leaseTransitions") or 0) + (move is Move.TAKE)
        self._client.replace(resources.LEASES, self._body(lease, transitions=transitions))
        return True

    def _body(self, lease: Mapping[str, Any], *, transitions: int) -> dict[str, Any]:
        now = clock.rfc3339(self._time.now_s())
        spec = dict(lease.get("spec") or {})
        if spec.get("holderIdentity") != self._me:
            spec["acquireTime"] = now
        spec |= {
            "holderIdentity": self._me,
            "leaseDurationSeconds": LEASE_S,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        metadata = dict(lease.get("metadata") or {}) | {"name": NAME, "namespace": self._namespace}
        return {"apiVersion": resources.LEASES.api_version, "kind": "Lease", "metadata": metadata, "spec": spec}


def instance() -> str:
    """Return the name of this replica: the pod's, else the machine's with the process."""
    return os.environ.get("HOSTNAME") or f"{socket.gethostname()}-{os.getpid()}"
