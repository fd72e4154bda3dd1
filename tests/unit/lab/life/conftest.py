"""A cluster that habits can look at: one running pod of every replica, and nothing that changes."""

from __future__ import annotations

import pytest

from riverwatch.lab import world
from riverwatch.lab.company import commons, model, system, teams
from riverwatch.lab.life import view


class StillCluster:
    """A view on which nothing moves."""

    now_s = world.START_S

    def __init__(self) -> None:
        self.joined: list[str] = []
        self.left: list[str] = []
        self.known: list[model.Workload] = []
        self.all = [
            view.Pod(
                workload.namespace,
                f"{workload.name}-7d4-{number}",
                f"uid-{workload.namespace}-{workload.name}-{number}",
                workload.account or "default",
                workload.name,
                {"metadata": {}, "spec": {"containers": [{"name": workload.name, "image": workload.image}]}},
                node=system.NODES[number % len(system.NODES)].name,
                running=True,
                token="t",
            )
            for workload in (*commons.WORKLOADS, *teams.WORKLOADS)
            for number in range(workload.replicas)
        ]

    def pods(self, namespace: str = "", *, app: str = "", node: str = "") -> list[view.Pod]:
        return [
            pod
            for pod in self.all
            if namespace in {"", pod.namespace} and app in {"", pod.app} and node in {"", pod.node}
        ]

    def keep_token(self, uid: str, token: str) -> None:
        pass

    def join(self, machine: model.Node) -> None:
        self.joined.append(machine.name)

    def cordon(self, name: str) -> None:
        pass

    def leave(self, name: str) -> None:
        self.left.append(name)

    def know_workload(self, workload: model.Workload) -> None:
        self.known.append(workload)


@pytest.fixture
def cluster() -> StillCluster:
    """A cluster on which nothing moves."""
    return StillCluster()
