"""Stage 4b, the credential model: one credential is used from two places.

A pod-bound token names itself in ``user.extra`` (``authentication.kubernetes.io/credential-id``; before Kubernetes 1.30
only its pod, whose uid stands for it) and belongs to one pod, which has one address; a kubelet's certificate belongs to
one node. Use from a second address is near-certain theft, unless this cluster's network makes it common (proxies,
address translation), which the model learns:

    P(a credential moves) = (PRIOR + moved) / (1 + credentials seen more than once)

kept per kind of credential. Where the inventory knows the pod's address or its end, an earlier token of the same pod
was used, or pods call from their nodes' addresses, the first use can already be judged:

    P(not from its node) = (PRIOR + tokens used from elsewhere) / (1 + tokens whose node's address was known)

which is near 1, and says nothing, where pods call from addresses of their own. Where pods show now their node's address
and now their own, as beside an API server, either is where the token belongs. One estimator for the cluster, owned by
`models.bank`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from typing import Any

import msgspec
from river import base as river_base

from riverwatch.features import attributes
from riverwatch.models import base

CARD = base.ModelCard(
    name="credential-binding",
    summary="A pod-bound token or a node certificate used from an address that is not its own.",
    inputs=("credential", "address"),
    warm_up="about 20 credentials that were used twice",
    memory="at most 20,000 credentials, about 300 bytes each",
    blind_spots=(
        "Tokens that name neither themselves nor a pod (legacy tokens), kubelets before Kubernetes 1.30.",
        "Use from inside the pod, from another pod behind the same address, or from where tokens are handed on.",
        "Use from the pod's node, where pods call now from their own address and now from their node's.",
    ),
)

MAX_CREDENTIALS = 20_000
"""Credentials remembered; the one learned longest ago goes first. Tokens live about an hour: enough for 10,000 pods."""

MAX_ADDRESSES = 4
"""Addresses remembered per credential (dual stack and a translated one fit)."""

HALF_LIFE_CREDENTIALS = 5_000.0
"""Credentials after which an old observation counts half."""

DECAY = 0.5 ** (1.0 / HALF_LIFE_CREDENTIALS)
"""Factor per credential that follows from the half-life."""

PRIOR = 0.1
"""Moves assumed before any was seen: a bound token does not move unless the network hides where it comes from."""

MISMATCH_NATS = 6.0
"""Surprise added when the owner's address is known and it is another: about 1 in 400, a cautious figure for stale
inventories and for pods that come back with another address when their node was restarted."""

RELAY_OWNERS = 3
"""Owners whose credentials moved to an address without being flagged until it counts as a relay: something that is
handed tokens and acts with them, as OpenShift's image registry does with those of its builds."""

MAX_RELAYS = 4_096
"""Addresses of which such moves are counted; the one that came first is forgotten first."""

HOSTED_OWNERS = 3
"""Pods that called from their node's address and from another one without being flagged until that is ordinary here:
a network that translates what leaves a node leaves alone what stays on it, so a pod beside an API server shows now one
and now the other."""

LEAST_OFF_NODE_NATS = 3.0
"""Surprise from which a token off its node is told: where more of them are, pods call from their own addresses."""

RENEWED_S = 86_400.0
"""Seconds for which a workload counts as renewed after pods of another revision appeared."""

STARTED_S = 300.0
"""Seconds for which a pod has only just started: software lists what it works with, waits for its turn to lead, and
does at first what it left undone."""

MAX_REVISIONS = 3
"""Revisions seen of a workload until another one explains nothing: what is replaced every day does not change by it."""

_REVISION = re.compile(r"(.+)-([a-z0-9]*[a-z][a-z0-9]*)-[a-z0-9]{5}")
"""A pod of a Deployment: its name, the hash of its template, a random ending (kube-controller-manager's naming)."""

_HASH_CHARS = range(8, 11)
"""Characters of such a hash."""


class Use(msgspec.Struct, frozen=True):
    """One use of a bound credential."""

    credential: str
    kind: str
    """``token`` or ``certificate``."""
    owner: str
    """The pod or node it is bound to, for people."""
    address: str
    own_address: str = ""
    """Address of the owner as the inventory knows it; empty when unknown."""
    owner_gone: bool = False
    """Whether the inventory saw the owner end before this use."""
    owner_uid: str = ""
    """Uid of the pod it is bound to, which has one address for life whatever tokens it is given; empty when unknown."""
    time_s: float = 0.0
    """Record time."""
    node_addresses: tuple[str, ...] = ()
    """Where the kubelet of the node calls from that the token names; empty when unknown."""

    @property
    def off_node(self) -> bool:
        """Whether the address is known not to be the node's."""
        return bool(self.node_addresses) and not self.on_node

    @property
    def on_node(self) -> bool:
        """Whether it is known to be the node's."""
        return self.address in self.node_addresses


class Credential(river_base.AnomalyDetector):
    """Address binding of all credentials of the cluster.

    Examples
    --------
    >>> model = Credential()
    >>> for number in range(50):
    ...     use = {"credential": f"JTI={number}", "kind": "token", "owner": "web/a", "address": f"10.0.0.{number}"}
    ...     model.learn_one(use)
    ...     model.learn_one(use)
    >>> model.score_one(use), round(model.score_one(use | {"address": "198.51.100.7"}), 2)
    (0.0, 0.42)
    """

    def __init__(self, max_credentials: int = MAX_CREDENTIALS) -> None:
        self.max_credentials = max_credentials
        self._addresses: dict[str, list[str]] = {}
        self._places: dict[str, list[str]] = {}
        """Owner's uid -> addresses it used any of its credentials from."""
        self._reused: dict[str, float] = {}
        self._moved: dict[str, float] = {}
        self._revisions: dict[str, tuple[str, float, int]] = {}
        """Deployment -> hash of the template of its latest pods, record time since when, and how many were seen."""
        self._relays: dict[str, int] = {}
        """Address -> owners whose credentials were used from there after another address."""
        self._born: dict[str, float] = {}
        """Pod's uid -> record time of the first use of any of its tokens."""
        self._hosted = 0
        """Pods that called from their node's address and from another one."""
        self._on_node = 0.0
        """Decayed number of tokens whose first use came from the address of their node."""
        self._off_node = 0.0
        """Decayed number of those whose first use did not."""
        self.edition = 0
        """Counts the times that an address was forgotten: what is settled in one edition is settled throughout it."""

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Return how strange the use is, 0..1."""
        part = self.opinion(_use(x))
        return base.to_score(part.nats) if part else 0.0

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn one use."""
        self.learn(_use(x))

    def settled(self, use: Use) -> bool:
        """Tell whether the credential was counted from this address, so that a further use teaches nothing."""
        return self.settled_at(use.credential, use.address, use.owner_uid)

    def settled_at(self, credential: str, address: str, owner_uid: str) -> bool:
        """Tell the same by the parts of a use."""
        known = self._addresses.get(credential)
        if known is None or known[0] == "" or address not in known:
            return False
        return not owner_uid or address in self._places.get(owner_uid, ())

    def opinion(self, use: Use) -> base.Surprise | None:
        """Return the surprise of a use, or None when it is where the credential belongs."""
        known = self._addresses.get(use.credential, [])[1:]
        nats, relay = 0.0, self._relays.get(use.address, 0) >= RELAY_OWNERS
        if known and use.address not in known and not relay:
            reused, moved = self._reused.get(use.kind, 0.0), self._moved.get(use.kind, 0.0)
            nats = max(0.0, _rarity(moved, reused))
        if use.off_node and use.address not in known:
            off = _rarity(self._off_node, self._on_node + self._off_node)
            nats = max(nats, off) if off >= LEAST_OFF_NODE_NATS else nats
        places = self._places.get(use.owner_uid, []) if use.owner_uid else []
        own = [use.own_address] if use.own_address else places
        wrong_place = bool(own) and use.address not in own and use.address not in known and not relay
        if wrong_place or use.owner_gone:
            nats += MISMATCH_NATS
        if nats <= 0.0 or (not use.owner_gone and self._hosts(use, own)):
            return None
        usual = own if wrong_place else known or use.node_addresses
        return base.Surprise(
            model=CARD.name,
            feature="credential",
            observed=f"{use.address} with the {use.kind} of {use.owner}",
            nats=nats,
            bursts=len(known),
            age_s=0.0,
            usual=tuple((address, 1) for address in usual if address),
            unseen_in=("ended owner",) if use.owner_gone else (),
            siblings=0,
        )

    def _hosts(self, use: Use, own: list[str]) -> bool:
        """Tell whether pods call from two addresses here, their node's and their own, and this is one of the two.

        Its own is the first one beside its node's that lies in a network of other pods and is none of theirs.
        """
        if self._hosted < HOSTED_OWNERS or not use.owner_uid or not use.node_addresses:
            return False
        if use.on_node or use.address in own:
            return True
        if any(address not in use.node_addresses for address in own):
            return False
        network = attributes.network_of(use.address)
        if any(network == attributes.network_of(address) for address in use.node_addresses):
            return False
        pods = self._places.values()
        beside = any(network == attributes.network_of(address) for places in pods for address in places)
        return beside and not any(use.address in places for places in pods)

    def see(self, use: Use) -> None:
        """Remember when a pod was first seen, whether or not this use may be learned."""
        if use.owner_uid and use.owner_uid not in self._born:
            self._born[use.owner_uid] = use.time_s
            if len(self._born) > self.max_credentials:
                del self._born[next(iter(self._born))]

    def learn(self, use: Use) -> None:
        """Learn one use."""
        self.see(use)
        self._learn_revision(use)
        if not use.credential or not use.address or self.settled(use):
            return
        self._learn_place(use)
        known = self._addresses.pop(use.credential, None)
        if known is None:
            self._addresses[use.credential] = ["", use.address]
            self._learn_node(use)
            if len(self._addresses) > self.max_credentials:
                self.edition += 1
                del self._addresses[next(iter(self._addresses))]
            return
        self._addresses[use.credential] = known
        if known[0] == "":
            known[0] = "reused"
            self._reused[use.kind] = self._reused.get(use.kind, 0.0) * DECAY + 1.0
            self._moved[use.kind] = self._moved.get(use.kind, 0.0) * DECAY
        if use.address not in known[1:]:
            if len(known) == 2:
                self._moved[use.kind] = self._moved.get(use.kind, 0.0) + 1.0
            known.append(use.address)
            self.edition += 1
            if not use.owner_uid:
                self._learn_relay(use.address)
            del known[1 : max(1, len(known) - MAX_ADDRESSES)]

    def _learn_relay(self, address: str) -> None:
        self._relays[address] = self._relays.get(address, 0) + 1
        if len(self._relays) > MAX_RELAYS:
            del self._relays[next(iter(self._relays))]

    def _learn_node(self, use: Use) -> None:
        if use.node_addresses:
            self._on_node = self._on_node * DECAY + (not use.off_node)
            self._off_node = self._off_node * DECAY + use.off_node

    def renewed(self, use: Use) -> bool:
        """Tell whether the Deployment that the pod belongs to was given another template within the last day."""
        family, revision = _revision(use)
        known, since_s, seen = self._revisions.get(family, ("", 0.0, 0))
        if known != revision:
            return 0 < seen < MAX_REVISIONS
        return 1 < seen <= MAX_REVISIONS and since_s > use.time_s - RENEWED_S

    def started(self, use: Use) -> bool:
        """Tell whether the pod was first seen minutes ago and belongs to a Deployment whose pods were seen before."""
        family, _ = _revision(use)
        _, since_s, seen = self._revisions.get(family, ("", 0.0, 0))
        born_s = self._born.get(use.owner_uid, use.time_s)
        return (seen > 1 or (seen == 1 and since_s < born_s)) and use.time_s - born_s < STARTED_S

    def _learn_revision(self, use: Use) -> None:
        family, revision = _revision(use)
        if not family:
            return
        known = self._revisions.get(family)
        if known is None or known[0] != revision:
            self._revisions[family] = (revision, use.time_s, known[2] + 1 if known else 1)
            if len(self._revisions) > self.max_credentials:
                del self._revisions[next(iter(self._revisions))]

    def _learn_place(self, use: Use) -> None:
        if not use.owner_uid:
            return
        places = self._places.setdefault(use.owner_uid, [])
        if use.address not in places:
            if len(places) == 1 and use.on_node is not (places[0] in use.node_addresses):
                self._hosted += 1
            elif places:
                self._learn_relay(use.address)
            places.append(use.address)
            self.edition += len(places) > MAX_ADDRESSES
            del places[: max(0, len(places) - MAX_ADDRESSES)]
        if len(self._places) > self.max_credentials:
            self.edition += 1
            del self._places[next(iter(self._places))]

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        counts = [self._on_node, self._off_node, self._hosted]
        known = [self._addresses, self._reused, self._moved, self._places, self._revisions]
        return [*known, counts, self._relays, self._born]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self.edition += 1
        self._addresses, self._reused, self._moved, self._places, *later = data  # type: ignore[assignment]
        stored: dict[str, list[Any]] = later[0] if later else {}  # type: ignore[assignment]
        self._revisions = {family: (one[0], one[1], one[2]) for family, one in stored.items()}
        counts: list[Any] = [*later[1], 0] if len(later) > 1 else [0.0, 0.0, 0]  # type: ignore[misc]
        self._on_node, self._off_node, self._hosted = counts[:3]
        self._relays = later[2] if len(later) > 2 else {}  # type: ignore[assignment]
        self._born = later[3] if len(later) > 3 else {}  # type: ignore[assignment]


def _rarity(happened: float, trials: float) -> float:
    """Return the surprise in nats of what happened so often in so many trials; below 0 when it mostly did."""
    return -math.log((PRIOR + happened) / (1.0 + trials))


def _revision(use: Use) -> tuple[str, str]:
    """Return the Deployment of a pod and the hash of its template; empty for pods of anything else."""
    found = _REVISION.fullmatch(use.owner) if use.kind == "token" else None
    return (found[1], found[2]) if found and len(found[2]) in _HASH_CHARS else ("", "")


def _use(x: Mapping[Hashable, Any]) -> Use:
    return Use(
        credential=str(x.get("credential", "")),
        kind=str(x.get("kind", "token")),
        owner=str(x.get("owner", "")),
        address=str(x.get("address", "")),
        own_address=str(x.get("own_address", "")),
        owner_gone=bool(x.get("owner_gone", False)),
        owner_uid=str(x.get("owner_uid", "")),
        node_addresses=tuple(x.get("node_addresses", ())),
    )
