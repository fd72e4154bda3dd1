"""The recorded company as attacks see it: who plays which part, with which live credential.

``Cast -> attacks.base.Scene``. Read from the threads in which attacks run: it only copies what others change. Called
by `weaving`.
"""

from __future__ import annotations

from collections.abc import Sequence

from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.company import commons, people, teams
from riverwatch.lab.recording import cast, cluster

OUTSIDE = ("185.220.101.47", "45.148.10.92", "91.240.118.172", "193.32.162.15", "104.28.214.9", "146.70.87.214")
"""Addresses that attackers use: rented machines, exits of anonymisers, a neighbour's connection."""


class Company:
    """The scene of a recording.

    Parameters
    ----------
    server
        Address of the API server.
    authority_file
        PEM file of its CA.
    actors
        Who can act as whom.
    follower
        Knows the pods.
    observer
        The lab's own session; it prepares and cleans up.
    """

    def __init__(
        self, server: str, authority_file: str, *, actors: cast.Cast, follower: cluster.Cluster, observer: world.Session
    ) -> None:
        self._server = server
        self._authority_file = authority_file
        self._cast = actors
        self._cluster = follower
        self._observer = observer

    @property
    def server(self) -> str:
        """Address of the API server."""
        return self._server

    @property
    def authority_file(self) -> str:
        """PEM file of the CA of the API server."""
        return self._authority_file

    @property
    def director(self) -> base.Identity:
        """Who prepares and cleans up; its requests are kept out of recordings."""
        who = self._observer
        return base.Identity(who.username, base.Part.ADMIN, "", who.credential, who.source_ip, who.user_agent)

    @property
    def outside_ips(self) -> Sequence[str]:
        """Addresses outside the cluster and the company."""
        return OUTSIDE

    @property
    def pod_ips(self) -> Sequence[str]:
        """Addresses of pods an attacker may sit in."""
        return [pod.address for pod in self._cluster.pods() if pod.address.startswith("10.244.")]

    def identities(self, part: base.Part) -> Sequence[base.Identity]:
        """Everybody who plays a part and can act now, in a fixed order."""
        found: list[tuple[str, str, tuple[str, ...]]] = [
            (workload.username, workload.namespace, (workload.namespace,))
            for workload in (*commons.WORKLOADS, *teams.WORKLOADS)
            if workload.part is part
        ]
        found += [(one.username, one.namespaces[0], one.namespaces) for one in people.PIPELINES if one.part is part]
        staff = [(one.username, one.namespaces or teams.NAMESPACES) for one in people.PEOPLE if one.part is part]
        found += [(username, spaces[0], spaces) for username, spaces in staff]
        if part is base.Part.NODE:
            found += [(machine.username, "", ()) for machine in list(self._cluster.machines.values())]
        return [identity for entry in found if (identity := self._identity(part, *entry)) is not None]

    def _identity(
        self, part: base.Part, username: str, namespace: str, spaces: tuple[str, ...]
    ) -> base.Identity | None:
        """Give one identity with its present credential."""
        session = self._cast.session_of(username)
        if session is None:
            return None
        return base.Identity(
            username, part, namespace, session.credential, session.source_ip, session.user_agent,
            pod=session.pod, node=session.node, namespaces=spaces,
        )  # fmt: skip
