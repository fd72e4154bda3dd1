"""Stage 3 state, the inventory: what the cluster's objects say about identities and addresses.

Fed by `control` from watches, or by `replay --objects`; asked by `runtime.pipeline` for every activity that is not
routine. Only the fields that are asked for are kept. Owned by the pipeline; an object leaves when its watch says so,
and ended pods are remembered for `ENDED_KEEP` so that a token used after its pod's end is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from riverwatch.activity import identities

ENDED_KEEP = 5_000
"""Ended pods remembered."""

SIBLING_LABELS = ("app.kubernetes.io/part-of", "app.kubernetes.io/name", "helm.sh/chart", "app")
"""Labels of a service account that say which accounts are made alike, the first that is set counts."""


class Pod(msgspec.Struct, frozen=True):
    """What is kept of a pod."""

    namespace: str
    name: str
    service_account: str
    node: str
    addresses: tuple[str, ...]
    host_network: bool


class Inventory:
    """Objects of one cluster, as far as detection asks for them."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], Pod] = {}
        self._by_address: dict[str, tuple[str, str]] = {}
        self._ended: dict[tuple[str, str], None] = {}
        self._siblings: dict[str, str] = {}
        self.namespace_labels: dict[str, dict[str, str]] = {}
        self.edition = 0
        """Counts all changes."""
        self.version = 0
        """Counts the changes of namespace labels, so that policies are compiled anew only then."""

    def upsert(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take over one object; kinds that nothing asks for are passed over."""
        self.edition += 1
        metadata = body.get("metadata") or {}
        if kind == "Pod":
            self._upsert_pod(metadata, body)
        elif kind == "Namespace":
            self.namespace_labels[str(metadata.get("name", ""))] = dict(metadata.get("labels") or {})
            self.version += 1
        elif kind == "ServiceAccount":
            labels = metadata.get("labels") or {}
            group = next((f"{name}={labels[name]}" for name in SIBLING_LABELS if labels.get(name)), "")
            username = f"{identities.SERVICE_ACCOUNT_PREFIX}{metadata.get('namespace', '')}:{metadata.get('name', '')}"
            if group:
                self._siblings[username] = group
            else:
                self._siblings.pop(username, None)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Forget one object; a pod is remembered as ended."""
        self.edition += 1
        if kind == "Pod":
            self._drop_pod((namespace, name))
            self._ended[(namespace, name)] = None
            if len(self._ended) > ENDED_KEEP:
                del self._ended[next(iter(self._ended))]
        elif kind == "Namespace":
            self.namespace_labels.pop(name, None)
            self.version += 1
        elif kind == "ServiceAccount":
            self._siblings.pop(f"{identities.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", None)

    def dump(self) -> list[list[str]]:
        """Return the ended pods as plain data for a checkpoint; everything else is told anew by the watches."""
        return [list(key) for key in self._ended]

    def load(self, data: list[list[str]]) -> None:
        """Take over what `dump` returned; pods that run are left alone."""
        ended = [(namespace, name) for namespace, name in data]
        self._ended.update((key, None) for key in ended if key not in self._pods)

    def _upsert_pod(self, metadata: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        spec, status = body.get("spec") or {}, body.get("status") or {}
        key = (str(metadata.get("namespace", "")), str(metadata.get("name", "")))
        listed = [str(item.get("ip", "")) for item in status.get("podIPs") or ()] or [str(status.get("podIP") or "")]
        self._drop_pod(key)
        pod = Pod(
            *key,
            str(spec.get("serviceAccountName") or "default"),
            str(spec.get("nodeName") or ""),
            tuple(address for address in listed if address),
            bool(spec.get("hostNetwork")),
        )
        self._pods[key] = pod
        self._ended.pop(key, None)
        if not pod.host_network:
            self._by_address.update(dict.fromkeys(pod.addresses, key))

    def _drop_pod(self, key: tuple[str, str]) -> None:
        pod = self._pods.pop(key, None)
        if pod is not None:
            for address in pod.addresses:
                if self._by_address.get(address) == key:
                    del self._by_address[address]

    def own_pod(self, principal: identities.Principal, address: str) -> bool:
        """Tell whether the address belongs to a pod that runs as this service account."""
        key = self._by_address.get(address)
        return key is not None and key[0] == principal.namespace and self._pods[key].service_account == principal.name

    def pod_addresses(self, namespace: str, name: str) -> tuple[str, ...]:
        """Return the addresses of a running pod with a network of its own; empty when unknown."""
        pod = self._pods.get((namespace, name))
        return () if pod is None or pod.host_network else pod.addresses

    def runs_as(self, namespace: str, name: str) -> str:
        """Return the user name of the service account that a pod runs as; empty when the pod is unknown."""
        pod = self._pods.get((namespace, name))
        return "" if pod is None else f"{identities.SERVICE_ACCOUNT_PREFIX}{namespace}:{pod.service_account}"

    def ended(self, namespace: str, name: str) -> bool:
        """Tell whether the pod was seen to end."""
        return (namespace, name) in self._ended

    def siblings(self, principal: identities.Principal) -> str:
        """Return the group of identities made alike, empty when the inventory knows none."""
        return self._siblings.get(principal.username, "")
