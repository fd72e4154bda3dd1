"""Stage 7: a detection -> a CloudEvents 1.0 message in structured mode, around its ThreatDetection.

Pure and without a clock: the same state of a detection always gives the same message, with the same id, so that a
receiver can drop repeats. Called by outputs that speak CloudEvents.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from riverwatch import clock
from riverwatch.detections import finding, render

SPEC_VERSION = "1.0"
"""Version of CloudEvents."""

TYPE = "dev.riverwatch.threatdetection.v1alpha1"
"""Type of every message: reverse DNS, kind and version of the object inside."""

CONTENT_TYPE = "application/cloudevents+json"
"""What a sender puts into the HTTP header ``Content-Type``."""


def to_cloudevent(
    detection: finding.Detection,
    *,
    cluster: str = "default",
    operator_namespace: str = render.OPERATOR_NAMESPACE,
) -> dict[str, Any]:
    """Return the message about a detection as it stands.

    Parameters
    ----------
    detection
        The detection.
    cluster
        Name of the cluster, for the source.
    operator_namespace
        Namespace of detections that have none of their own.
    """
    body = render.to_threat_detection(detection, operator_namespace=operator_namespace)
    namespace = urllib.parse.quote(str(body["metadata"]["namespace"]), safe="")
    return {
        "specversion": SPEC_VERSION,
        "id": f"{detection.uid}.{detection.revision}",
        "source": f"urn:riverwatch:cluster:{urllib.parse.quote(cluster, safe='')}",
        "type": TYPE,
        "subject": f"namespaces/{namespace}/threatdetections/{detection.name}",
        "time": clock.rfc3339(detection.last_seen_s),
        "datacontenttype": "application/json",
        "severity": detection.severity.value,
        "usecase": detection.use_case.value,
        "data": body,
    }
