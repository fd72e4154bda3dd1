"""Follows ThreatDetection: a person's verdict in `spec.triage` sets the phase and is told to the pipeline.

The operator never writes `spec.triage`. A verdict counts once: what was told already is not told again, whichever of
watch and list brings it.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from riverwatch import clock, vocabulary
from riverwatch.control import statuses, watched
from riverwatch.kube import resources
from riverwatch.outputs import threat_detection

REMEMBERED = 20_000
"""Verdicts remembered; the oldest is forgotten first and would be told once more."""


@dataclasses.dataclass(frozen=True)
class Triage:
    """What a person decided about one detection."""

    uid: str
    """Uid of the detection (not of the object)."""
    verdict: vocabulary.Verdict | None
    """None when the verdict was taken back."""
    reason: str
    by: str
    expires_s: float | None


Tell = Callable[[Triage], None]
"""Takes a verdict over."""


class TriageDesk:
    """Sees verdicts.

    Parameters
    ----------
    report
        The status lane.
    tell
        Told every new verdict.
    """

    follows = (resources.THREAT_DETECTIONS,)

    def __init__(self, report: statuses.Statuses, tell: Tell) -> None:
        self._report = report
        self._tell = tell
        self._lock = threading.Lock()
        self._told: collections.OrderedDict[watched.Key, Triage] = collections.OrderedDict()

    def take(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:
        """Look at one detection."""
        key, triage = watched.key_of(body), read(body)
        with self._lock:
            before = self._told.get(key)
            if triage == before or (triage is None and before is None):
                return
            if triage is None:
                assert before is not None
                del self._told[key]
                triage = dataclasses.replace(before, verdict=None)
            else:
                self._told[key] = triage
                self._told.move_to_end(key)
                if len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
        self._tell(triage)
        phase = threat_detection.PHASE_OF_VERDICT.get(triage.verdict or "", vocabulary.Phase.OPEN).value
        if (body.get("status") or {}).get("phase") != phase:
            self._report.submit(statuses.Write(resource, *key, {"phase": phase}, merge=True))

    def forget(self, resource: resources.Resource, key: watched.Key) -> None:  # noqa: ARG002 - there is one kind
        """Forget a detection that is gone; its verdict stays learned."""
        with self._lock:
            self._told.pop(key, None)

    def known(self, resource: resources.Resource) -> Iterable[watched.Key]:  # noqa: ARG002 - there is one kind
        """Return the detections with a verdict."""
        with self._lock:
            return list(self._told)


def read(body: Mapping[str, Any]) -> Triage | None:
    """Read the verdict of a ThreatDetection; None when there is none that can be read."""
    triage = (body.get("spec") or {}).get("triage") or {}
    verdict = str(triage.get("verdict") or "")
    if verdict not in {item.value for item in vocabulary.Verdict}:
        return None
    expires = triage.get("expiresAt")
    try:
        expires_s = clock.parse_rfc3339(str(expires)) if expires else None
    except ValueError:
        expires_s = None
    return Triage(
        uid=watched.key_of(body)[1].removeprefix("rw-"),
        verdict=vocabulary.Verdict(verdict),
        reason=str(triage.get("reason") or ""),
        by=str(triage.get("by") or ""),
        expires_s=expires_s,
    )
