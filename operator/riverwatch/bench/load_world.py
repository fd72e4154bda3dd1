"""The made-up cluster of the benchmark: who is in it, and what each does every day.

Seed and size -> `World`. Pure. The shape follows what clusters show: a few controllers and kubelets make most requests,
applications repeat a handful of their own, people do varied things now and then.
"""

from __future__ import annotations

import random
import uuid
from typing import Any

import msgspec

NAMESPACE_WORDS = ("orders", "billing", "gateway", "crm", "search", "reports", "catalog", "mail", "stock", "auth")
STAGES = ("prod", "staging", "dev", "test", "demo")

CONTROLLERS = (
    "replicaset-controller",
    "deployment-controller",
    "endpointslice-controller",
    "cronjob-controller",
    "namespace-controller",
    "generic-garbage-collector",
    "node-controller",
    "statefulset-controller",
    "resourcequota-controller",
    "daemon-set-controller",
)
DAEMONS = ("kube-proxy", "coredns", "cni-agent", "csi-driver", "metrics-server", "log-shipper")

APP_AGENTS = (
    "kubernetes-client/6.13 okhttp/4.12",
    "client-go/v0.34.1 (linux/amd64) kubernetes/abc1234",
    "OpenAPI-Generator/31.0.0/python",
    "kube-rs/0.96",
)
PERSON_AGENTS = ("kubectl/v1.34.1 (linux/amd64) kubernetes/abc1234", "k9s/v0.40 (linux/amd64)", "Lens/2026.1")

NODE_SHARE = 0.2
"""Share of the identities that are nodes."""

PERSON_SHARE = 0.1
"""Share of the identities that are people."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the cluster is and how much happens."""

    records: int = 100_000
    identities: int = 202
    namespaces: int = 50


class Habit(msgspec.Struct, frozen=True):
    """One thing that an identity does again and again."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    names: tuple[str, ...] = ("",)
    weight: float = 1.0
    level: str = "Metadata"
    body: str = ""
    """Kind of the body at levels above Metadata."""
    code: int = 200


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with habits."""

    username: str
    uid: str
    groups: tuple[str, ...]
    agent: str
    addresses: tuple[str, ...]
    habits: tuple[Habit, ...]
    namespace: str = ""
    name: str = ""
    pod: str = ""
    node: str = ""
    credential: str = ""
    weight: float = 1.0


class World(msgspec.Struct, frozen=True):
    """Everybody and everything."""

    namespaces: tuple[str, ...]
    nodes: tuple[str, ...]
    identities: tuple[Identity, ...]

    @property
    def apps(self) -> list[Identity]:
        """Applications' service accounts."""
        return [one for one in self.identities if one.name.startswith("app-")]

    @property
    def people(self) -> list[Identity]:
        """Human users."""
        return [one for one in self.identities if "@" in one.username]


def build(size: Size, rng: random.Random) -> World:
    """Make the cluster."""
    namespaces = tuple(
        f"{NAMESPACE_WORDS[n % len(NAMESPACE_WORDS)]}-{STAGES[n // len(NAMESPACE_WORDS) % len(STAGES)]}"
        + (f"-{n // 50}" if n >= 50 else "")
        for n in range(max(1, size.namespaces - 1))
    )
    nodes = tuple(f"node-{n:03}.cluster.internal" for n in range(max(1, int(size.identities * NODE_SHARE))))
    people_count = min(200, max(2, int(size.identities * PERSON_SHARE)))
    system = [_controller(name, rng) for name in CONTROLLERS]
    system += [_daemon(name, nodes, rng) for name in DAEMONS]
    kubelets = [_kubelet(node, index, namespaces, rng) for index, node in enumerate(nodes)]
    people = [_person(n, namespaces, rng) for n in range(people_count)]
    rest = max(1, size.identities - len(system) - len(kubelets) - len(people))
    apps = [_app(n, namespaces[n % len(namespaces)], nodes, rng) for n in range(rest)]
    return World(namespaces, nodes, tuple(system + kubelets + people + apps))


def identifier(rng: random.Random) -> str:
    """Return a made-up UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def pod_name(owner: str, rng: random.Random) -> str:
    """Return a name as a ReplicaSet gives one."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return f"{owner}-{''.join(rng.choices(letters, k=9))}-{''.join(rng.choices(letters, k=5))}"


def _address(rng: random.Random, net: str) -> str:
    return f"{net}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _account(namespace: str, name: str, rng: random.Random) -> dict[str, Any]:
    return {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "uid": identifier(rng),
        "groups": ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
        "namespace": namespace,
        "name": name,
        "credential": f"JTI={identifier(rng)}",
    }


def _controller(name: str, rng: random.Random) -> Identity:
    habits = (
        Habit("update", "leases", "coordination.k8s.io", "", "kube-system", (name,), 3.0),
        Habit("update", "endpointslices", "discovery.k8s.io", "", "*", ("web", "api", "db"), 2.0, "Request", "slice"),
        Habit("create", "pods", "", "", "*", ("",), 1.2, "RequestResponse", "pod", 201),
        Habit("patch", "replicasets", "apps", "status", "*", ("web", "api"), 0.6, "Request", "patch"),
        Habit("create", "events", "", "", "*", ("",), 0.8, "Metadata", "", 201),
        Habit("watch", "pods", "", "", "", ("",), 0.5),
    )
    return Identity(
        **_account("kube-system", name, rng),
        agent="kube-controller-manager/v1.34.1 (linux/amd64) kubernetes/abc1234/system:serviceaccount:kube-system:"
        + name,
        addresses=("10.0.0.10",),
        habits=habits,
        weight=6.0,
    )


def _daemon(name: str, nodes: tuple[str, ...], rng: random.Random) -> Identity:
    habits = (
        Habit("get", "leases", "coordination.k8s.io", "", "kube-system", (name,), 2.0),
        Habit("watch", "services", "", "", "", ("",), 1.0),
        Habit("list", "nodes", "", "", "", ("",), 1.0),
        Habit("patch", "nodes", "", "status", "", nodes, 1.0, "Request", "patch"),
    )
    return Identity(
        **_account("kube-system", name, rng),
        agent=f"{name}/v1.34.1 (linux/amd64) kubernetes/abc1234",
        addresses=tuple(_address(rng, "10.9") for _ in range(min(8, len(nodes)))),
        habits=habits,
        pod=pod_name(name, rng),
        node=rng.choice(nodes),
        weight=4.0,
    )


def _kubelet(node: str, index: int, namespaces: tuple[str, ...], rng: random.Random) -> Identity:
    mine = tuple(rng.sample(namespaces, min(4, len(namespaces))))
    habits = [
        Habit("update", "leases", "coordination.k8s.io", "", "kube-node-lease", (node,), 4.0),
        Habit("patch", "nodes", "", "status", "", (node,), 1.0, "Request", "status"),
        Habit("get", "nodes", "", "", "", (node,), 1.0),
        Habit("create", "events", "", "", mine[0], ("",), 0.6, "Request", "note", 201),
    ]
    for namespace in mine:
        habits += [
            Habit("patch", "pods", "", "status", namespace, ("web-0", "api-0"), 0.6, "Request", "patch"),
            Habit("get", "configmaps", "", "", namespace, ("kube-root-ca.crt",), 0.4),
            Habit("create", "serviceaccounts", "", "token", namespace, ("default",), 0.4, "Metadata", "", 201),
        ]
    return Identity(
        username=f"system:node:{node}",
        uid="",
        groups=("system:nodes", "system:authenticated"),
        agent="kubelet/v1.34.1 (linux/amd64) kubernetes/abc1234",
        addresses=(f"10.0.{1 + index // 250}.{index % 250 + 1}",),
        habits=tuple(habits),
        node=node,
        credential=f"X509SHA256={rng.getrandbits(256):064x}",
        weight=3.0,
    )


def _person(number: int, namespaces: tuple[str, ...], rng: random.Random) -> Identity:
    habits = []
    for namespace in rng.sample(namespaces, min(5, len(namespaces))):
        habits += [
            Habit("list", "pods", "", "", namespace, ("",), 3.0),
            Habit("get", "deployments", "apps", "", namespace, ("web", "api"), 2.0),
            Habit("get", "pods", "", "log", namespace, ("web-0", "api-0"), 2.0),
            Habit("patch", "deployments", "apps", "", namespace, ("web",), 0.5, "RequestResponse", "patch"),
            Habit("get", "secrets", "", "", namespace, ("web-settings",), 0.05),
        ]
    return Identity(
        username=f"person-{number:03}@example.com",
        uid=identifier(rng),
        groups=("engineers", "system:authenticated"),
        agent=rng.choice(PERSON_AGENTS),
        addresses=(_address(rng, "172.20"),),
        habits=tuple(habits),
        weight=0.3,
    )


def _app(number: int, namespace: str, nodes: tuple[str, ...], rng: random.Random) -> Identity:
    name = f"app-{number:03}"
    kinds = [
        Habit("get", "configmaps", "", "", namespace, tuple(f"configmap-{n}" for n in range(rng.randrange(1, 6)))),
        Habit("list", "pods", "", "", namespace, ("",)),
        Habit("watch", "configmaps", "", "", namespace, ("",)),
        Habit("get", "services", "", "", namespace, (f"{name}-api", f"{name}-db")),
        Habit("update", "leases", "coordination.k8s.io", "", namespace, (name,), 2.0),
        Habit("get", "secrets", "", "", namespace, (f"{name}-tls",), 0.2),
        Habit("patch", "configmaps", "", "", namespace, (f"{name}-state",), 0.5, "RequestResponse", "patch"),
        Habit("create", "tokenreviews", "authentication.k8s.io", "", "", ("",), 0.3, "Metadata", "", 201),
        Habit("get", "endpoints", "", "", namespace, (name,)),
        Habit("create", "events", "", "", namespace, ("",), 0.3, "Request", "note", 201),
    ]
    return Identity(
        **_account(namespace, name, rng),
        agent=rng.choice(APP_AGENTS),
        addresses=(_address(rng, "10.80"), *([_address(rng, "10.80")] if rng.random() < 0.3 else [])),
        habits=tuple(rng.sample(kinds, rng.randrange(3, 7))),
        pod=pod_name(name, rng),
        node=rng.choice(nodes),
        weight=rng.paretovariate(1.2),
    )
