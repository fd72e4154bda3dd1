"""Bodies of the objects that the company creates: written as the tools that own them write them.

Pure: facts in, API objects out. Called by `founding` and by the habits in `life`.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence

from riverwatch.lab import world
from riverwatch.lab.company import model

Body = dict[str, object]
"""One API object."""

KUBELET_PORT = 10250
"""Where kubelets listen in life."""

HELM = "Helm"
"""Value of `app.kubernetes.io/managed-by` on what Helm installed."""


def meta(name: str, namespace: str = "", *, labels: Mapping[str, str] | None = None) -> Body:
    """Give an object's metadata."""
    found: Body = {"name": name}
    if namespace:
        found["namespace"] = namespace
    if labels:
        found["labels"] = dict(labels)
    return found


def namespace(name: str, team: str) -> Body:
    """Give a namespace that belongs to a team."""
    labels = {"team": team, "pod-security.kubernetes.io/warn": "baseline"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name, labels=labels)}


def service_account(name: str, namespace: str) -> Body:
    """Give a service account."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name, namespace)}


def secret(name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque") -> Body:
    """Give a secret."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta(name, namespace), "type": kind, "data": data}


def config_map(name: str, namespace: str, data: Mapping[str, str]) -> Body:
    """Give a config map."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name, namespace), "data": dict(data)}


def credentials(rng: random.Random, name: str, namespace: str) -> Body:
    """Give the secret that a service logs in to its database with."""
    owner = name.removesuffix("-credentials")
    values = {"username": owner.replace("-", "_"), "password": f"{rng.getrandbits(128):032x}"}
    return secret(name, namespace, values)


def pod_spec(workload: model.Workload, *, tag: str = "", node: str = "") -> Body:
    """Give the pod specification of a workload.

    Parameters
    ----------
    workload
        Whose pods.
    tag
        Image tag, where it is not the workload's first one.
    node
        Node to run on, for pods that are placed by whoever creates them.
    """
    image = f"{workload.image.rpartition(':')[0]}:{tag}" if tag else workload.image
    references: list[Body] = [{"secretRef": {"name": name}} for name in workload.secrets]
    references += [{"configMapRef": {"name": name}} for name in workload.configmaps]
    container: Body = {
        "name": workload.name,
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
    }
    if references:
        container["envFrom"] = references
    spec: Body = {"serviceAccountName": workload.account or "default", "containers": [container]}
    if workload.daemon:
        spec["tolerations"] = [{"operator": "Exists"}]
    if workload.host_network:
        spec["hostNetwork"] = True
        container["ports"] = []
        container["securityContext"] = {"capabilities": {"add": ["NET_ADMIN"]}}
        spec["priorityClassName"] = "system-node-critical"
    if node:
        spec["nodeName"] = node
    return spec


def deployment(workload: model.Workload, *, tag: str = "", managed_by: str = HELM, replicas: int = 0) -> Body:
    """Give a workload's Deployment, or DaemonSet where it runs on every node.

    Parameters
    ----------
    workload
        What to run.
    tag
        Image tag, where it is not the workload's first one.
    managed_by
        Tool that installed it.
    replicas
        Pods; 0 for the workload's own number.
    """
    labels = {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/instance": workload.name}
    spec: Body = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(workload, tag=tag)},
    }
    if not workload.daemon:
        spec["replicas"] = replicas or workload.replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet" if workload.daemon else "Deployment",
        "metadata": meta(
            workload.name, workload.namespace, labels={**labels, "app.kubernetes.io/managed-by": managed_by}
        ),
        "spec": spec,
    }


def service(workload: model.Workload) -> Body:
    """Give a workload's Service."""
    labels = {"app.kubernetes.io/name": workload.name}
    spec = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(workload.name, workload.namespace, labels=labels),
        "spec": spec,
    }


def ingress(name: str, namespace: str) -> Body:
    """Give an Ingress with a certificate."""
    host = f"{name}.{world.COMPANY}.example"
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": [host], "secretName": f"{namespace}-tls"}],
        "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta(name, namespace), "spec": spec}


def network_policy(namespace: str) -> Body:
    """Give the policy that keeps other namespaces out."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta("default-deny", namespace),
        "spec": spec,
    }


def job(  # noqa: PLR0913 - what one job differs from another in
    name: str,
    namespace: str,
    image: str,
    command: Sequence[str],
    *,
    account: str = "default",
    owner: Body | None = None,
) -> Body:
    """Give a Job.

    Parameters
    ----------
    name
        Its name.
    namespace
        Its namespace.
    image
        What runs.
    command
        With which arguments.
    account
        As which service account.
    owner
        Owner reference, for a Job that a CronJob started.
    """
    container = {
        "name": "main",
        "image": image,
        "args": list(command),
        "resources": {"requests": {"cpu": "200m", "memory": "256Mi"}},
    }
    metadata = meta(name, namespace, labels={"app.kubernetes.io/name": name.rpartition("-")[0] or name})
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    spec = {
        "backoffLimit": 2,
        "template": {"spec": {"serviceAccountName": account, "restartPolicy": "Never", "containers": [container]}},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def cron_job(name: str, namespace: str, hour: float) -> Body:
    """Give a CronJob that runs once a day."""
    image = f"{model.REGISTRY}/{namespace}/{name}:1.0.0"
    template = {"spec": job(name, namespace, image, ["run"], account=name)["spec"]}
    spec = {
        "schedule": f"{int(hour % 1 * 60)} {int(hour)} * * *",
        "concurrencyPolicy": "Forbid",
        "jobTemplate": template,
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta(name, namespace), "spec": spec}


def node(machine: model.Node, *, port: int) -> Body:
    """Give a node as its kubelet registers it.

    Parameters
    ----------
    machine
        The machine.
    port
        Where its kubelet answers the API server.
    """
    labels = {
        "kubernetes.io/hostname": machine.name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": machine.zone,
        "topology.kubernetes.io/region": "eu-central-1",
        "node.kubernetes.io/instance-type": "m7i.2xlarge",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta(machine.name, labels=labels),
        "spec": {
            "providerID": f"aws:///{machine.zone}/i-{hash_of(machine.name):017x}",
            "podCIDR": f"{machine.pod_network}.0/24",
            "podCIDRs": [f"{machine.pod_network}.0/24"],
        },
        "status": node_status(machine, port=port),
    }


def node_status(machine: model.Node, *, port: int, time_s: float = world.START_S) -> Body:
    """Give the status that a kubelet reports.

    Parameters
    ----------
    machine
        The machine.
    port
        Where its kubelet answers the API server.
    time_s
        Time of the heartbeat, epoch seconds.
    """
    now = world.rfc3339(time_s)[:19] + "Z"
    conditions = [
        {
            "type": kind,
            "status": "True" if kind == "Ready" else "False",
            "reason": reason,
            "message": reason,
            "lastHeartbeatTime": now,
        }
        for kind, reason in (
            ("MemoryPressure", "KubeletHasSufficientMemory"),
            ("DiskPressure", "KubeletHasNoDiskPressure"),
            ("PIDPressure", "KubeletHasSufficientPID"),
            ("Ready", "KubeletReady"),
        )
    ]
    addresses = [
        {"type": "InternalIP", "address": machine.address},
        {"type": "Hostname", "address": machine.name},
    ]
    if port != KUBELET_PORT:
        # Without a tunnel the lab's kubelets answer on the loopback address; the API server looks at this name first.
        addresses.append({"type": "ExternalDNS", "address": "localhost"})
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "conditions": conditions,
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": addresses,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "architecture": "amd64",
            "operatingSystem": "linux",
            "kubeletVersion": machine.version,
            "kubeProxyVersion": "",
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.12.46",
            "osImage": "Bottlerocket OS 1.48.0",
            "machineID": f"{hash_of(machine.name):032x}",
            "systemUUID": f"{hash_of(machine.name):032x}",
            "bootID": f"{hash_of(machine.name):032x}",
        },
    }


def pod_running(pod: Mapping[str, object], *, address: str, host: str, time_s: float, succeeded: bool = False) -> Body:
    """Give the status that a kubelet reports for a pod that runs, or that has ended well.

    Parameters
    ----------
    pod
        The pod.
    address
        The pod's address.
    host
        The node's address.
    time_s
        Time of the report, epoch seconds.
    succeeded
        Whether it has ended.
    """
    now = world.rfc3339(time_s)[:19] + "Z"
    spec = pod["spec"]
    assert isinstance(spec, dict)
    ready = "False" if succeeded else "True"
    state: Body = (
        {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": now, "startedAt": now}}
        if succeeded
        else {"running": {"startedAt": now}}
    )
    statuses = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": f"{container['image']}@sha256:{hash_of(container['image']):064x}",
            "ready": not succeeded,
            "started": not succeeded,
            "restartCount": 0,
            "state": state,
            "containerID": f"containerd://{hash_of(address + str(container['name'])):064x}",
        }
        for container in spec["containers"]
    ]
    conditions = [
        {"type": kind, "status": ready if kind in {"Ready", "ContainersReady"} else "True", "lastTransitionTime": now}
        for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    status = {
        "phase": "Succeeded" if succeeded else "Running",
        "conditions": conditions,
        "containerStatuses": statuses,
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
    }
    return {"status": status}


def custom_kind(group: str, version: str, plural: str, kind: str) -> Body:
    """Give a CustomResourceDefinition that accepts any content."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
        "versions": [
            {
                "name": version,
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
            }
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": meta(f"{plural}.{group}"),
        "spec": spec,
    }


def custom(api_version: str, kind: str, name: str, namespace: str, spec: Body) -> Body:
    """Give a custom resource."""
    return {"apiVersion": api_version, "kind": kind, "metadata": meta(name, namespace), "spec": spec}


def hash_of(text: str) -> int:
    """Turn a name into a number that is the same in every run."""
    return random.Random(text).getrandbits(60)
