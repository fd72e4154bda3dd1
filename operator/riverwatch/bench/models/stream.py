"""A labelled folder -> `Point`s: what every candidate sees of a record, prepared once for all of them.

A folder holds ``audit.jsonl`` (or ``.jsonl.zst``, ``.jsonl.gz``) and ``labels.csv`` or ``labels.json``: a load of a
generator (every labelled record is suspicious) or a recording of the lab (only records of attacks are; the odd but
harmless happenings count as quiet). Called by `bench.models.contest`.
"""

from __future__ import annotations

import csv
import json
import pathlib
import time
from collections.abc import Iterator

import msgspec

from riverwatch import errors
from riverwatch.activity import dedupe, identities, normalise, record
from riverwatch.features import amounts, attributes, vector, volumes
from riverwatch.models import credential
from riverwatch.sources import audit_file, base

ATTACK = "attack"
"""Kind of a label whose records are suspicious; a label without a kind is, too."""

AUDIT_NAMES = ("audit.jsonl", "audit.jsonl.zst", "audit.jsonl.gz")
"""Names under which the records are looked for."""


class Point(msgspec.Struct, frozen=True, gc=False):
    """One record as the candidates see it."""

    measured: vector.FeatureVector
    use: credential.Use | None
    """Use of a bound credential, as far as the record itself tells."""
    action: str
    namespace: str
    """Target namespace; empty for none."""
    address: str
    client: str
    """User agent as sent."""
    verb: str
    resource: str
    subresource: str
    refused: bool
    impersonated: bool
    anonymous: bool
    size_bytes: int
    """Bytes of the request and response bodies."""
    suspicious: bool


class Stream(msgspec.Struct, frozen=True):
    """All points of a folder."""

    name: str
    points: list[Point]
    measure_us: float
    """Microseconds of processor time a record that making the feature vector took."""


def read(folder: pathlib.Path, *, rows: int | None = None) -> Stream:
    """Read a labelled folder.

    Parameters
    ----------
    folder
        A load or a recording.
    rows
        At least 1. Records read at most, from the beginning; None reads all.

    Raises
    ------
    BadInputError
        When a file is missing or cannot be read, or no record carries a label.
    """
    suspicious = _labels(folder)
    counted, points, spent_s = volumes.Volumes(), list[Point](), 0.0
    for activity in _activities(_audit_path(folder)):
        began_s = time.process_time()
        measured = measured_of(activity, counted.count(activity))
        spent_s += time.process_time() - began_s
        points.append(point_of(activity, measured, suspicious=activity.audit_id in suspicious))
        if rows is not None and len(points) >= rows:
            break
    if not any(point.suspicious for point in points):
        raise errors.BadInputError(
            f"none of the {len(points)} records read is labelled suspicious; read more rows, or check that labels and "
            "records belong together",
            where=str(folder),
        )
    return Stream(folder.name, points, spent_s / len(points) * 1e6)


def _audit_path(folder: pathlib.Path) -> pathlib.Path:
    for name in AUDIT_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise errors.BadInputError(f"holds none of {', '.join(AUDIT_NAMES)}", where=str(folder))


def _activities(path: pathlib.Path) -> Iterator[record.Activity]:
    tally, seen = base.Tally(), dedupe.Dedupe()
    for batch in audit_file.read_paths([path], tally=tally):
        for place, source in enumerate(batch.records):
            try:
                activity = normalise.from_audit(source)
            except errors.MalformedRecordError as error:
                tally.skip(error.reason, where=f"{batch.where} (record {place + 1} from there)", detail=error.detail)
                continue
            if not seen.seen(activity.audit_id, source.request_received_timestamp or ""):
                yield activity


def measured_of(activity: record.Activity, volume: amounts.Amount | None = None) -> vector.FeatureVector:
    """Return the feature vector as our models read it here: no rules, no inventory, so that models stand alone."""
    return vector.measure(activity, volume=volume)


def point_of(activity: record.Activity, measured: vector.FeatureVector, *, suspicious: bool) -> Point:
    """Return what candidates see of an activity."""
    source = activity.record
    kind = activity.principal.kind
    return Point(
        measured=measured,
        use=_use(activity),
        action=attributes.action_of(activity.verb, activity.api_group, activity.resource, activity.subresource)
        if activity.resource
        else f"{activity.verb} {attributes.url_family(activity.request_uri)}",
        namespace=activity.namespace,
        address=activity.source_ip,
        client=activity.user_agent,
        verb=activity.verb,
        resource=activity.resource,
        subresource=activity.subresource,
        refused=activity.refused,
        impersonated=activity.impersonated is not None,
        anonymous=kind is identities.PrincipalKind.ANONYMOUS,
        size_bytes=len(bytes(source.request_object)) + len(bytes(source.response_object)),
        suspicious=suspicious,
    )


def _use(activity: record.Activity) -> credential.Use | None:
    principal = activity.principal
    if not activity.credential_id or not activity.source_ip:
        return None
    if principal.kind is identities.PrincipalKind.NODE:
        return credential.Use(activity.credential_id, "certificate", principal.name, activity.source_ip)
    if not activity.token_pod:
        return None
    owner = f"pod {principal.namespace}/{activity.token_pod}"
    return credential.Use(activity.credential_id, "token", owner, activity.source_ip)


def _labels(folder: pathlib.Path) -> frozenset[str]:
    table, tree = folder / "labels.csv", folder / "labels.json"
    try:
        if table.is_file():
            return _from_csv(table)
        if tree.is_file():
            return _from_json(tree)
    except OSError as error:
        raise errors.BadInputError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    raise errors.BadInputError("holds neither labels.csv nor labels.json", where=str(folder))


def _from_csv(path: pathlib.Path) -> frozenset[str]:
    with path.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        if "auditID" not in (rows.fieldnames or ()):
            raise errors.BadInputError(f"has no column auditID but {rows.fieldnames}", where=f"{path}:1")
        return frozenset(row["auditID"] for row in rows if (row.get("kind") or ATTACK) == ATTACK)


def _from_json(path: pathlib.Path) -> frozenset[str]:
    try:
        episodes = json.loads(path.read_text(encoding="utf-8"))["episodes"]
        return frozenset(one for episode in episodes if episode["kind"] == ATTACK for one in episode["auditIds"])
    except (ValueError, KeyError, TypeError) as error:
        raise errors.BadInputError(
            f"is no list of labelled episodes with kind and auditIds: {error}", where=str(path)
        ) from error
