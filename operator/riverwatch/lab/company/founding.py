"""Everything the company owns on the first day, as objects in the order in which they can be created.

Pure: company data in, stages of API objects out; objects of one stage do not need each other. Called by the recorder,
which creates them before the recording starts.
"""

from __future__ import annotations

import random

from riverwatch.lab.company import bodies, commons, model, people, rights, system, teams
from riverwatch.lab.life import acts

GITOPS_NAMESPACES = ("storefront", "giveback", "findit")
"""Team namespaces that Argo CD deploys; pipelines deploy the others with Helm."""


def plural(kind: str) -> str:
    """Give the plural of a kind, as paths use it.

    Examples
    --------
    >>> plural("NetworkPolicy"), plural("Ingress"), plural("Pod")
    ('networkpolicies', 'ingresses', 'pods')
    """
    word = kind.lower()
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith("ss") else "s")


def collection(body: bodies.Body) -> str:
    """Give the path under which an object is created."""
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    return acts.path(plural(str(body["kind"])), str(metadata.get("namespace", "")))


def managed_by(workload: model.Workload) -> str:
    """Say which tool deploys a workload."""
    by_team = any(workload is other for other in teams.WORKLOADS)
    return bodies.HELM if by_team and workload.namespace not in GITOPS_NAMESPACES else "argocd"


def stages(seed: int, *, kubelet_port: int) -> list[list[bodies.Body]]:
    """Give all objects; what is in a later stage may need what is in an earlier one.

    Parameters
    ----------
    seed
        Of the recording; decides passwords.
    kubelet_port
        Where the lab's kubelets answer.
    """
    rng = random.Random(f"{seed}/founding")
    workloads = (*commons.WORKLOADS, *teams.WORKLOADS)
    first = [bodies.custom_kind(*kind) for kind in commons.CUSTOM_KINDS]
    first += [bodies.namespace(name, "platform") for name in commons.NAMESPACES]
    first += [bodies.namespace(name, _team(name)) for name in teams.NAMESPACES]
    first += [bodies.node(machine, port=kubelet_port) for machine in system.NODES]
    first += [body for body in rights.of_people() if body["kind"] == "ClusterRole"]
    return [first, _accounts(workloads), _contents(rng, workloads), _owned(workloads)]


def _team(namespace: str) -> str:
    """Say which team owns a namespace."""
    return next(team for team, owned in people.TEAM_NAMESPACES.items() if namespace in owned)


def _accounts(workloads: tuple[model.Workload, ...]) -> list[bodies.Body]:
    """Give service accounts and everybody's rights."""
    found = [body for body in rights.of_people() if body["kind"] != "ClusterRole"]
    for workload in workloads:
        if workload.account:
            found.append(bodies.service_account(workload.account, workload.namespace))
            found += rights.of_account(workload.namespace, workload.account, workload.grants)
    for pipeline in people.PIPELINES:
        found.append(bodies.service_account(pipeline.account, pipeline.namespace))
        found += rights.of_account(pipeline.namespace, pipeline.account, pipeline.grants)
    for namespace, name, _, _ in teams.CRON_JOBS:
        grant = model.Grant(("get",), ("secrets",), names=(f"{name}-credentials",))
        found.append(bodies.service_account(name, namespace))
        found += rights.of_account(namespace, name, (grant,))
    return found


def _contents(rng: random.Random, workloads: tuple[model.Workload, ...]) -> list[bodies.Body]:
    """Give secrets, configuration, services and network policies."""
    found: list[bodies.Body] = []
    for workload in workloads:
        found += [bodies.credentials(rng, name, workload.namespace) for name in workload.secrets]
        found += [
            bodies.config_map(name, workload.namespace, {"config.yaml": f"service: {workload.name}\nlevel: info\n"})
            for name in workload.configmaps
            if name != "coredns"
        ]
        if not workload.daemon:
            found.append(bodies.service(workload))
    found.append(
        bodies.config_map(
            "coredns",
            "kube-system",
            {"Corefile": ".:53 {\n  kubernetes cluster.local\n  forward . /etc/resolv.conf\n}\n"},
        )
    )
    for namespace, name, _, _ in teams.CRON_JOBS:
        found.append(bodies.credentials(rng, f"{name}-credentials", namespace))
    for namespace in teams.NAMESPACES:
        found.append(bodies.network_policy(namespace))
        found.append(
            bodies.secret(f"{namespace}-tls", namespace, {"tls.crt": "-", "tls.key": "-"}, kind="kubernetes.io/tls")
        )
    for workload in teams.WORKLOADS:
        if managed_by(workload) == bodies.HELM:
            name = f"sh.helm.release.v1.{workload.name}.v1"
            found.append(bodies.secret(name, workload.namespace, {"release": "H4sIAAAA"}, kind="helm.sh/release.v1"))
    return found


def _owned(workloads: tuple[model.Workload, ...]) -> list[bodies.Body]:
    """Give workloads and the custom resources of controllers."""
    found = [bodies.deployment(workload, managed_by=managed_by(workload)) for workload in workloads]
    found += [bodies.cron_job(name, namespace, hour) for namespace, name, hour, _ in teams.CRON_JOBS]
    for namespace in teams.NAMESPACES:
        names = {"dnsNames": [f"{namespace}.halden.example"], "secretName": f"{namespace}-tls"}
        found.append(bodies.custom("cert-manager.io/v1", "Certificate", f"{namespace}-tls", namespace, {**names}))
        found.append(
            bodies.custom("secrets.hashicorp.com/v1beta1", "VaultAuth", "default", namespace, {"method": "kubernetes"})
        )
        found.append(
            bodies.custom(
                "monitoring.coreos.com/v1", "ServiceMonitor", namespace, namespace, {"endpoints": [{"port": "http"}]}
            )
        )
    for namespace in (*GITOPS_NAMESPACES, *commons.NAMESPACES):
        spec: bodies.Body = {
            "project": "default",
            "destination": {"namespace": namespace},
            "source": {"path": f"clusters/main/{namespace}"},
        }
        found.append(bodies.custom("argoproj.io/v1alpha1", "Application", namespace, "argocd", spec))
    for workload in teams.WORKLOADS:
        for name in workload.secrets:
            spec = {
                "target": {"name": name},
                "refreshInterval": "1h",
                "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            }
            found.append(bodies.custom("external-secrets.io/v1", "ExternalSecret", name, workload.namespace, spec))
    for namespace, name in INGRESSES:
        found.append(bodies.ingress(name, namespace))
    for namespace, name in SCALED:
        found.append(
            bodies.custom("keda.sh/v1alpha1", "ScaledObject", name, namespace, {"scaleTargetRef": {"name": name}})
        )
    found.append(bodies.custom("velero.io/v1", "BackupStorageLocation", "default", "velero", {"provider": "aws"}))
    return found


INGRESSES = (
    ("storefront", "web"),
    ("basket", "basket-api"),
    ("giveback", "giveback-portal"),
    ("dataworks", "dashboards"),
)
"""Services that the world can reach."""

SCALED = (("storefront", "web"), ("basket", "basket-api"), ("findit", "query"), ("storefront", "edge-cache"))
"""Deployments that follow the traffic."""
