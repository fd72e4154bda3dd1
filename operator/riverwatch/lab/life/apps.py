"""Habits of the product teams' services: peers, configuration, secrets, leases, jobs.

In: a workload, the cluster's view. Out: acts. Each habit is a function listed in `HABITS` under the name that workloads
use. Called by `everyday`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from riverwatch.lab.company import bodies, model
from riverwatch.lab.life import acts, nodes, rhythm, view

LEASE_S = 2700.0
"""Seconds between renewals of a leader's lease; libraries renew every 2, which most audit policies leave out."""

PEER_LOOKS = 34.0
"""How often a day a cache or queue looks for its peers."""

FLAG_READS = 55.0
"""How often a day a service reads its flags."""

JOBS = 5.0
"""Jobs a day that a service starts."""

MANY_JOBS = 13.0
"""Jobs a day that a scheduler of pipelines starts on top."""

Habit = Callable[[int, rhythm.Span, model.Workload, view.View], Iterator[acts.Act]]
"""Seed, interval, workload, view -> acts."""


def peers(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Look for the other members of the cluster that a service forms."""
    rng = rhythm.seeded(seed, workload.username, "peers", workload.namespace)
    selector = f"app.kubernetes.io/name={workload.name}"
    look = acts.get("endpoints", workload.namespace, workload.name)
    for time_s in rhythm.traffic(rng, span, PEER_LOOKS):
        first = look if rng.random() < 0.6 else acts.listing("pods", workload.namespace, labelSelector=selector)
        yield acts.Act(time_s, workload.username, acts.calls(first), rng.randrange(8))
    for time_s in rhythm.every(rng, span, 3600.0):
        yield acts.Act(
            time_s, workload.username, _watch("endpoints", workload.namespace, workload.name), rng.randrange(8)
        )


def config(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Watch the own configuration."""
    rng = rhythm.seeded(seed, workload.username, "config")
    for time_s in rhythm.every(rng, span, 2700.0):
        yield acts.Act(
            time_s,
            workload.username,
            _watch("configmaps", workload.namespace, f"{workload.name}-config"),
            rng.randrange(8),
        )


def flags(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Read the own configuration when customers come."""
    rng = rhythm.seeded(seed, workload.username, "flags")
    read = acts.calls(acts.get("configmaps", workload.namespace, f"{workload.name}-config"))
    for time_s in rhythm.traffic(rng, span, FLAG_READS):
        yield acts.Act(time_s, workload.username, read, rng.randrange(8))


def secret(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Read the own secret again, for rotation."""
    rng = rhythm.seeded(seed, workload.username, "secret")
    read = acts.calls(acts.get("secrets", workload.namespace, f"{workload.name}-credentials"))
    for time_s in rhythm.every(rng, span, rng.uniform(4000, 9000), jitter=0.2):
        yield acts.Act(time_s, workload.username, read, rng.randrange(8))


def leader(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Hold the lease of the leader."""
    rng = rhythm.seeded(seed, workload.username, "leader", workload.namespace)
    for time_s in rhythm.every(rng, span, LEASE_S, jitter=0.02):
        yield acts.Act(
            time_s, workload.username, nodes.lease(workload.namespace, workload.name, f"{workload.name}-0", time_s)
        )


def jobs(seed: int, span: rhythm.Span, workload: model.Workload, cluster: view.View) -> Iterator[acts.Act]:
    """Start jobs when customers come, look after them, read what they said, remove them."""
    yield from _jobs(rhythm.seeded(seed, workload.username, "jobs"), span, workload, cluster, JOBS)


def many_jobs(seed: int, span: rhythm.Span, workload: model.Workload, cluster: view.View) -> Iterator[acts.Act]:
    """Start many more jobs."""
    yield from _jobs(rhythm.seeded(seed, workload.username, "many-jobs"), span, workload, cluster, MANY_JOBS)


def _jobs(
    rng: random.Random, span: rhythm.Span, workload: model.Workload, cluster: view.View, per_day: float
) -> Iterator[acts.Act]:
    for time_s in rhythm.traffic(rng, span, per_day):
        yield acts.Act(
            time_s, workload.username, run_job(cluster, workload, f"{workload.name}-{rng.getrandbits(32):08x}")
        )


def run_job(cluster: view.View, workload: model.Workload, name: str) -> acts.Writer:
    """Start a job and see it through."""

    def write(rng: random.Random) -> acts.Script:
        namespace = workload.namespace
        body = bodies.job(name, namespace, workload.image, ["run", f"--shard={rng.randrange(16)}"])
        answer = yield acts.create("jobs", namespace, body, settles=True)
        if not answer.ok:
            return
        selector = f"batch.kubernetes.io/job-name={name}"
        for _ in range(rng.randrange(1, 4)):
            yield acts.get("jobs", namespace, name, after_s=rng.uniform(20, 60))
        yield acts.listing("pods", namespace, labelSelector=selector, after_s=rng.uniform(20, 60))
        pods = [pod for pod in cluster.pods(namespace) if pod.name.startswith(name)]
        for pod in pods[:1]:
            yield acts.get("pods", namespace, pod.name, "log", container="main")
        yield acts.delete("jobs", namespace, name, after_s=rng.uniform(60, 600), propagationPolicy="Background")

    return write


def _watch(resource: str, namespace: str, name: str) -> acts.Writer:
    """Watch one object."""

    def write(rng: random.Random) -> acts.Script:
        yield acts.watch(rng, resource, namespace, fieldSelector=f"metadata.name={name}")

    return write


HABITS: Mapping[str, Habit] = {
    "peers": peers,
    "config": config,
    "flags": flags,
    "secret": secret,
    "leader": leader,
    "jobs": jobs,
    "jobs-heavy": many_jobs,
}
"""Habits by the name that workloads use."""
