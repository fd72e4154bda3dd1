"""Stage 6 helper: which identity gave another one its power, so that what both do is one incident.

``Activity`` -> `Link`, for the few requests that hand power over: a minted token, a created account or binding, an
approved certificate, an impersonation, an exec into a pod, a workload that runs as somebody. A link is only noted when
its record is evidence against the one who made it, and only followed once that one was raised, so that what deployers
and controllers do all day glues nothing together. Bounded, pure, part of the checkpoint; owned by `detections.fold`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from riverwatch.activity import derived, derived_pod, identities, record

LIFE_S = 24 * 3_600.0
"""Seconds of record time for which a link is followed: as long as an incident stays open without evidence."""

MAX_LINKS = 10_000
"""Links kept, about 400 bytes each; the oldest goes first."""

MAX_TARGETS = 8
"""Identities linked by one request; a binding with more subjects is no hand-over to one of them."""

RunsAs = Callable[[str, str], str]
"""Namespace and name of a pod -> user name of its service account, empty when unknown."""


class Link(msgspec.Struct, frozen=True):
    """One identity had a hand in what another can do."""

    source: str
    """Case key of the one who acted."""
    target: str
    """Case key of the one who gained, or ``pod NAMESPACE/NAME`` for whoever runs in that pod."""
    phrase: str
    """What was done, for example ``minted a token for web/front``."""
    time_s: float
    audit_id: str
    told: bool
    """Whether its record is evidence of a raised case."""


def pod_key(namespace: str, name: str) -> str:
    """Return the target that stands for whoever uses a token of this pod."""
    return f"pod {namespace}/{name}"


class Links:
    """Links of one cluster, the oldest first."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], Link] = {}
        self._targets: dict[str, dict[str, None]] = {}
        """Source -> its targets."""
        self._sources: dict[str, dict[str, None]] = {}
        """Target -> its sources."""

    def add(self, link: Link) -> None:
        """Remember a link; of one pair the newest is kept."""
        pair = (link.source, link.target)
        if pair in self._links:
            del self._links[pair]
        elif len(self._links) >= MAX_LINKS:
            self._forget(next(iter(self._links)))
        self._links[pair] = link
        self._targets.setdefault(link.source, {})[link.target] = None
        self._sources.setdefault(link.target, {})[link.source] = None

    def confirm(self, source: str, audit_ids: Iterable[str]) -> None:
        """Say that the source was raised with these records as evidence."""
        known = set(audit_ids)
        for link in list(self.going_out(source)):
            if not link.told and link.audit_id in known:
                self._links[link.source, link.target] = msgspec.structs.replace(link, told=True)

    def coming_in(self, targets: Iterable[str], *, now_s: float) -> list[Link]:
        """Return the links to any of these targets that may be followed now."""
        found = (self._links[source, target] for target in targets for source in self._sources.get(target, ()))
        return [link for link in found if link.told and 0.0 <= now_s - link.time_s <= LIFE_S]

    def going_out(self, source: str) -> Iterator[Link]:
        """Return the links from a source, followed or not."""
        return (self._links[source, target] for target in self._targets.get(source, ()))

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint, the oldest link first."""
        return [msgspec.to_builtins(link) for link in self._links.values()]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self._links, self._targets, self._sources = {}, {}, {}
        for link in msgspec.convert(data, list[Link]):
            self.add(link)

    def _forget(self, pair: tuple[str, str]) -> None:
        source, target = pair
        del self._links[pair]
        for index, key, value in ((self._targets, source, target), (self._sources, target, source)):
            index[key].pop(value, None)
            if not index[key]:
                del index[key]


def links_of(activity: record.Activity, *, key: str, told: bool, runs_as: RunsAs) -> list[Link]:
    """Return the links that one request makes; none for almost all requests, after one look-up.

    Parameters
    ----------
    activity
        The request.
    key
        Case key of the one who acted.
    told
        Whether the request is evidence of a raised case.
    runs_as
        Knows the service accounts of pods.
    """
    made: list[tuple[str, str, str, bool]] = []
    if activity.impersonated is not None:
        # The same credential under two names: no judgement is needed to call that one actor.
        made.append((activity.principal.username, key, f"acted as {activity.impersonated.label}", True))
    maker = _MAKERS.get((activity.resource, activity.subresource))
    if maker is not None and not activity.failed and activity.verb in _WRITES:
        made += [(key, target, phrase, told) for target, phrase in maker(activity, runs_as)]
    return [
        Link(source, target, phrase, activity.time_s, activity.audit_id, followed)
        for source, target, phrase, followed in made
        if target not in {source, activity.principal.username}
    ]


_WRITES = frozenset({"create", "update", "patch", "get"})
"""Verbs of hand-overs; ``get`` is how WebSocket clients open an exec."""

_Made = list[tuple[str, str]]
"""Targets, each with the phrase that says what was done."""


def _account(namespace: str, name: str) -> str:
    return f"{identities.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def _token(activity: record.Activity, _runs_as: RunsAs) -> _Made:
    if activity.verb != "create" or not activity.name:
        return []
    return [(_account(activity.namespace, activity.name), f"minted a token for {activity.namespace}/{activity.name}")]


def _new_account(activity: record.Activity, _runs_as: RunsAs) -> _Made:
    if activity.verb != "create" or not activity.name:
        return []
    return [(_account(activity.namespace, activity.name), f"created the account {activity.namespace}/{activity.name}")]


def _binding(activity: record.Activity, _runs_as: RunsAs) -> _Made:
    if activity.verb == "get":
        return []
    facts = derived.Facts(activity)
    role = derived.value(facts, "binding.role") or "a role"
    made: _Made = []
    for subject in _listed(derived.value(facts, "binding.subjects")):
        kind, _, name = subject.partition(" ")
        namespace, slash, account = name.partition("/")
        if kind == "ServiceAccount" and slash:
            made.append((_account(namespace, account), f"bound {role} to {name}"))
        elif kind == "User":
            made.append((name, f"bound {role} to {name}"))
    return made if len(made) <= MAX_TARGETS else []


def _approval(activity: record.Activity, _runs_as: RunsAs) -> _Made:
    facts = derived.Facts(activity)
    name = derived.value(facts, "csr.commonName")
    if activity.verb == "get" or not isinstance(name, str) or not name or not derived.value(facts, "csr.approved"):
        return []
    return [(name, f"approved a certificate for {identities.classify(name).label}")]


def _inside(activity: record.Activity, runs_as: RunsAs) -> _Made:
    if not activity.name:
        return []
    pod = f"{activity.namespace}/{activity.name}"
    account = runs_as(activity.namespace, activity.name)
    phrase = f"went into the pod {pod}"
    if not account:
        return [(pod_key(activity.namespace, activity.name), phrase)]
    phrase += f", which runs as {identities.classify(account).label}"
    return [(pod_key(activity.namespace, activity.name), phrase), (account, phrase)]


def _workload(activity: record.Activity, _runs_as: RunsAs) -> _Made:
    if activity.verb == "get":
        return []
    named = derived.value(derived.Facts(activity), "pod.serviceAccountName")
    done = "created" if activity.verb == "create" else "changed"
    phrase = f"{done} the {activity.resource.removesuffix('s')} {activity.namespace}/{activity.name}".rstrip("/")
    made: _Made = []
    if isinstance(named, str) and named:
        phrase += f", which runs as {activity.namespace}/{named}"
        made.append((_account(activity.namespace, named), phrase))
    if activity.resource == "pods" and activity.name:
        made.append((pod_key(activity.namespace, activity.name), phrase))
    return made


_MAKERS: dict[tuple[str, str], Callable[[record.Activity, RunsAs], _Made]] = {
    ("serviceaccounts", "token"): _token,
    ("serviceaccounts", ""): _new_account,
    ("rolebindings", ""): _binding,
    ("clusterrolebindings", ""): _binding,
    ("certificatesigningrequests", "approval"): _approval,
    ("pods", "exec"): _inside,
    ("pods", "attach"): _inside,
    ("pods", "ephemeralcontainers"): _inside,
    **{(resource, ""): _workload for resource in derived_pod.BUILT_IN_WORKLOADS},
}
"""Resource and subresource -> what finds the identities that a request hands power to."""


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
