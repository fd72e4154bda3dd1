"""Who can act as whom: the credential, address and program of every identity at this moment.

``Act -> world.Session``. People, nodes and the scheduler show certificates; pipelines and controllers tokens of their
own; workloads the token of one of their pods. Called by `player` (through `recorder`) and by `scene`.
"""

from __future__ import annotations

import pathlib

import msgspec

from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.company import commons, model, people, system, teams
from riverwatch.lab.controlplane import certificates
from riverwatch.lab.life import acts
from riverwatch.lab.recording import cluster

OBSERVER = "lab-observer"
"""User name of the lab's own eyes and hands; all its records are dropped."""

ANONYMOUS = "system:anonymous"
"""Who asks without a credential."""

BALANCER_IP = "10.20.0.41"
"""Address of the load balancer that checks the API server's health."""

BALANCER_AGENT = "ELB-HealthChecker/2.0"
"""Its user agent."""

CONTROLLER_AGENT = "kube-controller-manager/v0.0.0 (linux/amd64) kubernetes/$Format/system:serviceaccount:kube-system:"
"""User agent of a controller, without its name."""


class Cast:
    """Sessions of everybody.

    Parameters
    ----------
    folder
        The control plane's certificates.
    follower
        Knows the pods.
    """

    def __init__(self, folder: pathlib.Path, follower: cluster.Cluster) -> None:
        self._authority = certificates.Authority(folder)
        self._cluster = follower
        self._tokens: dict[str, str] = {}
        self._pairs: dict[str, base.Credential] = {}
        self._people = {person.username: person for person in people.PEOPLE}
        self._pipelines = {pipeline.username: pipeline for pipeline in people.PIPELINES}
        self._workloads = {
            workload.username: workload for workload in (*commons.WORKLOADS, *teams.WORKLOADS) if workload.account
        }

    def know_token(self, username: str, token: str) -> None:
        """Keep the token of an account that no pod of ours holds."""
        self._tokens[username] = token

    def know_workload(self, workload: model.Workload) -> None:
        """Take in a workload that came later."""
        self._workloads[workload.username] = workload

    def certificate(self, username: str, groups: tuple[str, ...]) -> base.Credential:
        """Give somebody's client certificate."""
        if username not in self._pairs:
            stem = username.replace(":", "-").replace("@", "-at-")
            pair = self._authority.issue_client(stem, username, groups)
            self._pairs[username] = base.Credential(certificate_file=str(pair.certificate), key_file=str(pair.key))
        return self._pairs[username]

    def session(self, act: acts.Act, who: str) -> world.Session | None:
        """Give the session in which a call of an act happens; ``None`` when nobody can send it now.

        Parameters
        ----------
        act
            The act.
        who
            User name of whoever sends the call.
        """
        found = self.session_of(who, act.replica)
        if found is None or who != act.who or not (act.agent or act.address):
            return found
        return msgspec.structs.replace(
            found, user_agent=act.agent or found.user_agent, source_ip=act.address or found.source_ip
        )

    def session_of(self, who: str, replica: int = 0) -> world.Session | None:
        """Give a session of an identity.

        Parameters
        ----------
        who
            User name.
        replica
            Which of its pods or machines.
        """
        if who in self._workloads:
            workload = self._workloads[who]
            return self._cluster.pod_session(workload.namespace, workload.account, replica, workload.agent)
        if who in self._pipelines:
            pipeline = self._pipelines[who]
            address = f"{pipeline.network}.{20 + replica % 4}"
            return world.Session(who, base.Credential(token=self._tokens[who]), address, pipeline.agent)
        if who in self._people:
            person = self._people[who]
            return world.Session(who, self.certificate(who, (person.team,)), person.address, person.agent)
        return self._component(who)

    def _component(self, who: str) -> world.Session | None:
        """Give a session of a part of the cluster itself, or of an account known by its token only."""
        if who.startswith("system:node:"):
            machine = self._cluster.machines.get(who.removeprefix("system:node:"))
            if machine is None:
                return None
            return world.Session(
                who, self.certificate(who, ("system:nodes",)), machine.address, machine.agent, node=machine.name
            )
        if who == system.SCHEDULER:
            return world.Session(who, self.certificate(who, ()), system.CONTROL_PLANE_IP, system.SCHEDULER_AGENT)
        if who == ANONYMOUS:
            return world.Session(who, base.Credential(), BALANCER_IP, BALANCER_AGENT)
        namespace, _, name = who.removeprefix("system:serviceaccount:").partition(":")
        if who in self._tokens:
            agent = (
                CONTROLLER_AGENT + name
                if namespace == "kube-system"
                else "kubectl/v1.36.0 (linux/amd64) kubernetes/af3d812"
            )
            return world.Session(who, base.Credential(token=self._tokens[who]), system.CONTROL_PLANE_IP, agent)
        return self._cluster.pod_session(namespace, name, replica=0, agent=teams.PYTHON)
