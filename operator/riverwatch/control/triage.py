"""Follows ThreatDetection: a person's verdict in `spec.triage` sets the phase and is told to the pipeline.

The operator never writes `spec.triage`. A verdict counts once: what was told already is not told again, whichever of
watch and list brings it. What a verdict keeps quiet is counted in the status of its detection. Told to the pipeline by
`control.assembly`; after a restart all verdicts are read from the objects anew.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from riverwatch import clock, vocabulary
from riverwatch.activity import identities
from riverwatch.control import statuses, watched
from riverwatch.kube import resources
from riverwatch.outputs import threat_detection
from riverwatch.runtime import pipeline
from riverwatch.scoring import triage

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
    subject: triage.Subject | None = dataclasses.field(default=None, compare=False)
    """What the object says, should the pipeline know nothing of it any more."""
    records: int = dataclasses.field(default=0, compare=False)
    """Records that belong to the detection."""

    def ruling(self) -> triage.Ruling | None:
        """Return the verdict in the pipeline's words; None when it was taken back."""
        if self.verdict is None:
            return None
        return triage.Ruling(self.verdict, until_s=self.expires_s or 0.0, reason=self.reason)


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
        self._counted: dict[str, int] = {}
        self.suppressed: Mapping[str, int] = {}
        """What was kept quiet so far, by reason; for the metrics."""

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

    def count(self, source: pipeline.Pipeline) -> None:
        """Look at what was kept quiet and report it where it grew; on the worker's thread."""
        self.suppressed = {"exception": source.judge.excepted, "triage": source.verdicts.suppressed}
        grown = {uid: n for uid, n in source.verdicts.counts().items() if n != self._counted.get(uid)}
        if not grown:
            return
        with self._lock:
            told = [(key, one) for key, one in self._told.items() if one.uid in grown]
        for key, one in told:
            self._counted[one.uid] = grown[one.uid]
            status = {"count": one.records + grown[one.uid]}
            self._report.submit(statuses.Write(resources.THREAT_DETECTIONS, *key, status, merge=True))

    def forget(self, resource: resources.Resource, key: watched.Key) -> None:  # noqa: ARG002 - there is one kind
        """Forget a detection that is gone; its verdict stays learned."""
        with self._lock:
            gone = self._told.pop(key, None)
        if gone is not None:
            self._counted.pop(gone.uid, None)

    def known(self, resource: resources.Resource) -> Iterable[watched.Key]:  # noqa: ARG002 - there is one kind
        """Return the detections with a verdict."""
        with self._lock:
            return list(self._told)


def read(body: Mapping[str, Any]) -> Triage | None:
    """Read the verdict of a ThreatDetection; None when there is none that can be read."""
    spec = body.get("spec") or {}
    written = spec.get("triage") or {}
    verdict = str(written.get("verdict") or "")
    if verdict not in {item.value for item in vocabulary.Verdict}:
        return None
    expires = written.get("expiresAt")
    try:
        expires_s = clock.parse_rfc3339(str(expires)) if expires else None
    except ValueError:
        expires_s = None
    return Triage(
        uid=watched.key_of(body)[1].removeprefix("rw-"),
        verdict=vocabulary.Verdict(verdict),
        reason=str(written.get("reason") or ""),
        by=str(written.get("by") or ""),
        expires_s=expires_s,
        subject=subject_of(spec),
        records=count if isinstance(count := spec.get("evidenceCount"), int) else 0,
    )


def subject_of(spec: Mapping[str, Any]) -> triage.Subject | None:
    """Read from the spec of a ThreatDetection what it is about; None when it names no actor."""
    actor = spec.get("actor") or {}
    name, kind = str(actor.get("name") or ""), str(actor.get("kind") or "")
    if not name:
        return None
    if kind == identities.PrincipalKind.SERVICE_ACCOUNT.value:
        name = f"{identities.SERVICE_ACCOUNT_PREFIX}{actor.get('namespace') or ''}:{name}"
    elif kind == identities.PrincipalKind.NODE.value:
        name = f"{identities.NODE_PREFIX}{name}"
    credential = str(spec.get("impersonatedBy") or "")
    try:
        last_s = clock.parse_rfc3339(str(spec.get("lastSeen") or ""))
    except ValueError:
        last_s = 0.0
    return triage.Subject(
        key=f"{credential} as {name}" if credential else name,
        last_s=last_s,
        detectors=tuple(str(one) for one in spec.get("detectors") or ()),
        targets=tuple(_target(one) for one in spec.get("targets") or () if isinstance(one, Mapping)),
        pairs=tuple(
            (str(one.get("feature") or ""), str(one.get("observed") or ""))
            for one in spec.get("explanation") or ()
            if isinstance(one, Mapping) and not str(one.get("feature") or "").startswith("rule:")
        ),
    )


def _target(written: Mapping[str, Any]) -> tuple[str, str, str]:
    resource, below = str(written.get("resource") or ""), str(written.get("subresource") or "")
    path = f"{resource}/{below}" if below else resource
    return path, str(written.get("namespace") or ""), str(written.get("name") or "")
