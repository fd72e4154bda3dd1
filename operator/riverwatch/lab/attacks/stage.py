"""A small cast on any cluster: namespaces, workloads, secrets and identities with the rights their parts have in life.

``director's credential -> Stage`` (a `base.Scene`). `Stage.build` makes it all, `Stage.strike` removes it, however far
building got. A narrow stage is one namespace with namespaced rights; a wide one has a second namespace, cluster roles,
people and nodes. Used by `lab attack` and by the contract suite; recordings bring a scene of their own.
"""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable, Sequence

import msgspec

from riverwatch import errors
from riverwatch.lab.attacks import base, cast, session
from riverwatch.lab.controlplane import processes

TOKEN_LIFE_S = 3600
"""Life of the tokens of the cast, seconds: what kubelets ask for."""

STRANGERS = ("185.220.101.47", "45.155.205.99", "91.92.240.18", "194.26.192.64")
"""Addresses that attackers come from; kube-apiserver sees them through the forwarding header."""

PODS = ("10.244.1.17", "10.244.2.41", "10.244.0.93")
"""Addresses of pods that attackers sit in."""

DEFAULT_ACCOUNT_S = 60.0
"""Longest wait for a new namespace's default account, seconds: controllers of a busy cluster take their time."""

Issuer = Callable[[str, tuple[str, ...]], base.Credential]
"""Gives a user with groups a client certificate."""


class Director(msgspec.Struct, frozen=True):
    """How to reach the cluster, and with whose rights."""

    server: str
    authority_file: str
    identity: base.Identity


class Stage:
    """A scene built by `build`.

    Parameters
    ----------
    director
        How to reach the cluster.
    namespace
        The namespace of its own; further ones carry its name as their start.
    wide
        Whether it may reach beyond one namespace.
    """

    outside_ips: Sequence[str] = STRANGERS
    pod_ips: Sequence[str] = PODS

    def __init__(self, director: Director, *, namespace: str, wide: bool) -> None:
        self.server = director.server
        self.authority_file = director.authority_file
        self.director = director.identity
        self.namespace = namespace
        self.wide = wide
        self._cast: list[base.Identity] = []
        self._made: list[str] = []
        self._chief = session.Session(
            session.Wire(scene=self, rng=random.Random(), clock=lambda: 0.0, observer=lambda _sent: None),
            director.identity,
            manner=session.Manner(source_ip="", user_agent=director.identity.user_agent, pace_s=(0.0, 0.0)),
            purpose=base.Purpose.PREPARE,
        )

    def identities(self, part: base.Part) -> Sequence[base.Identity]:
        """Everybody who plays a part."""
        return [identity for identity in self._cast if identity.part is part]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces that belong to this stage."""
        return (self.namespace, f"{self.namespace}-b") if self.wide else (self.namespace,)

    def build(self, issue: Issuer | None = None) -> None:
        """Create everything.

        Parameters
        ----------
        issue
            Makes client certificates for people and nodes; without it people are played by service accounts and
            nobody plays a node.

        Raises
        ------
        BadInputError
            When the director may not create something; what was made is left for `strike`.
        """
        for namespace in self.namespaces:
            self._make("/api/v1/namespaces", cast.namespace(namespace))
            self._wait_for_default(namespace)
            for collection, body in cast.furniture(namespace):
                self._make(collection, body)
        for role in cast.ROLES:
            if role.wide and not self.wide:
                continue
            self._make_actor(role, issue)
        if self.wide and issue is not None:
            self._make_nodes(issue)

    def strike(self) -> list[str]:
        """Remove everything that `build` made, newest first, and say what could not be removed."""
        left: list[str] = []
        for path in reversed(self._made):
            answer = self._chief.delete(path, {"propagationPolicy": "Background"}).action()
            if not answer.ok and answer.status != 404:
                left.append(f"{path}: {answer.status}")
        self._made.clear()
        self._cast.clear()
        self._chief.close()
        return left

    def _make(self, collection: str, body: dict[str, object]) -> base.Answer:
        """Create one object and remember to remove it."""
        answer = self._chief.create(collection, body).action()
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        path = f"{collection}/{metadata['name']}"
        if answer.status == 409:
            raise errors.BadInputError("exists already; choose another namespace for the stage", where=path)
        if not answer.ok:
            raise errors.BadInputError(f"cannot be created: {answer.at('message') or answer.status}", where=path)
        # What lies in a namespace goes with it.
        if "/namespaces/" not in collection:
            self._made.append(path)
        return answer

    def _wait_for_default(self, namespace: str) -> None:
        """Wait for the namespace's default account, without which no pod is admitted."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        try:
            processes.wait(lambda: self._chief.get(path).action().ok, timeout_s=DEFAULT_ACCOUNT_S, what=path)
        except TimeoutError as problem:
            raise errors.BadInputError(
                "was not made; is the cluster's controller manager running?", where=path
            ) from problem

    def _make_actor(self, role: cast.Role, issue: Issuer | None) -> None:
        """Create one member of the cast with its rights."""
        for namespace in self.namespaces if role.everywhere_at_home else self.namespaces[:1]:
            username = f"system:serviceaccount:{namespace}:{role.name}"
            person = role.person and issue is not None
            if person:
                username = f"{role.name}@{namespace}.example"
            else:
                self._make(f"/api/v1/namespaces/{namespace}/serviceaccounts", cast.service_account(role.name))
            for collection, body in cast.rights(role, username, namespace, wide=self.wide):
                self._make(collection, body)
            pod = "" if role.person or role.outside else self._make_pod(role, namespace)
            if person and issue is not None:
                credential = issue(username, role.groups)
            else:
                credential = base.Credential(token=self._token(namespace, role.name, pod))
            self._cast.append(
                base.Identity(
                    username=username,
                    part=role.part,
                    namespace=namespace,
                    credential=credential,
                    source_ip=role.source_ip,
                    user_agent=role.user_agent,
                    pod=pod,
                    namespaces=self.namespaces if role.wide else (namespace,),
                )
            )

    def _make_pod(self, role: cast.Role, namespace: str) -> str:
        """Create the pod to which a workload's token is bound."""
        name = f"{role.name}-0"
        self._make(f"/api/v1/namespaces/{namespace}/pods", cast.pod(name, role.name))
        return name

    def _make_nodes(self, issue: Issuer) -> None:
        """Create a node with a kubelet's certificate and a pod on it that mounts a secret."""
        name = f"{self.namespace}-worker-1"
        self._make("/api/v1/nodes", cast.node(name))
        username = f"system:node:{name}"
        self._make(f"/api/v1/namespaces/{self.namespace}/pods", cast.placed_pod("reports-worker-0", name))
        self._cast.append(
            base.Identity(
                username=username,
                part=base.Part.NODE,
                namespace="",
                credential=issue(username, ("system:nodes",)),
                source_ip=cast.NODE_ADDRESS,
                user_agent="kubelet/v1.36.3 (linux/amd64) kubernetes/0a1b2c3",
                node=name,
                namespaces=(self.namespace,),
            )
        )

    def _token(self, namespace: str, account: str, pod: str) -> str:
        """Have a token made for a service account, bound to its pod if there is one."""
        spec: dict[str, object] = {"expirationSeconds": TOKEN_LIFE_S}
        if pod:
            found = self._chief.get(f"/api/v1/namespaces/{namespace}/pods/{pod}").action()
            uid = found.at("metadata", "uid")
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = self._chief.create(path, body).action()
        if not answer.ok:
            raise errors.BadInputError(f"no token: {answer.at('message')}", where=f"{namespace}/{account}")
        return answer.at("status", "token")


def certificate(certificate_file: pathlib.Path, key_file: pathlib.Path) -> base.Credential:
    """Make a credential of a client certificate."""
    return base.Credential(certificate_file=str(certificate_file), key_file=str(key_file))
