"""The product teams' workloads: a namespace each, a few services, and what each service asks of the API server.

Data only. Most services read little: their own configuration, their own secret, their peers, a lease. Read by
`founding` (to create them) and by `life.apps` (for their habits).
"""

from __future__ import annotations

from riverwatch.lab.attacks import base
from riverwatch.lab.company import model

FABRIC8 = "fabric8-kubernetes-client/6.13.4"
"""Java services."""

PYTHON = "OpenAPI-Generator/33.1.0/python"
"""Python services."""

OKHTTP = "Kubernetes Java Client/23.0.0"
"""Java services on the official client."""

NODE_JS = "node-fetch"
"""Node.js services."""


def _go(name: str, version: str = "v0.0.0") -> str:
    """User agent of a Go service on client-go."""
    return f"{name}/{version} (linux/amd64) kubernetes/$Format"


def _own_config(name: str) -> model.Grant:
    return model.Grant(("get", "watch"), ("configmaps",), names=(f"{name}-config",))


def _own_secret(name: str) -> model.Grant:
    return model.Grant(("get",), ("secrets",), names=(f"{name}-credentials",))


LEASES = model.Grant(("get", "create", "update"), ("leases",), "coordination.k8s.io")
"""Leader election."""

PEERS = model.Grant(model.READ, ("endpoints", "pods", "services"))
"""Cluster formation of caches and queues."""

JOBS = (
    model.Grant((*model.READ, "create", "delete"), ("jobs",), "batch"),
    model.Grant(model.READ, ("pods",)),
    model.Grant(("get",), ("pods/log",)),
)
"""Starting jobs and reading what they said."""

NAMESPACE_READER = model.Grant(model.READ, ("secrets", "configmaps"))
"""What hurried teams grant to every service that needs one secret."""


def _app(
    namespace: str,
    name: str,
    agent: str,
    *habits: str,
    replicas: int = 1,
    part: base.Part | None = base.Part.APP,
) -> model.Workload:
    """Write down a service whose rights follow from its habits."""
    wanted: list[model.Grant] = []
    if {"config", "flags"} & set(habits):
        wanted.append(_own_config(name))
    if "secret" in habits:
        wanted += [_own_secret(name), NAMESPACE_READER, PEERS]
    if "leader" in habits:
        wanted.append(LEASES)
    if "peers" in habits:
        wanted.append(PEERS)
    if "jobs" in habits:
        wanted += JOBS
    return model.Workload(
        namespace,
        name,
        replicas=replicas,
        account=name if habits else "",
        agent=agent,
        image=f"{model.REGISTRY}/{namespace}/{name}:1.0.0",
        part=part if "secret" in habits else None,
        habits=habits,
        grants=tuple(wanted),
        secrets=(f"{name}-credentials",) if habits else (),
        configmaps=(f"{name}-config",),
    )


WORKLOADS = (
    _app("storefront", "web", NODE_JS, replicas=3),
    _app("storefront", "edge-cache", FABRIC8, "peers", replicas=2),
    _app("storefront", "session-store", _go("session-store"), "leader", "peers", replicas=2),
    _app("storefront", "feature-flags", _go("feature-flags"), "config", "flags"),
    _app("basket", "basket-api", OKHTTP, "flags", replicas=2),
    _app("basket", "wishlist", PYTHON, "flags", "secret", part=base.Part.SIBLING),
    _app("basket", "coupon-mint", PYTHON, "flags", "secret", part=base.Part.SIBLING),
    _app("cashbook", "bookkeeper", _go("bookkeeper"), "leader", "secret", replicas=2),
    _app("cashbook", "dunning", PYTHON, "jobs", "secret"),
    _app("cashbook", "giftcards", OKHTTP, "flags", "secret"),
    _app("cashbook", "payment-gateway", OKHTTP, "secret", "config", replicas=2),
    _app("fulfilment", "parcel-router", FABRIC8, "leader", "peers", replicas=2),
    _app("fulfilment", "stock-mirror", _go("stock-mirror"), "config", "secret"),
    _app("fulfilment", "label-printer", PYTHON, "jobs"),
    _app("loyalty", "points", OKHTTP, "flags", "secret", part=base.Part.SIBLING, replicas=2),
    _app("loyalty", "mailer", PYTHON, "secret", part=base.Part.SIBLING),
    _app("tariffs", "tariffs-api", FABRIC8, "config", "peers", replicas=2),
    _app("tariffs", "price-feed", _go("price-feed"), "leader", "secret"),
    _app("findit", "query", FABRIC8, "peers", replicas=3),
    _app("findit", "indexer", _go("indexer"), "leader", "jobs"),
    _app("findit", "recommender", PYTHON, "flags", "secret", replicas=2),
    _app("giveback", "giveback-api", OKHTTP, "flags"),
    _app("giveback", "giveback-portal", NODE_JS),
    _app("dataworks", "pipeline-scheduler", PYTHON, "jobs", "jobs-heavy", "leader", "secret"),
    _app("dataworks", "event-lake", FABRIC8, "peers", "config", replicas=2),
    _app("dataworks", "dashboards", PYTHON, "secret", "flags"),
    _app("proving", "web", NODE_JS),
    _app("proving", "basket-api", OKHTTP, "flags"),
    _app("proving", "query", FABRIC8, "peers"),
    _app("proving", "bookkeeper", _go("bookkeeper"), "leader", "secret"),
)
"""Every service of the product teams; `proving` is where releases are tried first."""

NAMESPACES = (*dict.fromkeys(workload.namespace for workload in WORKLOADS), "sandbox")
"""The teams' namespaces; in `sandbox` people try things."""

CRON_JOBS = (
    ("cashbook", "statements", 1.5, 240.0),
    ("fulfilment", "carrier-sync", 4.25, 90.0),
    ("fulfilment", "carrier-sync-noon", 11.25, 90.0),
    ("tariffs", "rates-import", 5.0, 120.0),
    ("dataworks", "warehouse-export", 2.75, 900.0),
    ("loyalty", "points-expiry", 3.5, 180.0),
)
"""Namespace, name, hour of day (UTC) and seconds a run takes, of every CronJob; a run reads its secret once."""
