"""Everybody's everyday life, put together.

In: seed, interval, the cluster's view. Out: acts in time order. Called by the recorder.
"""

from __future__ import annotations

from collections.abc import Iterator

from riverwatch.lab.company import commons, system, teams
from riverwatch.lab.company import people as persons
from riverwatch.lab.life import acts, apps, controllers, delivery, informers, nodes, people, rhythm, view

HEALTH_S = 600.0
"""Seconds between health checks of the load balancer, which shows no credential."""

SCHEDULER_S = 900.0
"""Seconds between renewed watches of the scheduler."""

CRON_CONTROLLER = delivery.CRON_CONTROLLER
"""User name of the controller of CronJobs."""

ANONYMOUS = "system:anonymous"
"""Who asks without a credential."""


def acts_of_all(seed: int, span: rhythm.Span, cluster: view.View, *, kubelet_port: int) -> list[acts.Act]:
    """Give what everybody does, in time order.

    Parameters
    ----------
    seed
        Of the recording.
    span
        When.
    cluster
        What they see.
    kubelet_port
        Where the lab's kubelets answer.
    """
    found: list[acts.Act] = []
    for workload in (*commons.WORKLOADS, *teams.WORKLOADS):
        for habit in workload.habits:
            if habit in informers.INFORMERS:
                found += informers.renewed(seed, span, workload, habit)
            if maker := controllers.HABITS.get(habit) or apps.HABITS.get(habit):
                found += maker(seed, span, workload, cluster)
    for machine in system.NODES:
        found += nodes.habits(seed, span, cluster, machine, port=kubelet_port)
    for person in persons.PEOPLE:
        found += people.habits(seed, span, cluster, person)
    found += delivery.releases(seed, span)
    found += delivery.syncs(seed, span)
    found += delivery.cron_runs(seed, span)
    found += _others(seed, span)
    return acts.in_order(found)


def _others(seed: int, span: rhythm.Span) -> Iterator[acts.Act]:
    """Give what the scheduler and the load balancer do."""
    rng = rhythm.seeded(seed, "others")
    for time_s in rhythm.every(rng, span, HEALTH_S, jitter=0.01):
        yield acts.Act(time_s, ANONYMOUS, acts.calls(acts.Call("GET", "/readyz")))
    watched = (
        "pods",
        "nodes",
        "services",
        "persistentvolumes",
        "persistentvolumeclaims",
        "storageclasses",
        "csinodes",
        "replicasets",
        "statefulsets",
    )
    for time_s in rhythm.every(rng, span, SCHEDULER_S):
        yield acts.Act(time_s, system.SCHEDULER, acts.calls(acts.watch(rng, rng.choice(watched))))
