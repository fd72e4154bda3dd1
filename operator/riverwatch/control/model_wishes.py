"""Follows DetectionModel: what people ask of the models of a namespace -> frozen namespaces, and versions that judge.

A version is chosen once, when it is asked for; which one judges is part of a checkpoint and survives a restart. The
status itself is written by `control.models`, which asks here what was asked for.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.control import watched
from riverwatch.kube import resources
from riverwatch.runtime import pipeline

ACCEPTED = "AsAsked"
"""Reason when everything that was asked for is in force."""

UNKNOWN_VERSION = "UnknownVersion"
"""Reason when a version is asked for that is not kept, or no longer."""

OBJECT_NAME = "models"
"""Name of the object in each namespace; there is one, and others ask for nothing."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is asked of the models of one namespace."""

    frozen: bool = False
    promote: str = ""
    rollback_to: str = ""
    generation: int | None = None

    @property
    def version(self) -> str:
        """The version that is asked for; empty when none is."""
        return self.promote or self.rollback_to


class ModelWishes:
    """Holds what is asked for.

    Parameters
    ----------
    operator_namespace
        Where the object of people and nodes lives.
    change_once
        Runs something with the pipeline on the worker's thread, once for all calls under one name.
    """

    follows = (resources.MODELS,)

    def __init__(
        self, change_once: Callable[[str, Callable[[pipeline.Pipeline], None]], None], *, operator_namespace: str
    ) -> None:
        self._change_once = change_once
        self._operator_namespace = operator_namespace
        self._lock = threading.Lock()
        self._wishes: dict[watched.Key, Wish] = {}

    def take(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:  # noqa: ARG002 - there is one kind
        """Read what an object asks for."""
        key, wish = watched.key_of(body), read(body)
        with self._lock:
            before = self._wishes.get(key, Wish())
            self._wishes[key] = wish
        if key[1] != OBJECT_NAME:
            return
        if before.frozen != wish.frozen:
            self._publish()
        if wish.version and before.version != wish.version:
            self._choose(key[0])

    def forget(self, resource: resources.Resource, key: watched.Key) -> None:  # noqa: ARG002 - there is one kind
        """Drop what an object that is gone asked for."""
        with self._lock:
            wish = self._wishes.pop(key, None)
        if wish is not None and wish.frozen:
            self._publish()

    def known(self, resource: resources.Resource) -> Iterable[watched.Key]:  # noqa: ARG002 - there is one kind
        """Return what is held."""
        with self._lock:
            return list(self._wishes)

    def of(self, namespace: str) -> Wish:
        """Return what is asked of the models of a namespace; empty for people, nodes and the control plane."""
        with self._lock:
            return self._wishes.get((namespace or self._operator_namespace, OBJECT_NAME), Wish())

    def frozen(self) -> frozenset[str]:
        """Return the home namespaces whose models must not learn; the operator's object speaks for people, too."""
        with self._lock:
            asked = {
                namespace for (namespace, name), wish in self._wishes.items() if wish.frozen and name == OBJECT_NAME
            }
        return frozenset(asked | {""}) if self._operator_namespace in asked else frozenset(asked)

    def _choose(self, namespace: str) -> None:
        homes = ("", namespace) if namespace == self._operator_namespace else (namespace,)

        def choose(one: pipeline.Pipeline) -> None:
            version = self.of(namespace).version
            for home in homes:
                if version:
                    one.choose(home, version)

        self._change_once(f"version of {namespace}", choose)

    def _publish(self) -> None:
        self._change_once("frozen", lambda one: setattr(one, "frozen", self.frozen()))


def read(body: Mapping[str, Any]) -> Wish:
    """Read the spec of a DetectionModel; the API server has checked its shape."""
    spec = body.get("spec") or {}
    return Wish(
        frozen=spec.get("frozen") is True,
        promote=str(spec.get("promote") or ""),
        rollback_to=str(spec.get("rollbackTo") or ""),
        generation=watched.generation_of(body) or None,
    )


def observation(wish: Wish, *, version: str) -> conditions.Observation:
    """Say in a condition whether what is asked for is in force.

    Parameters
    ----------
    wish
        What is asked for.
    version
        Name of the version that judges.
    """
    kept = "spec.frozen is in force: the models judge and do not learn" if wish.frozen else "the models learn"
    if wish.version and wish.version != version:
        field = "promote" if wish.promote else "rollbackTo"
        message = (
            f"spec.{field}: no version {wish.version!r} is kept; {version!r} judges. "
            f"status.shadow.version and status.previousVersion hold what can be asked for; {kept}"
        )
        return conditions.Observation(conditions.SPEC_IN_FORCE, words.ConditionStatus.FALSE, UNKNOWN_VERSION, message)
    return conditions.Observation(conditions.SPEC_IN_FORCE, words.ConditionStatus.TRUE, ACCEPTED, kept)
