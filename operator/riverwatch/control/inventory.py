"""Follows pods, accounts, roles, bindings, nodes and owners -> `pipeline.inventory`, without writing to any of them.

Bodies are cut to what the inventory reads before they wait for the worker: in a large cluster a pod's body is 5 KB, of
which 1 KB matters. Environment variables and annotations are never kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from riverwatch.control import watched
from riverwatch.kube import resources

Change = Callable[[str, Mapping[str, Any] | None, watched.Key], None]
"""Told kind, cut body (None when it is gone) and key."""

_METADATA = ("name", "namespace", "uid", "labels", "ownerReferences", "creationTimestamp", "deletionTimestamp")
_POD_SPEC = (
    "serviceAccountName",
    "nodeName",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "automountServiceAccountToken",
)
_POD_STATUS = ("phase", "podIP", "podIPs", "hostIP", "hostIPs", "startTime")
_CONTAINER = ("name", "image", "securityContext")


class InventoryFeed:
    """Hands cut bodies on.

    Parameters
    ----------
    change
        Takes each change; called from the watch's thread.
    """

    follows = (
        resources.NAMESPACES,
        resources.NODES,
        resources.SERVICE_ACCOUNTS,
        resources.PODS,
        resources.REPLICA_SETS,
        resources.DEPLOYMENTS,
        resources.ROLES,
        resources.CLUSTER_ROLES,
        resources.ROLE_BINDINGS,
        resources.CLUSTER_ROLE_BINDINGS,
    )

    def __init__(self, change: Change) -> None:
        self._change = change
        self._lock = threading.Lock()
        self._versions: dict[resources.Resource, dict[watched.Key, int]] = {one: {} for one in self.follows}

    def take(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:
        """Hand an object on, unless nothing that matters has changed."""
        key = watched.key_of(body)
        small = cut(resource, body)
        print_ = hash(repr(small))
        with self._lock:
            if self._versions[resource].get(key) == print_:
                return
            self._versions[resource][key] = print_
        self._change(resource.kind, small, key)

    def forget(self, resource: resources.Resource, key: watched.Key) -> None:
        """Hand a removal on."""
        with self._lock:
            self._versions[resource].pop(key, None)
        self._change(resource.kind, None, key)

    def known(self, resource: resources.Resource) -> Iterable[watched.Key]:
        """Return what was handed on."""
        with self._lock:
            return list(self._versions[resource])


def cut(resource: resources.Resource, body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the inventory reads.

    Examples
    --------
    >>> cut(resources.PODS, {"metadata": {"name": "a"}, "spec": {"nodeName": "n", "priority": 0}})["spec"]
    {'nodeName': 'n'}
    """
    metadata = body.get("metadata") or {}
    small: dict[str, Any] = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": _only(metadata, _METADATA),
    }
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if resource is resources.PODS:
        small["spec"] = _pod_spec(spec)
        small["status"] = _only(status, _POD_STATUS)
    elif resource is resources.NODES:
        small["status"] = _only(status, ("addresses",))
        small["spec"] = _only(spec, ("podCIDR", "podCIDRs"))
    elif resource in (resources.DEPLOYMENTS, resources.REPLICA_SETS):
        template = (spec.get("template") or {}).get("spec") or {}
        small["spec"] = _only(spec, ("replicas",)) | {"template": {"spec": _pod_spec(template)}}
    else:
        small |= _only(body, ("rules", "aggregationRule", "subjects", "roleRef", "automountServiceAccountToken"))
    return small


def _pod_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    small = _only(spec, _POD_SPEC)
    containers = spec.get("containers")
    if containers:
        small["containers"] = [_only(one, _CONTAINER) for one in containers]
    secrets = [volume["secret"].get("secretName") for volume in spec.get("volumes") or () if volume.get("secret")]
    if secrets:
        small["volumes"] = [{"secret": {"secretName": name}} for name in secrets]
    return small


def _only(source: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: source[name] for name in names if source.get(name) is not None}
