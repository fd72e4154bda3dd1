"""Builders of records that several tests of this folder tell their stories with."""

from __future__ import annotations

import random

from riverwatch import testing
from riverwatch.activity import record


def routine(*, since_s: float = testing.START_S, hours: int = 60, seed: int = 3) -> list[record.AuditRecord]:
    """Ten workloads that do the same few things all day, from one place each."""
    rng = random.Random(seed)
    records = []
    for step in range(hours * 30):
        number = rng.randrange(10)
        verb, resource, name = rng.choice(
            [("get", "configmaps", "settings"), ("list", "pods", ""), ("get", "secrets", f"app-{number}-tls")]
        )
        records.append(
            testing.audit_record(
                time_s=since_s + step * 120.0,
                user=f"system:serviceaccount:web:app-{number}",
                verb=verb,
                resource=resource,
                name=name,
                source_ip=f"10.4.{number}.19",
                user_agent=f"app-{number}/1.0",
            )
        )
    return records


def cluster_admin(*, time_s: float = testing.START_S, user: str = "ops@example.com") -> record.AuditRecord:
    """Somebody gives the highest role away, which a rule raises without any history."""
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "ops"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "web"}],
    }
    return testing.audit_record(
        time_s=time_s,
        user=user,
        verb="create",
        resource="clusterrolebindings",
        api_group="rbac.authorization.k8s.io",
        namespace="",
        name="ops",
        code=201,
        request_object=binding,
    )


def theft(time_s: float) -> record.AuditRecord:
    """The token of a workload is used elsewhere, with other software, for something it never did."""
    return testing.audit_record(
        time_s=time_s,
        verb="list",
        resource="secrets",
        name="",
        namespace="kube-system",
        source_ip="203.0.113.7",
        user_agent="curl/8",
        audit_id=f"theft-{time_s}",
    )
