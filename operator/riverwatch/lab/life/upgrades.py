"""A cluster upgrade: new nodes join with a newer kubelet, old ones are drained and removed.

In: `odd.Given`. Out: acts of an admin and of the new kubelets. Called by `happenings`.
"""

from __future__ import annotations

import random

import msgspec

from riverwatch.lab import world
from riverwatch.lab.company import bodies, model, system
from riverwatch.lab.life import acts, nodes, odd, onboarding, rhythm

STEP_S = 1500.0
"""Seconds between the replacement of one node and the next."""

REPLACED = (system.NODES[1], system.NODES[3])
"""The nodes that go."""


def replace_nodes(given: odd.Given) -> list[acts.Act]:
    """Replace two nodes, one after the other."""
    found: list[acts.Act] = []
    for number, (old, new) in enumerate(zip(REPLACED, system.NEW_NODES, strict=True)):
        after_s = number * STEP_S
        found.append(given.act(after_s, onboarding.ADMIN.username, _join(given, new)))
        found.append(given.act(after_s + 300, onboarding.ADMIN.username, _drain(given, old)))
        begin = rhythm.Span(given.start_s + after_s + 240, given.span.end_s)
        everyday = list(nodes.habits(given.seed, begin, given.cluster, new, port=given.port))
        found += given.labelled(acts.in_order(everyday), lasts_s=world.DAY_S)
    return found


def _join(given: odd.Given, machine: model.Node) -> acts.Writer:
    """Have a new node register itself while an admin looks on."""

    def write(rng: random.Random) -> acts.Script:
        yield acts.listing("nodes")
        given.cluster.join(machine)
        register = acts.Call(
            "POST", acts.path("nodes"), bodies.node(machine, port=given.port), who=machine.username, settles=True
        )
        yield msgspec.structs.replace(register, after_s=20.0)
        report = acts.patch(
            "nodes",
            "",
            machine.name,
            {"status": bodies.node_status(machine, port=given.port, time_s=given.cluster.now_s)},
            sub="status",
            content_type=acts.STRATEGIC,
        )
        yield msgspec.structs.replace(report, who=machine.username)
        yield acts.listing("nodes", after_s=rng.uniform(30, 60))

    return write


def _drain(given: odd.Given, machine: model.Node) -> acts.Writer:
    """``kubectl drain`` a node, then delete it."""

    def write(rng: random.Random) -> acts.Script:
        yield acts.get("nodes", "", machine.name)
        given.cluster.cordon(machine.name)
        yield acts.patch(
            "nodes",
            "",
            machine.name,
            {"spec": {"unschedulable": True}},
            content_type=acts.STRATEGIC,
            fieldManager="kubectl-drain",
        )
        yield acts.listing("pods", fieldSelector=f"spec.nodeName={machine.name}", limit=500)
        for pod in list(given.cluster.pods(node=machine.name)):
            if _daemon(pod.body):
                yield acts.get("daemonsets", pod.namespace, pod.app)
                continue
            eviction = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": pod.name, "namespace": pod.namespace},
            }
            yield acts.create("pods", pod.namespace, eviction, name=pod.name, sub="eviction", settles=True)
            yield acts.get("pods", pod.namespace, pod.name, after_s=rng.uniform(2, 6))
        yield acts.delete("nodes", "", machine.name, after_s=rng.uniform(60, 200))
        given.cluster.leave(machine.name)

    return write


def _daemon(body: dict[str, object]) -> bool:
    """Say whether a DaemonSet owns a pod."""
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    return any(owner["kind"] == "DaemonSet" for owner in metadata.get("ownerReferences", ()))
