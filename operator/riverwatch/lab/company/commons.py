"""What the platform team runs for everybody: controllers, monitoring, backup, runners, and the nodes below.

Data only, with the rights that each really needs in most clusters. Read by `founding` and by `life.controllers`.
"""

from __future__ import annotations

from riverwatch.lab.attacks import base
from riverwatch.lab.company import model

ALL = (model.EVERYWHERE,)
"""A cluster-wide grant."""

KUBELET_VERSION = "v1.36.3"
"""Version of the nodes."""

NEXT_KUBELET_VERSION = "v1.36.5"
"""Version of the nodes that an upgrade brings."""

NODES = tuple(
    model.Node(
        f"ip-10-20-{zone}-{last}.eu-central-1.compute.internal",
        f"10.20.{zone}.{last}",
        KUBELET_VERSION,
        f"eu-central-1{letter}",
    )
    for zone, last, letter in ((1, 17, "a"), (1, 84, "a"), (2, 39, "b"), (2, 142, "b"), (3, 58, "c"), (3, 201, "c"))
)
"""The cluster's machines."""

NEW_NODES = tuple(
    model.Node(
        f"ip-10-20-{zone}-{last}.eu-central-1.compute.internal",
        f"10.20.{zone}.{last}",
        NEXT_KUBELET_VERSION,
        f"eu-central-1{letter}",
    )
    for zone, last, letter in ((1, 113, "a"), (2, 77, "b"))
)
"""The machines that replace the first two of other zones in an upgrade."""


def _read(*resources: str, group: str = "") -> model.Grant:
    """Grant an informer on resources everywhere."""
    return model.Grant(model.READ, resources, group, namespaces=ALL)


def _write(*resources: str, group: str = "", verbs: tuple[str, ...] = model.WRITE) -> model.Grant:
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

WORKLOADS = (
    model.Workload(
        "kube-system",
        "coredns",
        2,
        "coredns",
        "coredns/1.13.1 (linux/amd64)",
        "registry.k8s.io/coredns/coredns:v1.13.1",
        habits=("dns",),
        grants=(_read("services", "pods", "namespaces"), _read("endpointslices", group="discovery.k8s.io")),
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
        grants=(_read("services", "nodes"), _read("endpointslices", group="discovery.k8s.io")),
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
            _read("pods", "nodes", "namespaces"),
            _read("networkpolicies", group="networking.k8s.io"),
            model.Grant(("patch",), ("nodes/status", "pods/status"), namespaces=ALL),
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
            _read("nodes", "pods"),
            model.Grant(("get",), ("nodes/metrics", "nodes/stats"), namespaces=ALL),
            *REVIEWS,
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
            _read(
                "pods",
                "services",
                "replicationcontrollers",
                "persistentvolumeclaims",
                "persistentvolumes",
                "namespaces",
            ),
            _write("nodes", verbs=("update", "patch")),
            _read("replicasets", "statefulsets", "daemonsets", "deployments", group="apps"),
            model.Grant(("update", "patch"), ("deployments/scale",), "apps", namespaces=ALL),
            _read("poddisruptionbudgets", group="policy"),
            _read("storageclasses", "csinodes", "csidrivers", group="storage.k8s.io"),
            model.Grant(("create",), ("pods/eviction",), namespaces=ALL),
            model.Grant((*model.READ, "create", "update"), ("configmaps",)),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "kube-system",
        "ebs-csi-controller",
        2,
        "ebs-csi-controller",
        "csi-provisioner/v5.3.0 (linux/amd64) kubernetes/$Format",
        "registry.k8s.io/provider-aws/aws-ebs-csi-driver:v1.50.0",
        habits=("storage", "leader"),
        grants=(
            _write("persistentvolumes", "persistentvolumeclaims", verbs=("create", "patch", "delete")),
            _read("nodes", "pods"),
            _read("storageclasses", "csinodes", "volumeattachments", group="storage.k8s.io"),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "ingress-nginx",
        "ingress-nginx-controller",
        2,
        "ingress-nginx",
        "nginx-ingress-controller/v1.13.3 (linux/amd64) ingress-nginx/93851f0",
        "registry.k8s.io/ingress-nginx/controller:v1.13.3",
        part=base.Part.INGRESS,
        habits=("ingress", "leader"),
        grants=(
            _read("configmaps", "endpoints", "nodes", "pods", "secrets", "namespaces", "services"),
            _read("ingresses", "ingressclasses", group="networking.k8s.io"),
            model.Grant(("update", "patch"), ("ingresses/status",), "networking.k8s.io", namespaces=ALL),
            _read("endpointslices", group="discovery.k8s.io"),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "cert-manager",
        "cert-manager",
        1,
        "cert-manager",
        "cert-manager-controller/v1.19.1 (linux/amd64) cert-manager/5f3a7b1",
        "quay.io/jetstack/cert-manager-controller:v1.19.1",
        part=base.Part.SECRET_SYNC,
        habits=("certificates", "leader"),
        grants=(
            _write("secrets"),
            _write("certificates", "issuers", "certificates/status", "issuers/status", group="cert-manager.io"),
            _read("ingresses", group="networking.k8s.io"),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "cert-manager",
        "cert-manager-cainjector",
        1,
        "cert-manager-cainjector",
        "cert-manager-cainjector/v1.19.1 (linux/amd64) cert-manager/5f3a7b1",
        "quay.io/jetstack/cert-manager-cainjector:v1.19.1",
        habits=("injector", "leader"),
        grants=(
            _read("secrets"),
            _write(
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
                group="admissionregistration.k8s.io",
                verbs=("update", "patch"),
            ),
            _read("customresourcedefinitions", group="apiextensions.k8s.io"),
            LEASES,
        ),
    ),
    model.Workload(
        "monitoring",
        "prometheus-k8s",
        2,
        "prometheus-k8s",
        "Prometheus/3.7.3",
        "quay.io/prometheus/prometheus:v3.7.3",
        part=base.Part.MONITORING,
        habits=("scraper",),
        grants=(
            _read("nodes", "services", "endpoints", "pods", "namespaces"),
            _read("endpointslices", group="discovery.k8s.io"),
            model.Grant(("get",), ("nodes/metrics",), namespaces=ALL),
            model.Grant(("get",), (), paths=("/metrics", "/metrics/slis")),
        ),
    ),
    model.Workload(
        "monitoring",
        "prometheus-operator",
        1,
        "prometheus-operator",
        "PrometheusOperator/0.86.2",
        "quay.io/prometheus-operator/prometheus-operator:v0.86.2",
        habits=("monitors",),
        grants=(
            _write("servicemonitors", "prometheusrules", group="monitoring.coreos.com", verbs=("update", "patch")),
            _write("configmaps", "secrets", verbs=("create", "update", "delete")),
            _read("namespaces", "nodes", "pods"),
            _read("statefulsets", group="apps"),
        ),
    ),
    model.Workload(
        "monitoring",
        "kube-state-metrics",
        1,
        "kube-state-metrics",
        "kube-state-metrics/v2.17.0 (linux/amd64) kube-state-metrics/6e2f4b6",
        "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0",
        part=base.Part.MONITORING,
        habits=("state-metrics",),
        grants=(
            _read(
                "configmaps",
                "secrets",
                "nodes",
                "pods",
                "services",
                "serviceaccounts",
                "resourcequotas",
                "limitranges",
                "persistentvolumeclaims",
                "persistentvolumes",
                "namespaces",
                "endpoints",
            ),
            _read("deployments", "replicasets", "daemonsets", "statefulsets", group="apps"),
            _read("jobs", "cronjobs", group="batch"),
            _read("ingresses", "networkpolicies", group="networking.k8s.io"),
        ),
    ),
    model.Workload(
        "monitoring",
        "grafana",
        1,
        "grafana",
        "OpenAPI-Generator/31.0.0/python",
        "grafana/grafana:12.2.1",
        habits=("sidecar",),
        grants=(model.Grant(model.READ, ("configmaps", "secrets")),),
        secrets=("grafana-credentials",),
    ),
    model.Workload(
        "argocd",
        "argocd-application-controller",
        1,
        "argocd-application-controller",
        "argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format",
        "quay.io/argoproj/argocd:v3.2.0",
        part=base.Part.GITOPS,
        habits=("gitops",),
        grants=(model.Grant(("*",), ("*",), "*", namespaces=ALL), model.Grant(("*",), (), paths=("*",))),
    ),
    model.Workload(
        "argocd",
        "argocd-server",
        2,
        "argocd-server",
        "argocd-server/v0.0.0 (linux/amd64) kubernetes/$Format",
        "quay.io/argoproj/argocd:v3.2.0",
        habits=("gitops-page",),
        grants=(
            _write("applications", "appprojects", group="argoproj.io", verbs=("update", "patch")),
            model.Grant(model.READ, ("secrets", "configmaps")),
            _read("pods", "events"),
            model.Grant(("get",), ("pods/log",), namespaces=ALL),
        ),
        secrets=("argocd-secret",),
        configmaps=("argocd-cm",),
    ),
    model.Workload("argocd", "argocd-repo-server", 2, image="quay.io/argoproj/argocd:v3.2.0"),
    model.Workload(
        "external-secrets",
        "external-secrets",
        1,
        "external-secrets",
        "external-secrets/v0.20.4 (linux/amd64) kubernetes/$Format",
        "ghcr.io/external-secrets/external-secrets:v0.20.4",
        part=base.Part.SECRET_SYNC,
        habits=("secret-sync", "leader"),
        grants=(
            _write("secrets"),
            _write(
                "externalsecrets",
                "secretstores",
                "externalsecrets/status",
                group="external-secrets.io",
                verbs=("update", "patch"),
            ),
            _read("namespaces", "serviceaccounts", "configmaps"),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "vault",
        "vault-secrets-operator",
        1,
        "vault-secrets-operator",
        "vault-secrets-operator/1.0.1 (linux/amd64) kubernetes/$Format",
        "hashicorp/vault-secrets-operator:1.0.1",
        habits=("vault-login", "leader"),
        grants=(
            _write("secrets"),
            _read("serviceaccounts"),
            model.Grant(("create",), ("serviceaccounts/token",), namespaces=ALL),
            _write("vaultauths", "vaultauths/status", group="secrets.hashicorp.com"),
            _write("deployments", group="apps", verbs=("patch",)),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "velero",
        "velero",
        1,
        "velero",
        "velero-server/v1.17.1 (linux/amd64) 2d3ec1d",
        "velero/velero:v1.17.1",
        part=base.Part.BACKUP,
        habits=("backup",),
        grants=(model.Grant(("*",), ("*",), "*", namespaces=ALL),),
        secrets=("cloud-credentials",),
    ),
    model.Workload(
        "gitlab-runners",
        "runner-manager",
        1,
        "runner-manager",
        "gitlab-runner 18.5.0 linux/amd64",
        "gitlab/gitlab-runner:v18.5.0",
        habits=("builds",),
        grants=(
            model.Grant((*model.READ, "create", "delete"), ("pods", "secrets", "configmaps")),
            model.Grant(("get", "create"), ("pods/exec", "pods/attach", "pods/log")),
            model.Grant(("get",), ("serviceaccounts",)),
        ),
        secrets=("runner-token",),
    ),
    model.Workload(
        "keda",
        "keda-operator",
        1,
        "keda-operator",
        "keda/2.18.1 (linux/amd64) kubernetes/$Format",
        "ghcr.io/kedacore/keda:2.18.1",
        part=base.Part.AUTOSCALER,
        habits=("pod-scaler", "leader"),
        grants=(
            _write("scaledobjects", "scaledobjects/status", group="keda.sh"),
            _read("deployments", "statefulsets", group="apps"),
            model.Grant(("get", "update", "patch"), ("deployments/scale",), "apps", namespaces=ALL),
            _write("horizontalpodautoscalers", group="autoscaling"),
            _read("pods", "secrets", "services"),
            LEASES,
            EVENTS,
        ),
    ),
    model.Workload(
        "databases",
        "postgres-operator",
        1,
        "postgres-operator",
        "postgres-operator/v1.15.1 (linux/amd64) kubernetes/$Format",
        "ghcr.io/zalando/postgres-operator:v1.15.1",
        part=base.Part.OPERATOR,
        habits=("databases", "leader"),
        grants=(
            _write(
                "pods", "services", "secrets", "configmaps", "serviceaccounts", "endpoints", "persistentvolumeclaims"
            ),
            _read("namespaces", "nodes", "events"),
            model.Grant(("get", "create"), ("pods/exec", "serviceaccounts/token"), namespaces=ALL),
            model.Grant(("get",), ("nodes/proxy",), namespaces=ALL),
            _write("statefulsets", "deployments", group="apps"),
            _write("cronjobs", "jobs", group="batch"),
            _write("poddisruptionbudgets", group="policy"),
            model.Grant(
                (*model.READ, *model.WRITE, "bind", "escalate"),
                ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
                "rbac.authorization.k8s.io",
                namespaces=ALL,
            ),
            _write(
                "validatingwebhookconfigurations", "mutatingwebhookconfigurations", group="admissionregistration.k8s.io"
            ),
            LEASES,
            EVENTS,
        ),
    ),
)
"""Every platform workload."""

NAMESPACES = tuple(dict.fromkeys(workload.namespace for workload in WORKLOADS if workload.namespace != "kube-system"))
"""Namespaces that the platform adds to those that exist in every cluster."""

SCHEDULER = "system:kube-scheduler"
"""User name of the scheduler."""

SCHEDULER_AGENT = "kube-scheduler/v1.36.3 (linux/amd64) kubernetes/4957b09/scheduler"
"""Its user agent."""

CONTROL_PLANE_IP = "10.20.0.10"
"""Address of the control plane's own components, as records show it."""

CUSTOM_KINDS = (
    ("argoproj.io", "v1alpha1", "applications", "Application"),
    ("argoproj.io", "v1alpha1", "appprojects", "AppProject"),
    ("cert-manager.io", "v1", "certificates", "Certificate"),
    ("cert-manager.io", "v1", "issuers", "Issuer"),
    ("external-secrets.io", "v1", "externalsecrets", "ExternalSecret"),
    ("external-secrets.io", "v1", "secretstores", "SecretStore"),
    ("velero.io", "v1", "backups", "Backup"),
    ("velero.io", "v1", "backupstoragelocations", "BackupStorageLocation"),
    ("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),
    ("secrets.hashicorp.com", "v1beta1", "vaultauths", "VaultAuth"),
    ("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
    ("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"),
)
"""Group, version, plural and kind of the custom resources that exist from the first day."""
