"""Habits that work in bursts: the nightly backup and the builds.

In: a workload. Out: acts. Listed by `controllers`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from riverwatch.lab.company import bodies, commons, model, teams
from riverwatch.lab.life import acts, rhythm, view

BACKUP_HOUR = 1.25
"""Hour of day (UTC) at which the backup starts."""

BACKED_UP = (
    "pods",
    "services",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "persistentvolumeclaims",
    "deployments",
    "replicasets",
    "cronjobs",
    "jobs",
    "ingresses",
    "roles",
    "rolebindings",
    "certificates",
    "externalsecrets",
)
"""What the backup lists in every namespace."""


def backup(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Back everything up at night; check the store every hour."""
    rng = rhythm.seeded(seed, workload.username, "backup")
    for time_s in rhythm.every(rng, span, rhythm.HOUR_S, jitter=0.02):
        status = {"status": {"phase": "Available", "lastValidationTime": int(time_s)}}
        yield acts.Act(
            time_s,
            workload.username,
            acts.calls(acts.patch("backupstoragelocations", workload.namespace, "default", status, sub="status")),
        )
    for time_s in rhythm.daily(rng, span, BACKUP_HOUR, spread_s=40):
        yield acts.Act(time_s, workload.username, back_up(workload, f"daily-{int(time_s)}"))


def back_up(workload: model.Workload, name: str) -> acts.Writer:
    """Make one backup."""

    def write(rng: random.Random) -> acts.Script:
        body = bodies.custom(
            "velero.io/v1", "Backup", name, workload.namespace, {"ttl": "720h0m0s", "includedNamespaces": ["*"]}
        )
        yield acts.create("backups", workload.namespace, body)
        yield acts.listing("namespaces")
        for namespace in ("kube-system", *commons.NAMESPACES, *teams.NAMESPACES):
            for resource in BACKED_UP:
                yield acts.listing(resource, namespace, after_s=rng.uniform(0.1, 1.5))
        yield acts.patch(
            "backups",
            workload.namespace,
            name,
            {"status": {"phase": "Completed"}},
            sub="status",
            after_s=rng.uniform(30, 120),
        )

    return write


def builds(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Run build pods when people push."""
    rng = rhythm.seeded(seed, workload.username, "builds")
    for time_s in rhythm.office(rng, span, 11):
        yield acts.Act(
            time_s,
            workload.username,
            _build(workload, f"runner-{rng.getrandbits(40):010x}-project-{rng.randrange(10, 60)}-concurrent-0"),
        )


def _build(workload: model.Workload, name: str) -> acts.Writer:
    """Make a build pod, attach to it, remove it."""

    def write(rng: random.Random) -> acts.Script:
        namespace = workload.namespace
        builder = model.Workload(namespace, "build", image=f"{model.REGISTRY}/ci/builder:5")
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": bodies.meta(name, namespace),
            "spec": {**bodies.pod_spec(builder), "restartPolicy": "Always"},
        }
        yield acts.create(
            "secrets", namespace, bodies.secret(f"{name}-creds", namespace, {"token": f"{rng.getrandbits(64):x}"})
        )
        yield acts.create("configmaps", namespace, bodies.config_map(f"{name}-scripts", namespace, {"run": "make"}))
        yield acts.create("pods", namespace, pod, settles=True)
        yield acts.get("pods", namespace, name, after_s=3)
        yield acts.get("pods", namespace, name, after_s=6)
        target = acts.path("pods", namespace, name, "attach", container="build", stdin=True, stdout=True, stderr=True)
        yield acts.Call("POST", target, upgrade="SPDY/3.1", after_s=1)
        yield acts.get("pods", namespace, name, after_s=rng.uniform(40, 400))
        yield acts.delete("pods", namespace, name, gracePeriodSeconds=0, settles=True)
        yield acts.delete("secrets", namespace, f"{name}-creds")
        yield acts.delete("configmaps", namespace, f"{name}-scripts")

    return write
