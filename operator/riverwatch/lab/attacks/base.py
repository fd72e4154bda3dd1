"""What an attack simulation is: a `Card` that explains it, and a script that yields one timed request after the other.

``(Card, script) -> Attack``; a script takes an `AttackContext` (see `context`) and yields `Step`; each ``yield`` gives
that `Answer` back. The script never sleeps, reads no clock and sends nothing by itself, so whoever runs it
decides when a step happens: `run.Run.advance` at simulated times in a recording, `run.live` on a cluster of today.
An attack may not be made easier to see than its story asks for: no marks in names, agents or addresses.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol

import msgspec

from riverwatch import vocabulary


class Subtlety(enum.StrEnum):
    """Whether something other than a habit gives the attack away."""

    OBVIOUS = "obvious"
    """A written rule, or a count, can see at least one step."""
    SUBTLE = "subtle"
    """Every step uses a right the identity holds and may use; only its habits tell the difference."""


class Reach(enum.StrEnum):
    """Where an attack writes, so that a foreign cluster can be kept safe."""

    NAMESPACE = "namespace"
    """Inside one namespace that the stage made for it."""
    CLUSTER = "cluster"
    """Several namespaces, or objects that belong to none."""


class When(enum.StrEnum):
    """Hours at which the story is believable; the recorder picks a start inside them."""

    ANY = "any"
    OFFICE = "office"
    """Monday to Friday, 09:00 to 17:00."""
    NIGHT = "night"
    """22:00 to 05:00."""
    WEEKEND = "weekend"


class Part(enum.StrEnum):
    """The parts identities play in a cluster; attacks choose victims by them, never by name."""

    APP = "app"
    """Workload that reads its own configuration and secrets and renews a lease."""
    SIBLING = "sibling"
    """Workload that shares a namespace and a broad role with an app."""
    CI = "ci"
    """Pipeline that deploys workloads into its team's namespaces."""
    GITOPS = "gitops"
    """Controller that reconciles namespaces from Git: broad rights, steady habits."""
    BACKUP = "backup"
    """Nightly job that lists everything, secrets too."""
    MONITORING = "monitoring"
    """Prometheus: lists and watches nodes, pods, services, endpoints everywhere."""
    SECRET_SYNC = "secret-sync"  # noqa: S105 - a part in a play
    """External-secrets or certificate controller: reads and writes secrets in many namespaces."""
    INGRESS = "ingress"
    """Ingress controller: reads TLS secrets and services everywhere."""
    AUTOSCALER = "autoscaler"
    """Scales deployments."""
    OPERATOR = "operator"
    """A vendor's operator with generous cluster rights, token requests among them."""
    NODE = "node"
    """A kubelet with its client certificate."""
    DEVELOPER = "developer"
    """A person with kubectl and `edit` in the team's namespaces, in working hours."""
    ONCALL = "oncall"
    """A person who may debug everywhere: logs, exec, port-forward, ephemeral containers."""
    ADMIN = "admin"
    """A person with cluster-admin."""
    SUPPORT = "support"
    """A person or desk that may impersonate others."""


class Technique(msgspec.Struct, frozen=True):
    """The ATT&CK technique an attack shows."""

    id: str
    name: str
    tactic: str
    version: str = vocabulary.ATTACK_VERSION


class Card(msgspec.Struct, frozen=True):
    """What a reader should know about an attack before it is run; documents are printed from it."""

    id: str
    """Kebab case, the file name with hyphens."""
    title: str
    technique: Technique
    use_case: vocabulary.UseCase
    subtlety: Subtlety
    does: str
    """What it does, in the order it does it."""
    seen_by: str
    """How it should be seen: the rule, or the habit it breaks."""
    cleans_up: str
    """What it leaves behind until the cleanup, and how that goes away."""
    victim: Part
    """Whose credential is misused."""
    reach: Reach = Reach.NAMESPACE
    when: When = When.ANY
    lasts_s: float = 600.0
    """Seconds of simulated time it needs at most; a recording shorter than this leaves it out."""
    needs: tuple[str, ...] = ()
    """What must exist beside the victim, in words (for example ``kubelet endpoint``)."""
    catalogues: tuple[str, ...] = ()
    """Rows of public catalogues that describe the same thing, for example ``MS-TA9025`` or ``stratus:dump-secrets``."""


class Credential(msgspec.Struct, frozen=True):
    """How an identity proves itself: a bearer token, or a client certificate with its key; neither means anonymous."""

    token: str = ""
    certificate_file: str = ""
    key_file: str = ""


class Identity(msgspec.Struct, frozen=True):
    """Somebody who lives in the cluster, as an attacker who stole the credential sees it."""

    username: str
    part: Part
    namespace: str
    """Home of a service account, team namespace of a person, empty for nodes."""
    credential: Credential
    source_ip: str
    """Where its requests come from in life."""
    user_agent: str
    """What its requests say they are in life."""
    pod: str = ""
    node: str = ""
    namespaces: tuple[str, ...] = ()
    """Namespaces it works in; the home namespace when empty."""
    obtained: bool = False
    """Whether the attack made this credential itself; such a one is never renewed."""

    @property
    def name(self) -> str:
        """Last part of the user name."""
        return self.username.rpartition(":")[2]


class Scene(Protocol):
    """The cluster an attack plays in: the company of a recording, or a `stage` built on somebody's cluster."""

    @property
    def server(self) -> str:
        """Address of the API server."""
        ...

    @property
    def authority_file(self) -> str:
        """PEM file of the CA of the API server; empty for the system's trust store."""
        ...

    @property
    def director(self) -> Identity:
        """Who prepares and cleans up; its requests are kept out of recordings."""
        ...

    @property
    def outside_ips(self) -> Sequence[str]:
        """Addresses outside the cluster and the company that attackers use."""
        ...

    @property
    def pod_ips(self) -> Sequence[str]:
        """Addresses of pods an attacker may sit in."""
        ...

    def identities(self, part: Part) -> Sequence[Identity]:
        """Everybody who plays a part, in a fixed order; may be empty."""
        ...


class Answer(msgspec.Struct, frozen=True):
    """What the API server said to one request."""

    status: int
    body: object = None
    """Decoded JSON, or text where it was none."""

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return self.status < 400 and self.status > 0

    def items(self) -> list[tuple[str, str]]:
        """Namespace and name of each object in a list, in the server's order; empty for anything else."""
        if not isinstance(self.body, Mapping):
            return []
        found = []
        for item in self.body.get("items") or []:
            metadata = item.get("metadata", {})
            found.append((metadata.get("namespace", ""), metadata.get("name", "")))
        return found

    def at(self, *path: str) -> str:
        """Text at a path of keys, empty when absent."""
        here: object = self.body
        for key in path:
            if not isinstance(here, Mapping):
                return ""
            here = here.get(key)
        return here if isinstance(here, str) else ""


class Purpose(enum.StrEnum):
    """Why a request was sent; a recording keeps only `ATTACK`."""

    PREPARE = "prepare"
    ATTACK = "attack"
    CLEANUP = "cleanup"


class Sent(msgspec.Struct, frozen=True):
    """One request that was sent, for the labels."""

    audit_id: str
    purpose: Purpose
    username: str
    """Who authenticated."""
    impersonated: str
    """Who was impersonated; empty in most cases."""
    source_ip: str
    user_agent: str
    time_s: float
    """Scheduled time, epoch seconds."""
    method: str
    path: str
    status: int


class Step(msgspec.Struct, frozen=True):
    """One request of a script and the pause before it."""

    action: Callable[[], Answer]
    after_s: float = 0.0
    """Seconds since the step before (since the start for the first)."""
    username: str = ""
    """Who authenticates."""
    impersonated: str = ""
    """Who is impersonated, if anybody."""
    method: str = ""
    target: str = ""
    """Path and query."""


Script = Generator[Step, Answer, None]
"""Yields steps, is sent their answers; ends when the attack is over."""


class Attack(msgspec.Struct, frozen=True):
    """A card and the script it describes; the file's ``ATTACK``."""

    card: Card
    script: Callable[..., Script]
    """Called with one `context.AttackContext`."""
