"""What every cluster runs for itself: nodes, the scheduler, and the workloads of ``kube-system``.

Data only, with the rights that each really needs in most clusters. Read by `founding`, `commons` and `life`.
"""

from __future__ import annotations

from riverwatch.lab.attacks import base
from riverwatch.lab.company import grants, model

KUBELET_VERSION = "v1.36.3"
"""Version of the nodes."""

NEXT_KUBELET_VERSION = "v1.36.5"
"""Version of the nodes that an upgrade brings."""


def _machine(number: int, zone: int, last: int, version: str) -> model.Node:
    """Write down a machine of the zone ``a``, ``b`` or ``c``."""
    name = f"ip-10-20-{zone}-{last}.eu-central-1.compute.internal"
    return model.Node(name, f"10.20.{zone}.{last}", version, f"eu-central-1{' abc'[zone]}", number)


NODES = tuple(
    _machine(number, zone, last, KUBELET_VERSION)
    for number, (zone, last) in enumerate(((1, 17), (1, 84), (2, 39), (2, 142), (3, 58), (3, 201)))
)
"""The cluster's machines."""

NEW_NODES = (_machine(6, 1, 113, NEXT_KUBELET_VERSION), _machine(7, 2, 77, NEXT_KUBELET_VERSION))
"""The machines that replace one each of two zones in an upgrade."""

SCHEDULER = "system:kube-scheduler"
"""User name of the scheduler."""

SCHEDULER_AGENT = "kube-scheduler/v1.36.3 (linux/amd64) kubernetes/4957b09/scheduler"
"""Its user agent."""

CONTROL_PLANE_IP = "10.20.0.10"
"""Address of the control plane's own components, as records show it."""
WORKLOADS = (
    model.Workload(
        "kube-system",
        "coredns",
        2,
        "coredns",
        "coredns/1.13.1 (linux/amd64)",
        "registry.k8s.io/coredns/coredns:v1.13.1",
        habits=("dns",),
        grants=(grants.read("services", "pods", "namespaces"), grants.read("endpointslices", group="discovery.k8s.io")),
        configmaps=("coredns",),
    ),
    model.Workload(
        "kube-system",
        "kube-proxy",
        1,
        "kube-proxy",
        "kube-proxy/v1.36.3 (linux/amd64) kubernetes/4957b09",
        "registry.k8s.io/kube-proxy:v1.36.3",
        habits=("proxy",),
        daemon=True,
        host_network=True,
        grants=(grants.read("services", "nodes"), grants.read("endpointslices", group="discovery.k8s.io")),
    ),
    model.Workload(
        "kube-system",
        "cni-node",
        1,
        "cni-node",
        "cni-agent/v1.20.4 (linux/amd64) kubernetes/$Format",
        "quay.io/cni/agent:v1.20.4",
        habits=("cni",),
        daemon=True,
        host_network=True,
        grants=(
            grants.read("pods", "nodes", "namespaces"),
            grants.read("networkpolicies", group="networking.k8s.io"),
            model.Grant(("patch",), ("nodes/status", "pods/status"), namespaces=grants.ALL),
        ),
    ),
    model.Workload(
        "kube-system",
        "metrics-server",
        1,
        "metrics-server",
        "metrics-server/v0.8.0 (linux/amd64) kubernetes/d5b2e37",
        "registry.k8s.io/metrics-server/metrics-server:v0.8.0",
        habits=("metrics",),
        grants=(
            grants.read("nodes", "pods"),
            model.Grant(("get",), ("nodes/metrics", "nodes/stats"), namespaces=grants.ALL),
            *grants.REVIEWS,
        ),
    ),
    model.Workload(
        "kube-system",
        "cluster-autoscaler",
        1,
        "cluster-autoscaler",
        "cluster-autoscaler/v1.34.1 (linux/amd64) kubernetes/$Format",
        "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.1",
        part=base.Part.AUTOSCALER,
        habits=("node-scaler", "leader"),
        grants=(
            grants.read(
                "pods",
                "services",
                "replicationcontrollers",
                "persistentvolumeclaims",
                "persistentvolumes",
                "namespaces",
            ),
            grants.write("nodes", verbs=("update", "patch")),
            grants.read("replicasets", "statefulsets", "daemonsets", "deployments", group="apps"),
            model.Grant(("update", "patch"), ("deployments/scale",), "apps", namespaces=grants.ALL),
            grants.read("poddisruptionbudgets", group="policy"),
            grants.read("storageclasses", "csinodes", "csidrivers", group="storage.k8s.io"),
            model.Grant(("create",), ("pods/eviction",), namespaces=grants.ALL),
            model.Grant((*model.READ, "create", "update"), ("configmaps",)),
            grants.LEASES,
            grants.EVENTS,
        ),
    ),
)
"""Every workload of ``kube-system``."""
