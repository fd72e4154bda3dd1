"""Rights that many controllers ask for in the same words.

Data and two small makers of `model.Grant`. Read by `system`, `commons`, and happenings that install something.
"""

from __future__ import annotations

from riverwatch.lab.company import model

ALL = (model.EVERYWHERE,)
"""A cluster-wide grant."""


def read(*resources: str, group: str = "") -> model.Grant:
    """Grant an informer on resources everywhere."""
    return model.Grant(model.READ, resources, group, namespaces=ALL)


def write(*resources: str, group: str = "", verbs: tuple[str, ...] = model.WRITE) -> model.Grant:
    """Grant changes everywhere."""
    return model.Grant((*model.READ, *verbs), resources, group, namespaces=ALL)


LEASES = model.Grant(("get", "create", "update"), ("leases",), "coordination.k8s.io")
"""Leader election in the own namespace."""

EVENTS = model.Grant(("create", "patch"), ("events",), namespaces=ALL)
"""Reporting."""

REVIEWS = (
    model.Grant(("create",), ("tokenreviews",), "authentication.k8s.io", namespaces=ALL),
    model.Grant(("create",), ("subjectaccessreviews",), "authorization.k8s.io", namespaces=ALL),
)
"""Asking the API server who a caller is and what it may do."""
