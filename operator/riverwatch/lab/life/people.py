"""People with kubectl: what a developer looks at, what on-call does at night, what support and admins do.

In: persons, the cluster's view. Out: acts, each one a sitting of several commands with pauses. A command asks what
kubectl asks: the object first, then the subresource. Called by `everyday`; happenings reuse the commands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec

from riverwatch.lab.attacks import base
from riverwatch.lab.company import bodies, founding, model, people, teams
from riverwatch.lab.life import acts, rhythm, view

SITTINGS = 9.0
"""Sittings a weekday of somebody of average pace."""

THINKING_S = (4.0, 90.0)
"""Shortest and longest pause between two commands, in seconds."""

Command = Callable[[random.Random, view.View, str], acts.Script]
"""Draws, view, namespace -> the requests of one command."""


def habits(seed: int, span: rhythm.Span, cluster: view.View, person: model.Person) -> Iterator[acts.Act]:
    """Give what one person does.

    Parameters
    ----------
    seed
        Of the recording.
    span
        When.
    cluster
        What they see.
    person
        Who.
    """
    rng = rhythm.seeded(seed, person.username)
    share = {base.Part.SUPPORT: 0.4, base.Part.ADMIN: 0.6, base.Part.ONCALL: 0.5}.get(person.part, 1.0)
    for time_s in rhythm.office(rng, span, SITTINGS * person.pace * share):
        yield acts.Act(time_s, person.username, sitting(cluster, person))
    if person.part is base.Part.ONCALL:
        # The pager goes off in one night out of three.
        for time_s in rhythm.daily(rng, span, rng.uniform(0, 4), spread_s=3 * rhythm.HOUR_S):
            if rng.random() < 0.33:
                yield acts.Act(time_s, person.username, sitting(cluster, person, commands=rng.randrange(4, 12)))


def sitting(cluster: view.View, person: model.Person, *, commands: int = 0) -> acts.Writer:
    """Give one sitting at the terminal.

    Parameters
    ----------
    cluster
        What the person sees.
    person
        Who.
    commands
        How many commands; 0 draws a number.
    """

    def write(rng: random.Random) -> acts.Script:
        everywhere = tuple(name for name in teams.NAMESPACES if name != "sandbox")
        namespace = rng.choice(person.namespaces or everywhere)
        if rng.random() < 0.3:
            yield from discover(rng)
        for _ in range(commands or rng.randrange(2, 9)):
            command = _choose(rng, person, namespace)
            yield from later(rng, command(rng, cluster, namespace))

    return write


def later(rng: random.Random, script: acts.Script) -> acts.Script:
    """Run a command after a pause for thought."""
    pause_s = rng.uniform(*THINKING_S)
    try:
        call = next(script)
        first = True
        while True:
            answer = yield msgspec.structs.replace(call, after_s=call.after_s + pause_s) if first else call
            first = False
            call = script.send(answer)
    except StopIteration:
        return


def discover(_: random.Random) -> acts.Script:
    """Find out what the API server offers, when the cache is old."""
    yield acts.Call("GET", "/api?timeout=32s")
    yield acts.Call("GET", "/apis?timeout=32s")


def get_pods(_: random.Random, __: view.View, namespace: str) -> acts.Script:
    """``kubectl get pods``."""
    yield acts.listing("pods", namespace)


def get_workloads(rng: random.Random, _: view.View, namespace: str) -> acts.Script:
    """``kubectl get deploy``, ``svc``, ``cm``, ``ing``, ``jobs`` or ``events``."""
    yield acts.listing(
        rng.choice(
            (
                "deployments",
                "deployments",
                "services",
                "configmaps",
                "ingresses",
                "jobs",
                "cronjobs",
                "events",
                "replicasets",
            )
        ),
        namespace,
    )


def get_nodes(_: random.Random, __: view.View, namespace: str) -> acts.Script:  # noqa: ARG001 - a `Command`
    """``kubectl get nodes``."""
    yield acts.listing("nodes")


def describe(rng: random.Random, cluster: view.View, namespace: str) -> acts.Script:
    """``kubectl describe pod``."""
    for pod in _one(rng, cluster, namespace):
        yield acts.get("pods", namespace, pod.name)
        selector = f"involvedObject.name={pod.name},involvedObject.namespace={namespace},involvedObject.uid={pod.uid}"
        yield acts.listing("events", namespace, fieldSelector=selector, limit=500)


def logs(rng: random.Random, cluster: view.View, namespace: str) -> acts.Script:
    """``kubectl logs``."""
    for pod in _one(rng, cluster, namespace):
        yield acts.get("pods", namespace, pod.name)
        yield acts.get(
            "pods", namespace, pod.name, "log", container=pod.app or "main", tailLines=rng.choice((50, 100, 500))
        )


def shell(rng: random.Random, cluster: view.View, namespace: str) -> acts.Script:
    """``kubectl exec -it ... -- sh``."""
    for pod in _one(rng, cluster, namespace):
        yield acts.get("pods", namespace, pod.name)
        command = rng.choice(("sh", "bash", "env", "ls", "ps"))
        target = acts.path(
            "pods",
            namespace,
            pod.name,
            "exec",
            command=command,
            container=pod.app or "main",
            stdin=True,
            stdout=True,
            tty=True,
        )
        yield acts.Call("GET", target, upgrade="websocket")


def forward(rng: random.Random, cluster: view.View, namespace: str) -> acts.Script:
    """``kubectl port-forward``."""
    for pod in _one(rng, cluster, namespace):
        yield acts.get("pods", namespace, pod.name)
        yield acts.Call("GET", acts.path("pods", namespace, pod.name, "portforward"), upgrade="websocket")


def restart(rng: random.Random, _: view.View, namespace: str) -> acts.Script:
    """``kubectl rollout restart`` and ``status``."""
    mine = [workload for workload in teams.WORKLOADS if workload.namespace == namespace]
    if mine:
        name = rng.choice(mine).name
        stamp = {
            "spec": {
                "template": {
                    "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": f"{rng.getrandbits(40):x}"}}
                }
            }
        }
        yield acts.get("deployments", namespace, name)
        yield acts.patch(
            "deployments",
            namespace,
            name,
            stamp,
            content_type=acts.STRATEGIC,
            settles=True,
            fieldManager="kubectl-rollout",
        )
        yield acts.listing(
            "deployments", namespace, fieldSelector=f"metadata.name={name}", limit=500, resourceVersion=0
        )
        yield acts.watch(rng, "deployments", namespace, fieldSelector=f"metadata.name={name}")


def edit_config(rng: random.Random, _: view.View, namespace: str) -> acts.Script:
    """``kubectl edit configmap``."""
    mine = [workload for workload in teams.WORKLOADS if workload.namespace == namespace]
    if mine:
        name = f"{rng.choice(mine).name}-config"
        yield acts.get("configmaps", namespace, name)
        yield acts.patch(
            "configmaps",
            namespace,
            name,
            {"data": {"level": rng.choice(("info", "debug"))}},
            after_s=rng.uniform(15, 120),
            fieldManager="kubectl-edit",
        )


def read_secret(rng: random.Random, _: view.View, namespace: str) -> acts.Script:
    """``kubectl get secret -o yaml`` for a service's login."""
    mine = [name for workload in teams.WORKLOADS if workload.namespace == namespace for name in workload.secrets]
    if mine:
        yield acts.get("secrets", namespace, rng.choice(mine))


def can_i(rng: random.Random, _: view.View, namespace: str) -> acts.Script:
    """``kubectl auth can-i``."""
    attributes = {
        "namespace": namespace,
        "verb": rng.choice(("get", "create", "delete")),
        "resource": rng.choice(("pods", "secrets", "deployments")),
    }
    yield acts.create(
        "selfsubjectaccessreviews",
        "",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )


def try_out(rng: random.Random, _: view.View, __: str) -> acts.Script:
    """``kubectl run`` in the sandbox, look at it, delete it."""
    name = f"{rng.choice(('try', 'debug', 'curl', 'psql', 'demo'))}-{rng.getrandbits(16):04x}"
    image = rng.choice(("curlimages/curl:8.16.0", "postgres:17", "busybox:1.37", f"{model.REGISTRY}/tools/shell:3"))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": bodies.meta(name, "sandbox", labels={"run": name}),
        "spec": {"containers": [{"name": name, "image": image, "args": ["sleep", "600"]}]},
    }
    yield acts.create("pods", "sandbox", pod, settles=True, fieldManager="kubectl-run")
    yield acts.get("pods", "sandbox", name, after_s=5)
    yield acts.get("pods", "sandbox", name, "log", container=name, after_s=20)
    yield acts.delete("pods", "sandbox", name, after_s=rng.uniform(60, 900), settles=True)


def drop_pod(rng: random.Random, cluster: view.View, namespace: str) -> acts.Script:
    """``kubectl delete pod``, to have it started again."""
    for pod in _one(rng, cluster, namespace):
        yield acts.delete("pods", namespace, pod.name, settles=True)


def see_as(rng: random.Random, _: view.View, namespace: str) -> acts.Script:
    """``kubectl --as``: look at a problem with somebody else's eyes."""
    person = rng.choice([one for one in people.PEOPLE if one.part is base.Part.DEVELOPER])
    place = rng.choice(person.namespaces) or namespace
    for resource in rng.sample(("pods", "deployments", "events", "services"), 2):
        yield acts.Call("GET", acts.path(resource, place, limit=500), impersonate=(person.username, person.team))


def administer(rng: random.Random, _: view.View, __: str) -> acts.Script:
    """Look after the cluster as its owner."""
    resource = rng.choice(
        (
            "nodes",
            "namespaces",
            "clusterroles",
            "clusterrolebindings",
            "customresourcedefinitions",
            "persistentvolumes",
            "storageclasses",
            "networkpolicies",
        )
    )
    yield acts.listing(resource)
    if rng.random() < 0.12:
        namespace = rng.choice(founding.GITOPS_NAMESPACES)
        yield acts.patch(
            "namespaces",
            "",
            namespace,
            {"metadata": {"labels": {"reviewed": f"{rng.randrange(10, 28)}"}}},
            after_s=20,
            fieldManager="kubectl-label",
        )


DEVELOPER: tuple[tuple[Command, float], ...] = (
    (get_pods, 30),
    (get_workloads, 22),
    (describe, 12),
    (logs, 20),
    (shell, 2.5),
    (forward, 3),
    (restart, 1.5),
    (edit_config, 1.2),
    (read_secret, 1.0),
    (can_i, 0.6),
    (drop_pod, 1.0),
    (get_nodes, 1.5),
)
"""Commands of a developer and how common they are."""

ONCALL: tuple[tuple[Command, float], ...] = (
    (get_pods, 30),
    (get_workloads, 15),
    (describe, 20),
    (logs, 30),
    (shell, 5),
    (forward, 2),
    (restart, 2.5),
    (drop_pod, 3),
    (get_nodes, 8),
)
"""Commands of somebody on call and how common they are."""


def _choose(rng: random.Random, person: model.Person, namespace: str) -> Command:
    """Choose a command that suits the person."""
    if person.part is base.Part.SUPPORT:
        return see_as
    if person.part is base.Part.ADMIN and rng.random() < 0.7:
        return administer
    if namespace == "sandbox":
        return rng.choice((try_out, get_pods))
    table = DEVELOPER if person.part is base.Part.DEVELOPER else ONCALL
    return rng.choices([command for command, _ in table], weights=[weight for _, weight in table])[0]


def _one(rng: random.Random, cluster: view.View, namespace: str) -> list[view.Pod]:
    """Choose one running pod; none when nothing runs."""
    pods = list(cluster.pods(namespace))
    return [rng.choice(pods)] if pods else []
