"""The cluster's objects at the start of a recording, as ``kubectl get -o yaml`` would have shown them.

In: the API server, read by the lab's observer. Out: one ``v1`` List in ``objects.yaml``. Secrets and config maps are
left out. Invariant: nothing of the lab's own (its observer, its loopback addresses) is in it. Called by `recorder`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import yaml

from riverwatch.lab import world
from riverwatch.lab.company import bodies
from riverwatch.lab.life import acts
from riverwatch.lab.recording import wire

FILE = "objects.yaml"
"""Name of the file."""

SHOWN = {
    "namespaces": "Namespace",
    "nodes": "Node",
    "serviceaccounts": "ServiceAccount",
    "pods": "Pod",
    "services": "Service",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "daemonsets": "DaemonSet",
    "cronjobs": "CronJob",
    "jobs": "Job",
    "roles": "Role",
    "rolebindings": "RoleBinding",
    "clusterroles": "ClusterRole",
    "clusterrolebindings": "ClusterRoleBinding",
}
"""Resources that are written down, and their kinds."""


async def read(channel: wire.Wire, observer: world.Session) -> list[dict[str, Any]]:
    """Read all objects.

    Parameters
    ----------
    channel
        Connections.
    observer
        Who reads.
    """
    found: list[dict[str, Any]] = []
    for resource, kind in SHOWN.items():
        group, version, _ = acts.KINDS[resource]
        answer = await channel.send(acts.listing(resource, reads=True, limit=0), observer, audit_id="")
        items = answer.body()["items"]
        assert isinstance(items, list)
        for item in items:
            _clean(resource, item)
            found.append({"apiVersion": f"{group}/{version}" if group else version, "kind": kind, **item})
    return found


def write(folder: pathlib.Path, objects: list[dict[str, Any]], *, times: Callable[[Any], Any]) -> None:
    """Write the file.

    Parameters
    ----------
    folder
        The recording.
    objects
        As read.
    times
        Rewrites the times inside an object.
    """
    body = {
        "apiVersion": "v1",
        "kind": "List",
        "metadata": {"resourceVersion": ""},
        "items": [times(item) for item in objects],
    }
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    (folder / FILE).write_text(yaml.dump(body, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _clean(resource: str, item: dict[str, Any]) -> None:
    """Take out what belongs to this machine, and what nobody reads."""
    item["metadata"].pop("managedFields", None)
    if resource == "nodes":
        status = item["status"]
        status["addresses"] = [address for address in status["addresses"] if address["type"] != "ExternalDNS"]
        status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": bodies.KUBELET_PORT}}
