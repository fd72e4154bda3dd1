"""Detections as the scorer sees them: who, when, how strong, on what evidence.

``ThreatDetection`` bodies, one on each line (what `riverwatch replay -o jsonl` prints), or `finding.Detection`s in;
`Alert`s out. User names are written as audit records write them, so that they can be compared with labels.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

import msgspec

from riverwatch import clock, errors
from riverwatch.activity import identities
from riverwatch.detections import finding


class Alert(msgspec.Struct, frozen=True):
    """One detection."""

    key: str
    """``namespace/name`` of its object; the same in each of its revisions."""
    title: str
    use_case: str
    severity: str
    kind: str
    detectors: tuple[str, ...]
    score: float
    """0..100."""
    actors: tuple[str, ...]
    """User names of the actor and of whoever it was impersonated by."""
    first_s: float
    last_s: float
    observed_s: float
    """Record time at which it was first raised, epoch seconds."""
    evidence: tuple[tuple[str, float], ...]
    """Audit id and time (epoch seconds; 0 when unknown) of each piece of evidence."""


class _Actor(msgspec.Struct):
    kind: str
    name: str
    namespace: str = ""


class _Evidence(msgspec.Struct, rename="camel"):
    audit_id: str = msgspec.field(name="auditID")
    time: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    title: str
    actor: _Actor
    first_seen: str
    last_seen: str
    observed_at: str = ""
    use_case: str = ""
    severity: str = ""
    kind: str = ""
    score: float = 0.0
    detectors: list[str] = []
    impersonated_by: str | _Actor | None = None
    evidence: list[_Evidence] = []


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Body(msgspec.Struct):
    spec: _Spec
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


def read(path: pathlib.Path) -> list[Alert]:
    """Read detections, one JSON object a line; of several revisions of one object the last counts.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    BadInputError
        When it cannot be read, or a line is no ThreatDetection.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as problem:
        raise errors.BadInputError(f"cannot be read ({problem.strerror})", where=str(path)) from problem
    decoder = msgspec.json.Decoder(_Body)
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(_of_body(decoder.decode(line)))
        except (msgspec.DecodeError, ValueError) as problem:
            raise errors.BadInputError(
                f"not a ThreatDetection ({problem}); give what `riverwatch replay -o jsonl` prints",
                where=f"{path}:{number}",
            ) from problem
    return latest(found)


def of_bodies(bodies: Iterable[object]) -> list[Alert]:
    """Take custom resources as the API gives them.

    Parameters
    ----------
    bodies
        ThreatDetections.
    """
    return latest(_of_body(body) for body in msgspec.convert(list(bodies), list[_Body]))


def of_detections(detections: Iterable[finding.Detection]) -> list[Alert]:
    """Take detections from a pipeline in this process.

    Parameters
    ----------
    detections
        In the order in which the pipeline gave them.
    """
    return latest(_of_detection(detection) for detection in detections)


def latest(found: Iterable[Alert]) -> list[Alert]:
    """Keep the last revision of each, in the order in which they were first raised."""
    last: dict[str, Alert] = {}
    for alert in found:
        last[alert.key] = alert
    return sorted(last.values(), key=lambda alert: (alert.observed_s, alert.key))


def username(kind: str, name: str, namespace: str = "") -> str:
    """Write an actor's name as records do.

    Examples
    --------
    >>> username("ServiceAccount", "front", "web")
    'system:serviceaccount:web:front'
    >>> username("Node", "worker-1")
    'system:node:worker-1'
    """
    if kind == identities.PrincipalKind.SERVICE_ACCOUNT and not name.startswith(identities.SERVICE_ACCOUNT_PREFIX):
        return f"{identities.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"
    if kind == identities.PrincipalKind.NODE and not name.startswith(identities.NODE_PREFIX):
        return f"{identities.NODE_PREFIX}{name}"
    return name


def _impersonator(given: str | _Actor | None) -> tuple[str, ...]:
    """Write the impersonator's name as records do; some write ``namespace/name`` for a service account."""
    if not given:
        return ()
    if isinstance(given, _Actor):
        return (username(given.kind, given.name, given.namespace),)
    namespace, slash, name = given.partition("/")
    return (username("ServiceAccount", name, namespace),) if slash and ":" not in given else (given,)


def _of_body(body: _Body) -> Alert:
    """Read one custom resource."""
    spec = body.spec
    first_s = clock.parse_rfc3339(spec.first_seen)
    return Alert(
        key=f"{body.metadata.namespace}/{body.metadata.name}",
        title=spec.title,
        use_case=spec.use_case,
        severity=spec.severity,
        kind=spec.kind,
        detectors=tuple(spec.detectors),
        score=spec.score,
        actors=(username(spec.actor.kind, spec.actor.name, spec.actor.namespace), *_impersonator(spec.impersonated_by)),
        first_s=first_s,
        last_s=clock.parse_rfc3339(spec.last_seen),
        observed_s=clock.parse_rfc3339(spec.observed_at) if spec.observed_at else first_s,
        evidence=tuple((item.audit_id, clock.parse_rfc3339(item.time) if item.time else 0.0) for item in spec.evidence),
    )


def _of_detection(detection: finding.Detection) -> Alert:
    """Read one detection of a pipeline."""
    actor = detection.actor
    return Alert(
        key=f"{detection.namespace}/{detection.name}",
        title=detection.title,
        use_case=detection.use_case.value,
        severity=detection.severity.value,
        kind=detection.kind.value,
        detectors=tuple(detection.detectors),
        score=detection.score,
        actors=(username(actor.kind, actor.name, actor.namespace), *_impersonator(detection.impersonated_by)),
        first_s=detection.first_seen_s,
        last_s=detection.last_seen_s,
        observed_s=detection.observed_at_s,
        evidence=tuple((item.audit_id, item.time_s) for item in detection.evidence),
    )
