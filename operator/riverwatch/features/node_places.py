"""Stage 3 state: the public addresses that kubelets call from.

Where nodes reach the API server over the internet, as managed clusters do by default, so do their pods: from the node's
own address or from the gateway that all share. A pod's token used from there is at home. Fed by the pipeline with what
kubelets did and nobody minded; bounded, the address learned longest ago is forgotten first.
"""

from __future__ import annotations

from collections.abc import Iterable

from riverwatch.activity import derived_request, identities, record

MAX_ADDRESSES = 10_000
"""Addresses remembered; twice the nodes of the largest supported cluster (5,000, Kubernetes documentation)."""

SETTLED_S = 60.0
"""Seconds of a stream in which kubelets may not have called yet; each renews a lease every ten seconds."""


class NodePlaces:
    """Public addresses of a cluster's nodes."""

    def __init__(self) -> None:
        self._addresses: dict[str, None] = {}

    def see(self, activity: record.Activity) -> None:
        """Learn from where a kubelet called; others teach nothing, nor does an address that a client can make up."""
        if activity.principal.kind is not identities.PrincipalKind.NODE or activity.failed:
            return
        address = activity.source_ip
        if activity.record.source_ips != [address] or not derived_request.is_public(address):
            return
        self._addresses[address] = None
        if len(self._addresses) > MAX_ADDRESSES:
            del self._addresses[next(iter(self._addresses))]

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

    def dump(self) -> list[str]:
        """Return plain data for a checkpoint."""
        return list(self._addresses)

    def load(self, data: list[str]) -> None:
        """Take over what `dump` returned."""
        self._addresses = dict.fromkeys(data)
