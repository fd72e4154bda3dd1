"""Stage 2 state: who stands behind what a controller does.

A Deployment's pods are made by `replicaset-controller`; the author is whoever wrote the Deployment. A token is put into
a Secret by the control plane; the author is whoever made the Secret. `Authors` remembers the recent writer of each
workload and Secret and the owners of what controllers made, and follows the chain of owners upwards. Bounded, plain
data, time-free. Held by `rules.engine`, which lets it `observe` each write and asks `source_of` when a controller makes
something.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

from riverwatch import errors
from riverwatch.activity import derived_facts as df
from riverwatch.activity import derived_request, record

MAX_OBJECTS = 20_000
"""Workloads whose writer is remembered: those of a large cluster, about 6 MB."""

MAX_CHAIN = 6
"""Owners followed upwards; the longest chain of Kubernetes' own is pod, job, cron job."""

MAX_TOLD = 32
"""Rules remembered per write: more than ever spoke about one object."""

MAX_TEXT_CHARS = 256
"""Characters of a kind or name that are remembered; Kubernetes allows 253."""

KINDS = {
    "deployments": "Deployment",
    "daemonsets": "DaemonSet",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "deploymentconfigs": "DeploymentConfig",
}
"""Resource -> kind, for the workloads that own others."""

_OF_SECRET = "Secret"  # noqa: S105 - a kind of object
"""Kind whose makers are remembered for as long as it takes the control plane to fill a token in."""

MAX_SECRETS = 1_000
"""Secrets whose maker is remembered: token Secrets are filled within seconds, and most others are never asked for."""

Key = tuple[str, str, str]
"""Kind, namespace and name of an object."""


class Source(msgspec.Struct):
    """The latest write of a workload by somebody who is no controller."""

    author: str
    """User name, the impersonated one where there is one."""
    judged: bool
    """Whether rules have seen what was written."""
    told: list[str] = []
    """Ids of the rules that raised about this write, or about what controllers made of it."""
    audit_id: str = ""
    time_s: float = 0.0
    """Record time of the write."""

    def tell(self, rules: Iterable[str]) -> None:
        """Remember rules that raised."""
        for one in rules:
            if one not in self.told and len(self.told) < MAX_TOLD:
                self.told.append(one)


class _Reference(msgspec.Struct):
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Metadata(msgspec.Struct, rename={"owners": "ownerReferences"}):
    name: str = ""
    owners: list[_Reference] = []


class _Body(msgspec.Struct):
    """The little of a body that tells name and owner; the rest is skipped, which is five times as fast as parsing."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


_decode = msgspec.json.Decoder(_Body).decode


class Authors:
    """Recent writers of workloads, and the owners of what controllers made."""

    __slots__ = ("_owners", "_secrets", "_unjudged", "_writers")

    def __init__(self) -> None:
        self._writers: OrderedDict[Key, Source] = OrderedDict()
        self._owners: OrderedDict[Key, Key] = OrderedDict()
        self._secrets: OrderedDict[Key, Source] = OrderedDict()
        self._unjudged = False

    @property
    def any_unjudged(self) -> bool:
        """Whether any write was seen whose content was not; without one, no controller's action says anything new."""
        return self._unjudged

    def __len__(self) -> int:
        return len(self._writers) + len(self._owners) + len(self._secrets)

    def observe(self, activity: record.Activity) -> Source | None:
        """Learn from one record; anything but a successful write of a workload is passed over.

        Returns
        -------
        Source
            What is remembered of a write by somebody who is no controller; None for all else.
        """
        if activity.resource == "secrets":
            return self._observe_secret(activity)
        kind = KINDS.get(activity.resource)
        if kind is None or activity.subresource or activity.verb not in df.WRITE_VERBS or activity.failed:
            return None
        if derived_request.is_controller_name(activity.principal.username):
            self._observe_controller(activity, kind)
            return None
        name = activity.name or _name(activity)
        source = None
        if name:
            key = (kind, activity.namespace, name[:MAX_TEXT_CHARS])
            judged = bool(activity.record.request_object)
            source = _source(activity, judged=judged)
            self._unjudged = self._unjudged or not judged
            _remember(self._writers, key, source)
        return source

    def source_of(self, activity: record.Activity) -> Source | None:
        """Return the write behind a controller's action; None when it acts by itself or nothing is known."""
        if not (self._writers or self._secrets) or not derived_request.is_controller_name(activity.principal.username):
            return None
        if activity.resource == "secrets":
            return self._secrets.get((_OF_SECRET, activity.namespace, activity.name[:MAX_TEXT_CHARS]))
        key = _owner(activity)
        for _ in range(MAX_CHAIN):
            if key is None:
                return None
            above = self._owners.get(key)
            if above is None:
                return self._writers.get(key)
            key = above
        return None

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data, what was written longest ago first."""
        return {
            "writers": [[*key, *msgspec.structs.astuple(source)] for key, source in self._writers.items()],
            "owners": [[*key, *owner] for key, owner in self._owners.items()],
            "secrets": [[*key, *msgspec.structs.astuple(source)] for key, source in self._secrets.items()],
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over a state.

        Raises
        ------
        StateError
            When the data has another shape.
        """
        try:
            writers, secrets = (_restored(data.get(part, [])) for part in ("writers", "secrets"))
            owners = OrderedDict(
                ((str(k), str(ns), str(n)), (str(ok), str(ons), str(on))) for k, ns, n, ok, ons, on in data["owners"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise errors.StateError(f"state of authors has another shape: {error}") from error
        self._writers, self._owners, self._secrets = writers, owners, secrets
        self._unjudged = any(not source.judged for source in writers.values())

    def _observe_secret(self, activity: record.Activity) -> Source | None:
        by_controller = derived_request.is_controller_name(activity.principal.username)
        if activity.verb != "create" or activity.failed or by_controller or not activity.name:
            return None
        source = _source(activity, judged=True)
        _remember(self._secrets, (_OF_SECRET, activity.namespace, activity.name[:MAX_TEXT_CHARS]), source, MAX_SECRETS)
        return source

    def _observe_controller(self, activity: record.Activity, kind: str) -> None:
        key = (kind, activity.namespace, activity.name[:MAX_TEXT_CHARS])
        if activity.verb != "create" and key in self._owners:
            self._owners.move_to_end(key)
            return
        owner = _owner(activity)
        if owner is None:
            return
        name = activity.name or _name(activity)
        if name:
            _remember(self._owners, (kind, activity.namespace, name[:MAX_TEXT_CHARS]), owner)


def _source(activity: record.Activity, *, judged: bool) -> Source:
    author = activity.actor.username[:MAX_TEXT_CHARS]
    return Source(author, judged=judged, audit_id=activity.audit_id[:MAX_TEXT_CHARS], time_s=activity.time_s)


def _restored(rows: list[list[Any]]) -> OrderedDict[Key, Source]:
    """Return writes as they were stored; those of an older state lack what came last."""
    return OrderedDict(
        ((str(k), str(ns), str(n)), Source(str(who), bool(judged), [str(one) for one in told], *rest))
        for k, ns, n, who, judged, told, *rest in rows
    )


def _remember(memory: OrderedDict[Key, Any], key: Key, value: object, most: int | None = None) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > (MAX_OBJECTS if most is None else most):
        memory.popitem(last=False)


def _bodies(activity: record.Activity) -> list[_Metadata]:
    found = []
    for raw in (activity.record.request_object, activity.record.response_object):
        if raw:
            try:
                found.append(_decode(raw).metadata)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                continue
    return found


def _owner(activity: record.Activity) -> Key | None:
    for metadata in _bodies(activity):
        for reference in metadata.owners:
            if reference.controller:
                return (reference.kind[:MAX_TEXT_CHARS], activity.namespace, reference.name[:MAX_TEXT_CHARS])
    return None


def _name(activity: record.Activity) -> str:
    return next((metadata.name for metadata in _bodies(activity) if metadata.name), "")
