"""Output: one core/v1 Event per new detection, pointing at its ThreatDetection, so that ``kubectl describe`` shows it.

Events are a doorbell, never the record: they live about an hour. One per detection is enough, because repeats are
counted in the ThreatDetection. The name is made from the detection's uid, so that a second try never makes a second
Event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from riverwatch import clock, errors, vocabulary
from riverwatch.detections import advice, finding
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.outputs import base, references

MESSAGE_MAX = 1024
"""Characters of a message; the API server refuses longer ones."""

COMPONENT = "riverwatch"
"""Reporting component, shown as ``From``."""

REASON = "ThreatDetected"
"""Why the Event was made; one CamelCase word."""

CARD = base.OutputCard(
    id="k8s_event",
    summary="one Kubernetes Event per new detection, on its ThreatDetection",
    retry=base.RetryClass.UNTIL_DELIVERED,
    rate_limited=True,
    access=(
        base.Access(resources.K8S_EVENTS, ("create",), "announce new detections"),
        base.Access(resources.THREAT_DETECTIONS, ("get",), "point Events at their object"),
    ),
)


class K8sEventOutput:
    """Announces detections.

    Parameters
    ----------
    client
        API server.
    known
        References of written ThreatDetections.
    operator_namespace
        Namespace of detections that have none.
    instance
        Name of this replica, for ``reportingInstance``.
    time
        Clock.
    """

    card = CARD

    def __init__(
        self,
        client: kube_client.Client,
        known: references.References,
        *,
        operator_namespace: str,
        instance: str,
        time: clock.Clock,
    ) -> None:
        self._client = client
        self._known = known
        self._operator_namespace = operator_namespace
        self._instance = instance
        self._time = time
        self._announced = references.Recent()

    def wants(self, detection: finding.Detection) -> bool:
        """Only a detection that was not announced yet is news."""
        return not self._announced.has(detection.uid)

    def deliver(self, detection: finding.Detection) -> None:
        """Create the Event; one that is there already is fine."""
        if self._announced.has(detection.uid):
            return
        namespace = detection.namespace or self._operator_namespace
        target = self._known.get(detection.uid) or self._look_up(namespace, detection)
        self._client.create(resources.K8S_EVENTS, self._body(detection, target))
        self._announced.add(detection.uid)

    def adopt(self, uids: Iterable[str]) -> None:
        """Take detections that an earlier run announced for announced."""
        for uid in uids:
            self._announced.add(uid)

    def close(self) -> None:
        """Nothing is held."""

    def _look_up(self, namespace: str, detection: finding.Detection) -> references.Reference:
        """Ask for the ThreatDetection; not written yet means later."""
        try:
            found = self._client.get(resources.THREAT_DETECTIONS, namespace=namespace, name=detection.name)
        except errors.ApiPermanentError as error:
            if error.status != 404:
                raise
            raise errors.ApiTemporaryError(f"{namespace}/{detection.name} is not written yet") from error
        reference = references.Reference(namespace, detection.name, found["metadata"]["uid"])
        self._known.put(detection.uid, reference)
        return reference

    def _body(self, detection: finding.Detection, target: references.Reference) -> dict[str, Any]:
        now = clock.rfc3339(self._time.now_s())
        severe = detection.severity.rank >= vocabulary.Severity.MEDIUM.rank
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{target.name}.raised",
                "namespace": target.namespace,
                "labels": {"app.kubernetes.io/managed-by": COMPONENT},
            },
            "type": "Warning" if severe else "Normal",
            "reason": REASON,
            "action": "Detect",
            "message": message(detection),
            "involvedObject": {
                "apiVersion": resources.THREAT_DETECTIONS.api_version,
                "kind": resources.THREAT_DETECTIONS.kind,
                "namespace": target.namespace,
                "name": target.name,
                "uid": target.uid,
            },
            "source": {"component": COMPONENT},
            "reportingComponent": f"{resources.GROUP}/{COMPONENT}",
            "reportingInstance": self._instance[:128],
            "firstTimestamp": now[:19] + "Z",
            "lastTimestamp": now[:19] + "Z",
            "eventTime": now,
            "count": 1,
        }


def message(detection: finding.Detection) -> str:
    """Write a detection as one line of at most 1024 characters."""
    actor = f"{detection.actor.kind} {detection.actor.namespace}/{detection.actor.name}".replace(" /", " ")
    because = "; ".join(reason.text for reason in detection.explanation[:3])
    text = f"{detection.severity.value} {detection.score:.0f}/100: {detection.title} (by {actor})"
    text = f"{text}: {because}" if because else text
    return advice.printable(text, MESSAGE_MAX)
