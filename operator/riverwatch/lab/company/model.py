"""The words in which the company is written down: workloads, people, pipelines and the rights they are granted.

Plain data; `teams`, `commons` and `people` fill it in, `founding` makes it real, `life` gives it habits.
"""

from __future__ import annotations

import msgspec

from riverwatch.lab.attacks import base

REGISTRY = "registry.halden.example"
"""Where the company's own images come from."""

EVERYWHERE = "*"
"""In `Grant.namespaces`: a ClusterRole with a ClusterRoleBinding."""

READ = ("get", "list", "watch")
"""Verbs of an informer."""

WRITE = ("create", "update", "patch", "delete")
"""Verbs of a controller."""


class Grant(msgspec.Struct, frozen=True):
    """One RBAC rule and where it holds."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    group: str = ""
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    """Namespaces; empty for the account's own, `EVERYWHERE` for all."""
    paths: tuple[str, ...] = ()
    """Non-resource URLs."""


class Workload(msgspec.Struct, frozen=True):
    """Pods that run all the time, and the service account they act as."""

    namespace: str
    name: str
    replicas: int = 1
    account: str = ""
    """Service account; empty for the namespace's `default`, which acts not at all."""
    agent: str = ""
    image: str = ""
    part: base.Part | None = None
    habits: tuple[str, ...] = ()
    """Names of habits in `life`."""
    grants: tuple[Grant, ...] = ()
    secrets: tuple[str, ...] = ()
    configmaps: tuple[str, ...] = ()
    daemon: bool = False
    """Whether one pod runs on every node."""
    host_network: bool = False

    @property
    def username(self) -> str:
        """User name in records."""
        return username(self.namespace, self.account or "default")


class Pipeline(msgspec.Struct, frozen=True):
    """A service account used from outside the cluster with a token that is bound to no pod."""

    namespace: str
    account: str
    agent: str
    network: str
    """First three parts of the addresses it comes from."""
    part: base.Part
    namespaces: tuple[str, ...]
    """Where it deploys."""
    grants: tuple[Grant, ...]

    @property
    def username(self) -> str:
        """User name in records."""
        return username(self.namespace, self.account)


class Person(msgspec.Struct, frozen=True):
    """Somebody with kubectl."""

    name: str
    team: str
    """Group; its RoleBindings name it."""
    namespaces: tuple[str, ...]
    """Where they work."""
    address: str
    agent: str
    part: base.Part
    pace: float = 1.0
    """How much they use kubectl, relative to the others."""

    @property
    def username(self) -> str:
        """User name in records."""
        return f"{self.name}@halden.example"


class Node(msgspec.Struct, frozen=True):
    """A machine and its kubelet."""

    name: str
    address: str
    version: str
    zone: str
    number: int
    """Counts the machines; its pods' addresses come from the network of that number."""

    @property
    def pod_network(self) -> str:
        """First three parts of its pods' addresses."""
        return f"10.244.{self.number}"

    @property
    def username(self) -> str:
        """User name in records."""
        return f"system:node:{self.name}"

    @property
    def agent(self) -> str:
        """User agent of its kubelet."""
        return f"kubelet/{self.version} (linux/amd64) kubernetes/4957b09"


def username(namespace: str, account: str) -> str:
    """Give a service account's user name."""
    return f"system:serviceaccount:{namespace}:{account}"
