"""Output: ThreatDetection objects by server-side apply, the record that people and other tools read.

A revision of a `Detection` becomes one apply of the object and one of its status. Invariants: the name is made from
actor and window, so that a restart or a second replica never makes a duplicate; `spec.triage` is never written; an
object stays under a number of bytes and a namespace under a number of objects. Called by its lane.
"""

from __future__ import annotations

import logging
from typing import Any

from riverwatch import errors, vocabulary
from riverwatch.detections import finding, render
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.outputs import base, deliveries, ledger, references, size

_log = logging.getLogger(__name__)

SPACING_S = 5.0
"""Seconds between two writes of one detection: fast enough to watch, slow enough for a burst of records."""

_KIND = resources.THREAT_DETECTIONS

CARD = base.OutputCard(
    id="threat_detection",
    summary="ThreatDetection custom resources by server-side apply",
    retry=base.RetryClass.UNTIL_DELIVERED,
    rate_limited=True,
    access=(
        base.Access(_KIND, ("get", "list", "watch", "create", "patch", "delete"), "write, fold, expire detections"),
        base.Access(_KIND, ("patch",), "report phase and count", subresource="status"),
    ),
    settings=("detections_per_namespace", "detection_bytes", "closed_ttl_s", "open_ttl_s"),
    spacing_s=SPACING_S,
)

PHASE_OF_VERDICT = {
    vocabulary.Verdict.TRUE_POSITIVE.value: vocabulary.Phase.ACKNOWLEDGED,
    vocabulary.Verdict.FALSE_POSITIVE.value: vocabulary.Phase.RESOLVED,
    vocabulary.Verdict.EXPECTED.value: vocabulary.Phase.RESOLVED,
}
"""A true positive stays open until somebody closes it; the other verdicts end the matter."""


class ThreatDetectionOutput:
    """Writes detections.

    Parameters
    ----------
    client
        API server.
    known
        Told where each object stands.
    standing
        What stands in each namespace.
    operator_namespace
        Namespace of detections that have none, or whose own is gone.
    max_bytes
        Largest object, in bytes of JSON.
    """

    card = CARD

    def __init__(
        self,
        client: kube_client.Client,
        known: references.References,
        standing: ledger.Ledger,
        *,
        operator_namespace: str,
        max_bytes: int,
    ) -> None:
        self._client = client
        self._known = known
        self._standing = standing
        self._operator_namespace = operator_namespace
        self._max_bytes = max_bytes
        self.deliveries = deliveries.Deliveries()
        """What other outputs did with each detection; `dispatch` writes it."""

    def wants(self, detection: finding.Detection) -> bool:  # noqa: ARG002 - every revision is news
        """Every revision is news."""
        return True

    def deliver(self, detection: finding.Detection) -> None:
        """Apply the object, then its status."""
        body = render.to_threat_detection(detection, operator_namespace=self._operator_namespace)
        status = body.pop("status", None) or {}
        body = size.fit(body, max_bytes=self._max_bytes)
        try:
            written = self._apply(body)
        except errors.ApiPermanentError as error:
            if not _namespace_is_gone(error) or body["metadata"]["namespace"] == self._operator_namespace:
                raise
            # The attacker may have deleted the namespace: the record must survive it.
            body["metadata"]["namespace"] = self._operator_namespace
            written = self._apply(body)
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        self._known.put(detection.uid, references.Reference(namespace, name, written["metadata"]["uid"]))
        status = self._status(status, written)
        if rows := self.deliveries.rows(detection.uid):
            status["outputs"] = rows
        answer = self._client.apply(_KIND, _status_body(namespace, name, status), subresource="status")
        self._standing.put(ledger.row_of(answer))

    def show_outputs(self, detection: finding.Detection) -> None:
        """Write what other outputs did with a detection into its status, and nothing else."""
        where = self._known.get(detection.uid)
        if where is None:
            return  # the object is not written yet; its first status says it
        try:
            self._client.merge(
                _KIND,
                {"status": {"outputs": self.deliveries.rows(detection.uid)}},
                namespace=where.namespace,
                name=where.name,
                subresource="status",
            )
        except errors.ApiPermanentError as error:
            if error.status != 404:
                raise

    def close(self) -> None:
        """Nothing is held."""

    def _apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make room under the cap, then apply."""
        row = ledger.row_of(body)
        victim = self._standing.victim(row)
        if victim is row:
            raise errors.PermanentError(
                f"namespace {row.namespace} is full of detections that weigh more; triage some, or raise "
                "detections_per_namespace"
            )
        if victim is not None:
            self._client.delete(_KIND, namespace=victim.namespace, name=victim.name)
            self._standing.forget(victim.namespace, victim.name)
            _log.info("namespace is at its cap, the weakest detection went", extra={"object": victim.name})
        return self._client.apply(_KIND, body)

    def _status(self, status: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
        """Let a person's verdict decide the phase."""
        verdict = ((written.get("spec") or {}).get("triage") or {}).get("verdict")
        phase = PHASE_OF_VERDICT.get(verdict) if isinstance(verdict, str) else None
        generation = (written.get("metadata") or {}).get("generation")
        changed = {"phase": phase.value} if phase is not None else {}
        return {**status, **changed, **({"observedGeneration": generation} if generation is not None else {})}


def _status_body(namespace: str, name: str, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": _KIND.api_version,
        "kind": _KIND.kind,
        "metadata": {"namespace": namespace, "name": name},
        "status": status,
    }


def _namespace_is_gone(error: errors.ApiPermanentError) -> bool:
    """Whether the namespace does not exist (404) or is being deleted (403)."""
    text = str(error)
    if error.status == 404:
        return "namespaces" in text.split(":", 1)[-1]
    return error.status == 403 and "being terminated" in text
