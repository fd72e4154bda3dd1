"""Stage 2 state: who stands behind what a controller does.

A Deployment's pods are made by `replicaset-controller`; the author is whoever wrote the Deployment. `Authors` remembers
the recent writer of each workload and the owners of what controllers made, and follows the chain of owners upwards.
Bounded, plain data, time-free. Held by `runtime.pipeline`: `observe` each write, ask `author_of` when a controller's
action matters.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from riverwatch import errors
from riverwatch.activity import derived_facts as df
from riverwatch.activity import derived_request

MAX_OBJECTS = 20_000
"""Workloads whose writer is remembered: those of a large cluster, about 6 MB."""

MAX_CHAIN = 6
"""Owners followed upwards; the longest chain of Kubernetes' own is pod, job, cron job."""

KINDS = {
    "deployments": "Deployment",
    "daemonsets": "DaemonSet",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "jobs": "Job",
    "cronjobs": "CronJob",
}
"""Resource -> kind, for the workloads that own others."""

Key = tuple[str, str, str]
"""Kind, namespace and name of an object."""


class Authors:
    """Recent writers of workloads, and the owners of what controllers made."""

    __slots__ = ("_owners", "_writers")

    def __init__(self) -> None:
        self._writers: OrderedDict[Key, str] = OrderedDict()
        self._owners: OrderedDict[Key, Key] = OrderedDict()

    def observe(self, facts: df.Facts) -> None:
        """Learn from one record; anything but a successful write of a workload is passed over."""
        activity = facts.activity
        kind = KINDS.get(activity.resource)
        if kind is None or activity.subresource or activity.verb not in df.WRITE_VERBS or activity.failed:
            return
        key = (kind, activity.namespace, activity.name or _name(facts))
        if not key[2]:
            return
        if not derived_request.is_controller(facts):
            _remember(self._writers, key, activity.actor.username)
            return
        owner = _owner(facts)
        if owner is not None:
            _remember(self._owners, key, owner)

    def author_of(self, facts: df.Facts) -> str:
        """Return the user name behind a controller's action; empty when it acts by itself or nothing is known."""
        if not derived_request.is_controller(facts):
            return ""
        key = _owner(facts)
        for _ in range(MAX_CHAIN):
            if key is None:
                return ""
            above = self._owners.get(key)
            if above is None:
                return self._writers.get(key, "")
            key = above
        return ""

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {
            "writers": [[*key, writer] for key, writer in self._writers.items()],
            "owners": [[*key, *owner] for key, owner in self._owners.items()],
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over a state.

        Raises
        ------
        StateError
            When the data has another shape.
        """
        try:
            writers = OrderedDict(((str(k), str(ns), str(n)), str(who)) for k, ns, n, who in data["writers"])
            owners = OrderedDict(
                ((str(k), str(ns), str(n)), (str(ok), str(ons), str(on))) for k, ns, n, ok, ons, on in data["owners"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise errors.StateError(f"state of authors has another shape: {error}") from error
        self._writers, self._owners = writers, owners


def _remember(memory: OrderedDict[Key, Any], key: Key, value: object) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MAX_OBJECTS:
        memory.popitem(last=False)


def _owner(facts: df.Facts) -> Key | None:
    for document in (*facts.documents, df.as_dict(facts.response_object)):
        for reference in df.as_list(df.dig(document, "metadata", "ownerReferences")):
            if df.dig(reference, "controller") is True:
                kind, name = df.as_text(df.dig(reference, "kind")), df.as_text(df.dig(reference, "name"))
                return (kind, facts.activity.namespace, name)
    return None


def _name(facts: df.Facts) -> str:
    for document in (*facts.documents, df.as_dict(facts.response_object)):
        name = df.as_text(df.dig(document, "metadata", "name"))
        if name:
            return name
    return ""
