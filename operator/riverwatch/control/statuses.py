"""Writes the `status` of custom resources on a lane of its own: newest one wins, retried while the API server is away.

Handlers hand a status over and return at once; kopf never patches anything for us. A status that says what the object
says already is not written, so that our own write does not wake us again and again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from riverwatch import clock, errors
from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.outputs import lane

_log = logging.getLogger(__name__)

CAPACITY = 10_000
"""Objects whose status waits at most."""


@dataclasses.dataclass(frozen=True)
class Write:
    """One status to be written."""

    resource: resources.Resource
    namespace: str
    name: str
    status: Mapping[str, Any]
    merge: bool = False
    """Whether only the named fields change, because another part of us owns the others."""
    create: bool = False
    """Whether an object that is missing is made first, with an empty spec."""


class Statuses:
    """Owns the lane.

    Parameters
    ----------
    client
        API server.
    time
        Clock.
    report
        Told every outcome.
    """

    def __init__(
        self, client: kube_client.Client, *, time: clock.Clock, report: Callable[[lane.Outcome], None] | None = None
    ) -> None:
        self._client = client
        self._time = time
        self.lane: lane.Lane[Write] = lane.Lane(
            "status", self._write, plan=lane.Plan(capacity=CAPACITY, patient=frozenset({403})), report=report, time=time
        )

    def submit(self, write: Write) -> None:
        """Hand a status over."""
        self.lane.submit(write.resource.path(namespace=write.namespace, name=write.name), write)

    def observe(
        self,
        resource: resources.Resource,
        body: Mapping[str, Any],
        observation: conditions.Observation,
        *,
        further: Mapping[str, Any] | None = None,
    ) -> None:
        """Report one condition of an object, and further fields, unless its status says so already.

        Parameters
        ----------
        resource
            Its kind.
        body
            The object as it stands.
        observation
            The condition.
        further
            Other fields of the status.
        """
        metadata, before = body.get("metadata") or {}, body.get("status") or {}
        generation = metadata.get("generation")
        status = {
            "observedGeneration": generation,
            **(further or {}),
            "conditions": conditions.set_condition(
                before.get("conditions"), observation, now_s=self._time.now_s(), generation=generation
            ),
        }
        if all(before.get(field) == value for field, value in status.items()):
            return
        self.submit(Write(resource, metadata.get("namespace", ""), metadata["name"], status))

    def _write(self, write: Write) -> None:
        try:
            self._put(write)
        except errors.ApiPermanentError as error:
            if error.status != 404:
                raise
            if not write.create:
                return  # gone in the meantime: nobody is left to read the status
            self._client.apply(write.resource, self._envelope(write, {"spec": {}}))
            self._put(write)

    def _put(self, write: Write) -> None:
        if write.merge:
            self._client.merge(
                write.resource,
                {"status": dict(write.status)},
                namespace=write.namespace,
                name=write.name,
                subresource="status",
            )
            return
        self._client.apply(write.resource, self._envelope(write, {"status": dict(write.status)}), subresource="status")

    def _envelope(self, write: Write, content: dict[str, Any]) -> dict[str, Any]:
        metadata = {"name": write.name} | ({"namespace": write.namespace} if write.namespace else {})
        kind = write.resource
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content}


def ready(reason: str, message: str) -> conditions.Observation:
    """Make a ``Ready=True`` observation."""
    return conditions.Observation(conditions.READY, words.ConditionStatus.TRUE, reason, message)


def not_ready(reason: str, message: str) -> conditions.Observation:
    """Make a ``Ready=False`` observation."""
    return conditions.Observation(conditions.READY, words.ConditionStatus.FALSE, reason, message)
