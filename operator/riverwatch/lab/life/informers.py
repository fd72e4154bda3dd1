"""Informers: the watches that every controller keeps and renews all day.

In: a workload. Out: acts. Habits named in `INFORMERS` come on top of those in `controllers`. Called by `everyday`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from riverwatch.lab.company import model
from riverwatch.lab.life import acts, rhythm

INFORMERS: Mapping[str, tuple[float, Sequence[str]]] = {
    "dns": (900.0, ("services", "endpointslices", "namespaces")),
    "proxy": (400.0, ("services", "endpointslices", "nodes")),
    "cni": (600.0, ("pods", "networkpolicies", "nodes", "namespaces")),
    "metrics": (1500.0, ("nodes", "pods")),
    "node-scaler": (
        500.0,
        (
            "pods",
            "nodes",
            "services",
            "replicasets",
            "statefulsets",
            "poddisruptionbudgets",
            "storageclasses",
            "csinodes",
        ),
    ),
    "storage": (900.0, ("persistentvolumes", "persistentvolumeclaims", "nodes", "storageclasses", "volumeattachments")),
    "ingress": (500.0, ("ingresses", "secrets", "services", "endpointslices", "configmaps", "ingressclasses")),
    "certificates": (700.0, ("certificates", "secrets", "issuers", "ingresses")),
    "injector": (
        1500.0,
        ("secrets", "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "customresourcedefinitions"),
    ),
    "scraper": (420.0, ("pods", "endpoints", "services", "nodes", "endpointslices")),
    "monitors": (900.0, ("servicemonitors", "prometheusrules", "statefulsets", "namespaces")),
    "state-metrics": (
        450.0,
        (
            "pods",
            "nodes",
            "services",
            "configmaps",
            "secrets",
            "namespaces",
            "deployments",
            "replicasets",
            "daemonsets",
            "statefulsets",
            "jobs",
            "cronjobs",
            "ingresses",
            "networkpolicies",
            "persistentvolumeclaims",
            "persistentvolumes",
            "serviceaccounts",
            "resourcequotas",
        ),
    ),
    "gitops": (
        600.0,
        (
            "applications",
            "appprojects",
            "deployments",
            "replicasets",
            "services",
            "configmaps",
            "secrets",
            "pods",
            "roles",
            "rolebindings",
        ),
    ),
    "secret-sync": (900.0, ("externalsecrets", "secretstores", "secrets", "namespaces")),
    "vault-login": (1500.0, ("vaultauths", "serviceaccounts", "secrets")),
    "pod-scaler": (900.0, ("scaledobjects", "deployments", "horizontalpodautoscalers")),
    "databases": (800.0, ("statefulsets", "pods", "secrets", "services", "nodes")),
    "backup": (2700.0, ("backups", "backupstoragelocations")),
}
"""Habit -> mean seconds between two renewed watches of all its pods together, and what is watched."""

INFORMER_PACE = 3.5
"""How much longer than `INFORMERS` says the pauses are; keeps a fortnight at some 140,000 records."""

OWN_NAMESPACE = {
    ("gitops", "configmaps"),
    ("gitops", "secrets"),
    ("gitops", "applications"),
    ("gitops", "appprojects"),
    ("backup", "backups"),
}
"""Habit and resource of watches that stay in the controller's own namespace."""


def renewed(seed: int, span: rhythm.Span, workload: model.Workload, habit: str) -> Iterator[acts.Act]:
    """Renew watches, one after the other, and now and then list first."""
    period_s, resources = INFORMERS[habit]
    rng = rhythm.seeded(seed, workload.username, habit)
    for time_s in rhythm.every(rng, span, INFORMER_PACE * period_s, jitter=0.3):
        resource = rng.choice(resources)
        namespace = workload.namespace if (habit, resource) in OWN_NAMESPACE else ""
        yield acts.Act(time_s, workload.username, _informer(resource, namespace), rng.randrange(12))


def _informer(resource: str, namespace: str) -> acts.Writer:
    """Renew a watch; one in twelve lists again first, as its history was too old."""

    def write(rng: random.Random) -> acts.Script:
        if rng.random() < 0.08:
            yield acts.listing(resource, namespace, limit=500, resourceVersion=0)
        yield acts.watch(rng, resource, namespace)

    return write
