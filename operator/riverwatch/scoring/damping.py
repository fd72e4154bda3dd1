"""Stage 5 helper: explained novelty counts less, and says so; a credential out of place counts more.

Fifteen explanations: the actor only follows what others decided (kubelets serve the pods that were placed on them, the
control plane's controllers act on other people's objects), it is a part of OpenShift or of a cloud's control plane
in its own place, its software was just replaced or has just started, it is in the middle of a Helm release, software in
its own place writes what it looks after, a person is at the usual place, a drain goes where a node's pods are, the
namespace is young, the object was just created (the object alone) or does not exist, the request was refused, it was
asked in vain by somebody in the usual place, the pod that a token is bound to runs on another node. *Where to* and *how
much* are damped (of a refused request the namespace, and from the usual place what was asked for); *what* only for
those who do it from their own place with their own client; *where from* only for a bound token that nothing says was
moved. Rules never. Pure but for the young things it remembers; owned by `scoring.judge`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import msgspec

from riverwatch.activity import derived_facts, derived_rbac, derived_request, identities, record
from riverwatch.features import attributes, catalog
from riverwatch.models import base
from riverwatch.scoring import sensitivity

EXPLAINED = 0.25
"""Weight of a novelty that something else explains: still enough to add to a case that has more."""

OK = 200
"""HTTP status code of a write of something that was there before; what is made by it is 201."""

NOT_FOUND = 404
"""HTTP status code of a request for something that does not exist."""

NOT_REACHED = "it was refused, so nothing was reached"
"""Why the namespace of a refused request counts less: an account whose rights are missing asks for the same, too."""

IN_VAIN = 0.5
"""Weight of what was asked for in vain from its own place: rights that are missing are an everyday mistake, what is not
there yet is asked for before it is made, and somebody who tries what a stolen credential may do is refused many
different things, which is counted apart."""

AT_HOME = "it was refused, from where it always is"
"""Why such a request counts less."""

NOTHING_THERE = "what it asked for does not exist"
"""Why the other one does."""

REFUSED_NODE = 0.5
"""Weight of a refusal that a kubelet never met: the node authorizer forgets a pod before its kubelet does, but it is
also what a stolen node credential meets first."""

UNKNOWN_TO_KUBELETS = 0.5
"""Weight of work that no kubelet ever did: kubelets are all alike, so nobody placed it on this one, but a new kind of
static pod comes so, too."""

OUT_OF_PLACE = 2.0
"""Weight of a credential that left its place: what stolen credentials do and ordinary life hardly ever."""

REPLACED = 2.0
"""Weight of an image from where nobody in the cluster got one, in a workload that was there before: new software
comes as a new workload, and one that changes its origin is what an attacker does who wants not to be seen."""

RENEWED = 0.5
"""Weight of new work by software that was just replaced, in its own place: a new version does new things, and so does
one that somebody slipped in."""

NEW_VERSION = "its pods were replaced by ones of another revision within a day"
"""Why it counts less; `upgrades.ANOTHER_VERSION` says the same of what its client tells."""

STARTED = "its pod has only just started"
"""Why new work counts less, by `RENEWED` too: software that starts lists what it works with, as it did before anybody
looked."""

STARTED_ANEW = "its pod has only just started, with another version"
"""Why it counts less by `EXPLAINED`: both explain it."""

UPKEEP = 0.3
"""Weight of a write that software never made before, from its own place: controllers write new kinds of objects when
what they look after changes, and who steals their credential to write is mostly somewhere else. Reads and
deletes count fully, and so do writes that hand out rights, run commands or scale."""

LOOKS_AFTER = "it is software that writes from its own place"
"""Why such a write counts less."""

PERSON = 0.8
"""Weight of what a person does for the first time from the usual place with the usual client: people's days differ
more than software's, and a stolen login is mostly used from elsewhere."""

USUAL_PLACE = "a person does it from the usual place with the usual client"
"""Why it counts less."""

DRAIN = "a drain goes where the node's pods are"
"""Why the namespace of an eviction counts less."""

PLATFORM = "it is a part of OpenShift, in its own place and with its own software"
"""Why such an account's new work counts less: it comes with an upgrade of the cluster or of an operator."""

MANAGED = "it is a part of the control plane that the cloud runs, in its own place and with its own software"
"""The same of clouds."""

YOUNG_S = 86_400.0
"""Seconds for which a namespace or an object is young: a roll-out and the first day of its use."""

SETTLED_S = 86_400.0
"""Seconds of the stream before anything can be called young; at first everything is."""

MAX_YOUNG = 20_000
"""Namespaces remembered, and objects, of which the oldest is forgotten first."""

NEW_NAMESPACE = "the namespace is new"
NEW_OBJECT = "the object is new"
NEW = frozenset({NEW_NAMESPACE, NEW_OBJECT})
"""Why what is about something young counts less."""

_FACETS = {card.name: card.facet for card in catalog.ATTRIBUTES}
_FROM = catalog.Facet.WHERE_FROM
_ASKED = {"action": IN_VAIN, "outcome": IN_VAIN, "object": EXPLAINED}
"""Attribute -> weight of what was asked for in vain; an object that was not reached is as good as unknown."""
_PLACES = frozenset({"namespace", "scope"})
_DAMPED = frozenset(name for name, one in _FACETS.items() if one in {catalog.Facet.WHERE_TO, catalog.Facet.HOW_MUCH})
_WORK = _DAMPED | {name for name, one in _FACETS.items() if one is catalog.Facet.WHAT}
_OBJECT = frozenset({"object"})
_WRITES = derived_facts.WRITE_VERBS | {"delete"}
_WRITTEN = frozenset({"action", "namespace", "scope", "object", "rule"})
"""Attributes of a write that say what kind of object it was and where; not how many, nor which image."""
_DONE = _WRITTEN | {"image", "outcome"}
_MEANT = sensitivity.SUBRESOURCES | {"scale"}
"""Subresources that are written on purpose: what runs something, hands something out, or turns something off."""
_ASKS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
"""API groups whose objects are questions, though they are created."""


class Explained(NamedTuple):
    """Which attributes of an activity something else explains."""

    features: frozenset[str]
    why: str
    weight: float = EXPLAINED


@functools.lru_cache(maxsize=16_384)
def follows_others(principal: identities.Principal) -> bool:
    """Tell whether an identity acts on what others decided: kubelets, and the parts of the control plane."""
    return principal.kind is identities.PrincipalKind.NODE or derived_request.is_controller_name(principal.username)


class Young:
    """Namespaces and named objects, and when they appeared."""

    def __init__(self) -> None:
        self._namespaces: dict[str, float] = {}
        self._objects: dict[str, float] = {}
        self._began_s: float | None = None

    def see(self, activity: record.Activity) -> None:
        """Remember when a namespace was first touched and a named object created."""
        if self._began_s is None:
            self._began_s = activity.time_s
        if not activity.namespace or activity.failed:
            return
        if activity.resource == "namespaces" and activity.verb == "delete":
            self._namespaces.pop(activity.namespace, None)
        elif activity.namespace not in self._namespaces and len(self._namespaces) < MAX_YOUNG:
            # One that was forgotten would come back as young, so none is: beyond the limit nothing is explained.
            self._namespaces[activity.namespace] = activity.time_s
        if activity.verb == "create" and not activity.subresource and activity.resource in attributes.NAMED_RESOURCES:
            self._objects[_object(activity)] = activity.time_s
            if len(self._objects) > MAX_YOUNG:
                del self._objects[next(iter(self._objects))]

    def namespace_explains(self, activity: record.Activity) -> str:
        """Say so when the namespace is so young that nobody can have a habit about it; empty when it is not."""
        return NEW_NAMESPACE if self._young(self._namespaces.get(activity.namespace), activity.time_s) else ""

    def object_explains(self, activity: record.Activity) -> str:
        """Say the same of the object, which says nothing about the namespace that it was made in."""
        return NEW_OBJECT if self._young(self._objects.get(_object(activity)), activity.time_s) else ""

    def explained(self, activity: record.Activity) -> tuple[str, ...]:
        """Return the attributes that are new to everybody, because the namespace or the object is."""
        if self.namespace_explains(activity):
            return ("namespace", "scope", "object")
        return ("object",) if self.object_explains(activity) else ()

    def _young(self, since_s: float | None, time_s: float) -> bool:
        """Tell so of what was first seen at a record time; what the stream began with is as old as can be."""
        began_s = self._began_s
        return (
            since_s is not None
            and began_s is not None
            and since_s - began_s >= SETTLED_S
            and time_s - since_s < YOUNG_S
        )

    def dump(self) -> list[object]:
        """Return plain data for a checkpoint."""
        return [self._began_s, self._namespaces, self._objects]

    def load(self, data: list[object]) -> None:
        """Take over what `dump` returned."""
        self._began_s, self._namespaces, self._objects = data  # type: ignore[assignment]


def _object(activity: record.Activity) -> str:
    return f"{activity.resource} {activity.namespace}/{activity.name}"


def _placed(part: base.Surprise, activity: record.Activity) -> base.Surprise:
    """Give more weight to a bound credential in two places, and to a private habit used from the public internet.

    A person who was never seen before has no habit that could be private; an account of the cluster has its pods.
    """
    moved = part.feature == "credential"
    stranger = identities.is_person(activity.principal) and not part.usual
    outside = part.feature == "network" and _exposed(activity) and not (stranger or _ever_public(part))
    exposed = part.feature == "zone" and part.observed == attributes.INTERNET
    if moved or outside or exposed:
        return msgspec.structs.replace(part, nats=part.nats * OUT_OF_PLACE)
    return msgspec.structs.replace(part, nats=part.nats * REPLACED) if _replaced(part, activity) else part


def _replaced(part: base.Surprise, activity: record.Activity) -> bool:
    """Tell whether a workload that was there before gets its image from where nobody in the cluster got one."""
    written = activity.verb in {"patch", "update"} and activity.code == OK
    return part.feature == "image" and "cluster" in part.unseen_in and written


def _exposed(activity: record.Activity) -> bool:
    return attributes.from_internet(activity.addresses)


def _ever_public(part: base.Surprise) -> bool:
    networks = [network for origin, _ in part.usual for network in origin.split(" via ")]
    return any(attributes.public(network.split("/")[0]) for network in networks)


def damp(
    parts: list[base.Surprise], activity: record.Activity, young: Young, *, renewed: str = "", release: str = ""
) -> list[base.Surprise]:
    """Return the surprises with those damped that something else explains.

    Parameters
    ----------
    parts
        What was new about an activity.
    activity
        The activity.
    young
        What appeared lately.
    renewed
        Says so when the software that acts was replaced within the last day or has only just started; empty when
        neither.
    release
        Says so when the actor is in the middle of a Helm release; empty when it is not.
    """
    rescheduled = activity.token_pod != "" and not any(part.feature == "credential" for part in parts)
    displaced = any(
        _FACETS.get(part.feature, _FROM) is _FROM and not (rescheduled and _elsewhere(part, activity)) for part in parts
    )
    parts = [_placed(part, activity) for part in parts]
    if follows_others(activity.principal):
        parts = [_following(part, activity, displaced=displaced) for part in parts]
    elif found := _explained(activity, young, displaced=displaced, renewed=renewed, release=release):
        parts = [_less(part, found.why, found.weight) if part.feature in found.features else part for part in parts]
    if activity.refused:
        parts = [_less(part, NOT_REACHED) if _reached_for(part) else part for part in parts]
    if why := _in_vain(activity, displaced=displaced):
        parts = [_in_vain_less(part, why) for part in parts]
    if rescheduled:
        parts = [_less(part, "its pod runs on another node") if _elsewhere(part, activity) else part for part in parts]
    return sorted(parts, key=lambda part: -part.nats)


def _explained(
    activity: record.Activity, young: Young, *, displaced: bool, renewed: str, release: str
) -> Explained | None:
    """Return what explains the work of an identity that decides for itself; the first one that does."""
    if not displaced and derived_request.is_platform(activity.principal):
        return Explained(_WORK, PLATFORM)
    if not displaced and identities.is_managed(activity.principal):
        return Explained(_WORK, MANAGED)
    if not displaced and renewed:
        return Explained(_WORK, renewed, EXPLAINED if renewed == STARTED_ANEW else RENEWED)
    if not displaced and release and (activity.verb in _WRITES or _looks_up(activity)):
        return Explained(_WORK, release)
    if activity.subresource == "eviction":
        return Explained(_DAMPED, DRAIN)
    new = young.namespace_explains(activity)
    if not displaced and _looks_after(activity, rights=bool(new)):
        return Explained(_WRITTEN, LOOKS_AFTER, UPKEEP)
    if why := _nothing_there(activity) or new:
        return Explained(_DAMPED, why)
    if why := young.object_explains(activity):
        return Explained(_OBJECT, why)
    if not displaced and not activity.refused and identities.is_person(activity.principal):
        return Explained(_DONE, USUAL_PLACE, PERSON)
    return None


def _looks_after(activity: record.Activity, *, rights: bool) -> bool:
    """Tell whether software writes what nobody writes to do harm, nor rights unless `rights` are expected.

    Who rolls out a new application gives it rights in its own new namespace.
    """
    return (
        identities.is_software(activity.principal)
        and activity.verb in derived_facts.WRITE_VERBS
        and not activity.failed
        and activity.subresource not in _MEANT
        and activity.api_group not in _ASKS
        and (rights or activity.resource not in derived_rbac.RBAC_RESOURCES)
    )


def _looks_up(activity: record.Activity) -> bool:
    """Tell whether one object is read that is no Secret: what is applied is read before."""
    return (
        activity.verb == "get" and activity.name != "" and activity.resource != "secrets" and not activity.subresource
    )


def _nothing_there(activity: record.Activity) -> str:
    """Say so when what was asked for does not exist: what every apply asks before it creates."""
    return NOTHING_THERE if activity.code == NOT_FOUND else ""


def _in_vain(activity: record.Activity, *, displaced: bool) -> str:
    """Say so when an identity that decides for itself asked in vain from its own place."""
    if displaced or follows_others(activity.principal):
        return ""
    return AT_HOME if activity.refused else _nothing_there(activity)


def _reached_for(part: base.Surprise) -> bool:
    return part.feature in _PLACES and not part.damped


def _in_vain_less(part: base.Surprise, why: str) -> base.Surprise:
    weight = _ASKED.get(part.feature)
    return part if weight is None or part.damped else _less(part, why, weight)


def _less(part: base.Surprise, why: str, weight: float = EXPLAINED) -> base.Surprise:
    return msgspec.structs.replace(part, nats=part.nats * weight, damped=why)


def _following(part: base.Surprise, activity: record.Activity, *, displaced: bool) -> base.Surprise:
    why = "it follows what others decided"
    if part.feature in _DAMPED:
        return _less(part, why)
    if displaced or part.feature not in {"action", "outcome"}:
        return part
    # From its own place with its own client: new work is somebody else's doing, refusals are races with deletion.
    node = activity.principal.kind is identities.PrincipalKind.NODE
    if node and part.feature == "action" and "siblings" in part.unseen_in:
        if activity.resource == "secrets":
            # No pod that is placed on a node changes how its kubelet asks for Secrets.
            return part
        return _less(part, why, UNKNOWN_TO_KUBELETS)
    return _less(part, why, REFUSED_NODE if node and part.feature == "outcome" else EXPLAINED)


def _elsewhere(part: base.Surprise, activity: record.Activity) -> bool:
    """Tell whether a bound token is used from another private network, while nothing says that it was moved."""
    return part.feature == "network" and not _exposed(activity)
