"""What kubelets, the scheduler and the parts of every node ask of the API server.

In: a node, the cluster's view. Out: acts. `start_pod`, `finish_pod`, `end_pod` and `place_pod` are the cluster's own
reactions; `habits` is what goes on all day. Called by `recording.cluster` and by `life.everyday`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from riverwatch.lab import world
from riverwatch.lab.company import bodies, model
from riverwatch.lab.life import acts, rhythm, view

TOKEN_S = 14400.0
"""Age at which a pod's token is renewed, in seconds; kubelets do it after 48 minutes, this keeps recordings small."""

HEARTBEAT_S = 2700.0
"""Seconds between status reports; kubelets send one every 5 minutes, and whenever something changes."""

LEASE_S = 2700.0
"""Seconds between renewals of a node's lease; kubelets renew every 10 seconds, which most audit policies leave out."""


def place_pod(pod: view.Pod, node: str) -> acts.Writer:
    """Bind a pod to a node, as the scheduler does."""
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "target": target,
    }
    return acts.calls(acts.create("pods", pod.namespace, body, name=pod.name, sub="binding"))


def token_request(pod: view.Pod) -> acts.Call:
    """Ask for the token that is mounted into a pod."""
    bound = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
    spec = {
        "audiences": None,
        "expirationSeconds": 3607,
        "boundObjectRef": bound,
    }
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": {"token": "", "expirationTimestamp": None},
    }
    return acts.create("serviceaccounts", pod.namespace, body, name=pod.account, sub="token", reads=True)


def renew_token(cluster: view.View, pod: view.Pod) -> acts.Script:
    """Ask for a pod's token and keep it."""
    answer = yield token_request(pod)
    status = answer.body().get("status")
    if answer.ok and isinstance(status, dict):
        cluster.keep_token(pod.uid, str(status["token"]))


def start_pod(cluster: view.View, pod: view.Pod, machine: model.Node) -> acts.Writer:
    """Bring a pod up: its token, what it refers to, its status."""

    def write(rng: random.Random) -> acts.Script:
        yield from renew_token(cluster, pod)
        for resource, name in references(pod):
            yield acts.listing(
                resource, pod.namespace, fieldSelector=f"metadata.name={name}", limit=500, resourceVersion=0
            )
            yield acts.watch(rng, resource, pod.namespace, fieldSelector=f"metadata.name={name}")
        status = bodies.pod_running(pod.body, address=pod.address, host=machine.address, time_s=cluster.now_s)
        yield acts.get("pods", pod.namespace, pod.name, after_s=rng.uniform(0.3, 2.0))
        yield acts.patch("pods", pod.namespace, pod.name, status, sub="status", content_type=acts.STRATEGIC)

    return write


def finish_pod(cluster: view.View, pod: view.Pod, machine: model.Node) -> acts.Writer:
    """Report that a job's pod has ended well."""

    def write(_: random.Random) -> acts.Script:
        status = bodies.pod_running(
            pod.body, address=pod.address, host=machine.address, time_s=cluster.now_s, succeeded=True
        )
        yield acts.patch("pods", pod.namespace, pod.name, status, sub="status", content_type=acts.STRATEGIC)

    return write


def end_pod(pod: view.Pod) -> acts.Writer:
    """Take away a pod whose deletion was asked for."""

    def write(rng: random.Random) -> acts.Script:
        yield acts.get("pods", pod.namespace, pod.name)
        condition = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "PodFailed"}]}}
        yield acts.patch("pods", pod.namespace, pod.name, condition, sub="status", content_type=acts.STRATEGIC)
        now = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        yield acts.delete(
            "pods",
            pod.namespace,
            pod.name,
            body={"kind": "DeleteOptions", "apiVersion": "v1", **now},
            after_s=rng.uniform(0.1, 1.0),
        )

    return write


def references(pod: view.Pod) -> Iterator[tuple[str, str]]:
    """Give resource and name of what a pod's environment comes from, and of the CA bundle every pod mounts."""
    yield "configmaps", "kube-root-ca.crt"
    spec = pod.body.get("spec")
    assert isinstance(spec, dict)
    for container in spec["containers"]:
        for source in container.get("envFrom", ()):
            if "secretRef" in source:
                yield "secrets", source["secretRef"]["name"]
            if "configMapRef" in source:
                yield "configmaps", source["configMapRef"]["name"]


def habits(seed: int, span: rhythm.Span, cluster: view.View, machine: model.Node, *, port: int) -> Iterator[acts.Act]:
    """Give what one node does all day.

    Parameters
    ----------
    seed
        Of the recording.
    span
        When it runs.
    cluster
        What it sees.
    machine
        The node.
    port
        Where its kubelet answers the API server.
    """

    def times(name: str, period_s: float) -> Iterator[float]:
        return rhythm.every(rhythm.seeded(seed, machine.name, name), span, period_s)

    who = machine.username
    for time_s in times("status", HEARTBEAT_S):
        status = {"status": {"conditions": bodies.node_status(machine, port=port, time_s=time_s)["conditions"]}}
        yield acts.Act(
            time_s,
            who,
            acts.calls(
                acts.get("nodes", "", machine.name, resourceVersion=0),
                acts.patch("nodes", "", machine.name, status, sub="status", content_type=acts.STRATEGIC),
            ),
        )
    for time_s in times("lease", LEASE_S):
        yield acts.Act(time_s, who, lease("kube-node-lease", machine.name, machine.name, time_s))
    for time_s in times("tokens", TOKEN_S / 9):
        yield acts.Act(time_s, who, _renewals(cluster, machine))
    for time_s in times("watches", 3600.0):
        yield acts.Act(time_s, who, _watches(machine))
    for time_s in times("references", 3600.0):
        yield acts.Act(time_s, who, _references(cluster, machine))
    for time_s in times("scrapes", 7200.0):
        yield acts.Act(time_s, who, _reviews)


def lease(namespace: str, name: str, holder: str, time_s: float) -> acts.Writer:
    """Renew a lease, or make it when it is not there."""

    def write(_: random.Random) -> acts.Script:
        now = world.rfc3339(time_s)
        answer = yield acts.get("leases", namespace, name, reads=True)
        spec: bodies.Body = {"holderIdentity": holder, "leaseDurationSeconds": 40, "renewTime": now}
        if answer.status == 404:
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": bodies.meta(name, namespace),
                "spec": spec,
            }
            yield acts.create("leases", namespace, body)
        elif answer.ok:
            yield acts.replace("leases", namespace, name, {**answer.body(), "spec": spec})

    return write


def _renewals(cluster: view.View, machine: model.Node) -> acts.Writer:
    """Renew the tokens that are old enough."""

    def write(_: random.Random) -> acts.Script:
        for pod in list(cluster.pods(node=machine.name)):
            if cluster.now_s - pod.renewed_s > TOKEN_S * 0.8:
                yield from renew_token(cluster, pod)

    return write


def _watches(machine: model.Node) -> acts.Writer:
    """Renew one of the watches that every kubelet keeps."""

    def write(rng: random.Random) -> acts.Script:
        resource = rng.choice(("pods", "nodes", "services", "csidrivers", "runtimeclasses"))
        own = {"pods": f"spec.nodeName={machine.name}", "nodes": f"metadata.name={machine.name}"}
        if resource in own:
            yield acts.watch(rng, resource, fieldSelector=own[resource])
        else:
            yield acts.watch(rng, resource)

    return write


def _references(cluster: view.View, machine: model.Node) -> acts.Writer:
    """Renew the watch on a secret or config map that one of the node's pods uses."""

    def write(rng: random.Random) -> acts.Script:
        pods = list(cluster.pods(node=machine.name))
        if pods:
            pod = rng.choice(pods)
            resource, name = rng.choice(list(references(pod)))
            yield acts.watch(rng, resource, pod.namespace, fieldSelector=f"metadata.name={name}")

    return write


def _reviews(_: random.Random) -> acts.Script:
    """Ask who scrapes the kubelet, and whether they may."""
    user = "system:serviceaccount:monitoring:prometheus-k8s"
    attributes = {"path": "/metrics", "verb": "get"}
    yield acts.create(
        "subjectaccessreviews",
        "",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "nonResourceAttributes": attributes},
        },
    )
