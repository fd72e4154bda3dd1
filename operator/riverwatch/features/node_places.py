"""Stage 3 state: the addresses that kubelets call from.

Where nodes reach the API server over the internet, as managed clusters do by default, so do their pods: from the node's
own address or from the gateway that all share. A pod's token used from there is at home. Where pods call from their
nodes' addresses, a token that names one node and is used from another was carried there. Fed by the pipeline with what
kubelets did and nobody minded; bounded, what was learned longest ago is forgotten first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from riverwatch.activity import derived_request, identities, record

MAX_ADDRESSES = 10_000
"""Addresses remembered; twice the nodes of the largest supported cluster (5,000, Kubernetes documentation)."""

SETTLED_S = 60.0
"""Seconds of a stream in which kubelets may not have called yet; each renews a lease every ten seconds."""

MAX_PER_NODE = 4
"""Addresses remembered of one node, the latest ones: dual stack, and one that came back with another address."""


class NodePlaces:
    """Addresses of a cluster's nodes."""

    def __init__(self) -> None:
        self._addresses: dict[str, None] = {}
        """Public ones."""
        self._nodes: dict[str, tuple[str, ...]] = {}
        """Node -> all of its."""

    def see(self, activity: record.Activity) -> None:
        """Learn from where a kubelet called; others teach nothing, nor does an address that a client can make up."""
        if activity.principal.kind is not identities.PrincipalKind.NODE or activity.failed:
            return
        address = activity.source_ip
        if activity.record.source_ips != [address]:
            return
        self._note(activity.principal.name, address)
        if not derived_request.is_public(address):
            return
        self._addresses[address] = None
        if len(self._addresses) > MAX_ADDRESSES:
            del self._addresses[next(iter(self._addresses))]

    def of(self, node: str) -> tuple[str, ...]:
        """Return where a node's kubelet called from, empty when it did not yet."""
        return self._nodes.get(node, ())

    def _note(self, node: str, address: str) -> None:
        known = self._nodes.get(node, ())
        if address not in known:
            self._nodes[node] = (*known, address)[-MAX_PER_NODE:]
            if len(self._nodes) > MAX_ADDRESSES:
                del self._nodes[next(iter(self._nodes))]

    def explain(self, addresses: Iterable[str] | None, *, age_s: float) -> bool:
        """Tell whether all public addresses of a request are nodes' own, or nobody can know yet.

        Parameters
        ----------
        addresses
            `sourceIPs` of the record.
        age_s
            Seconds since the first record of the stream.
        """
        if not self._addresses and age_s < SETTLED_S:
            return True
        return all(one in self._addresses for one in addresses or () if derived_request.is_public(one))

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [list(self._addresses), {node: list(one) for node, one in self._nodes.items()}]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        stored: list[Any] = data
        if not stored or isinstance(stored[0], str):
            # As it was stored before nodes were told apart.
            stored = [stored, {}]
        self._addresses = dict.fromkeys(stored[0])
        self._nodes = {node: tuple(one) for node, one in stored[1].items()}
