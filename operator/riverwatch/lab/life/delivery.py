"""Releases: pipelines that deploy with Helm from outside the cluster, GitOps syncs, and runs of CronJobs.

In: company data, the cluster's view. Out: acts. Called by `everyday`; happenings reuse the scripts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from riverwatch.lab.company import bodies, founding, model, people, teams
from riverwatch.lab.life import acts, rhythm

RELEASES = 3.2
"""Releases a weekday of each pipeline."""

SYNCS = 2.5
"""Changes a weekday that the GitOps controller rolls out."""

GITOPS = model.username("argocd", "argocd-application-controller")
"""User name of the GitOps controller."""

CRON_CONTROLLER = model.username("kube-system", "cronjob-controller")
"""User name of the controller that starts CronJobs; played, because the real one follows real time."""


def releases(seed: int, span: rhythm.Span) -> Iterator[acts.Act]:
    """Give every pipeline's releases."""
    revisions: dict[str, int] = {}
    for pipeline in people.PIPELINES:
        rng = rhythm.seeded(seed, pipeline.username, "releases")
        mine = [
            workload
            for workload in teams.WORKLOADS
            if workload.namespace in pipeline.namespaces and founding.managed_by(workload) == bodies.HELM
        ]
        trial = [workload for workload in mine if workload.namespace == "proving"]
        for time_s in rhythm.office(rng, span, RELEASES):
            workload = rng.choice(trial if trial and rng.random() < 0.4 else mine)
            yield acts.Act(
                time_s,
                pipeline.username,
                helm_upgrade(workload, revisions, tag=f"1.{rng.randrange(1, 60)}.{rng.randrange(10)}"),
                rng.randrange(4),
            )


def helm_upgrade(workload: model.Workload, revisions: dict[str, int], *, tag: str) -> acts.Writer:
    """Upgrade a Helm release.

    Parameters
    ----------
    workload
        What it installs.
    revisions
        Last revision by release; grows when the script runs.
    tag
        Image tag.
    """

    def write(rng: random.Random) -> acts.Script:
        namespace, name = workload.namespace, workload.name
        last = revisions.get(f"{namespace}/{name}", 1)
        revisions[f"{namespace}/{name}"] = last + 1
        stored = f"sh.helm.release.v1.{name}.v{last + 1}"
        release = bodies.secret(
            stored, namespace, {"release": f"H4sI{rng.getrandbits(96):x}"}, kind="helm.sh/release.v1"
        )
        yield acts.Call("GET", "/version")
        yield acts.listing("secrets", namespace, labelSelector=f"name={name},owner=helm")
        yield acts.get("secrets", namespace, f"sh.helm.release.v1.{name}.v{last}")
        yield acts.get("services", namespace, name, after_s=rng.uniform(0.5, 2))
        yield acts.get("deployments", namespace, name)
        yield acts.create("secrets", namespace, release)
        yield acts.patch("configmaps", namespace, f"{name}-config", {"data": {"release": tag}}, fieldManager="helm")
        container = {"name": name, "image": f"{workload.image.rpartition(':')[0]}:{tag}"}
        change = {"spec": {"template": {"spec": {"containers": [container]}}}}
        yield acts.patch(
            "deployments", namespace, name, change, content_type=acts.STRATEGIC, settles=True, fieldManager="helm"
        )
        for _ in range(rng.randrange(1, 4)):
            yield acts.get("deployments", namespace, name, after_s=rng.uniform(2, 5))
            yield acts.listing("replicasets", namespace, labelSelector=f"app.kubernetes.io/name={name}")
        yield acts.replace("secrets", namespace, stored, release)

    return write


def syncs(seed: int, span: rhythm.Span) -> Iterator[acts.Act]:
    """Give the changes that the GitOps controller rolls out."""
    rng = rhythm.seeded(seed, GITOPS, "syncs")
    mine = [workload for workload in teams.WORKLOADS if founding.managed_by(workload) == "argocd"]
    for time_s in rhythm.office(rng, span, SYNCS):
        yield acts.Act(time_s, GITOPS, sync(rng.choice(mine), tag=f"2.{rng.randrange(1, 60)}.{rng.randrange(10)}"))


def sync(workload: model.Workload, *, tag: str) -> acts.Writer:
    """Apply a workload from Git."""

    def write(rng: random.Random) -> acts.Script:
        namespace = workload.namespace
        body = bodies.deployment(workload, tag=tag, managed_by="argocd")
        spec = body["spec"]
        assert isinstance(spec, dict)
        spec.pop("replicas", None)
        yield acts.patch("applications", "argocd", namespace, {"status": {"operationState": {"phase": "Running"}}})
        yield acts.get("deployments", namespace, workload.name)
        yield acts.patch(
            "deployments", namespace, workload.name, body,
            content_type=acts.APPLY, settles=True, fieldManager="argocd-controller", force=True,
        )  # fmt: skip
        yield acts.get("services", namespace, workload.name)
        yield acts.listing("events", namespace, after_s=rng.uniform(1, 6))
        yield acts.patch(
            "applications",
            "argocd",
            namespace,
            {"status": {"operationState": {"phase": "Succeeded"}}},
            after_s=rng.uniform(5, 40),
        )

    return write


def cron_runs(seed: int, span: rhythm.Span) -> Iterator[acts.Act]:
    """Give the runs of every CronJob: its controller starts the job, the job reads its secret, the old job goes."""
    for namespace, name, hour, lasts_s in teams.CRON_JOBS:
        rng = rhythm.seeded(seed, namespace, name)
        for time_s in rhythm.daily(rng, span, hour, spread_s=2):
            run = f"{name}-{int(time_s) // 60}"
            yield acts.Act(time_s, CRON_CONTROLLER, _start(namespace, name, run, lasts_s))


def _start(namespace: str, name: str, run: str, lasts_s: float) -> acts.Writer:
    """Start a CronJob's job, and remove it when its time is over."""

    def write(rng: random.Random) -> acts.Script:
        answer = yield acts.get("cronjobs", namespace, name, reads=True)
        metadata = answer.body().get("metadata")
        uid = metadata["uid"] if isinstance(metadata, dict) else ""
        owner: bodies.Body = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": name,
            "uid": uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        image = f"{model.REGISTRY}/{namespace}/{name}:1.0.0"
        yield acts.create(
            "jobs", namespace, bodies.job(run, namespace, image, ["run"], account=name, owner=owner), settles=True
        )
        read = acts.get("secrets", namespace, f"{name}-credentials", after_s=rng.uniform(12, 18))
        yield msgspec.structs.replace(read, who=model.username(namespace, name))
        yield acts.get("jobs", namespace, run, after_s=lasts_s)
        yield acts.delete("jobs", namespace, run, after_s=rng.uniform(3600, 7200), propagationPolicy="Background")

    return write
