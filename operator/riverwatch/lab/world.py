"""The lab's shared words: who lives in the recorded company, and the labels that say what happened in a recording.

``labels.json`` and ``labels.csv`` in, `Labels` out, and back. Every word here is plain data. The company itself is
written down in `identities` and `workloads`; its habits in `life`. Read by the recorder, by attacks and by evaluation.
No detector may know a name from `LAB_ONLY_NAMES`.
"""

from __future__ import annotations

import csv
import datetime as dt
import enum
import pathlib

import msgspec

from riverwatch import errors
from riverwatch.lab.attacks import base

START_S = dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp()
"""First second of every recording, epoch seconds: a Monday, midnight UTC, so that weekends fall where expected."""

DAY_S = 86_400.0
"""One day, in seconds."""

LOCAL_OFFSET_S = 3600.0
"""What the company's clocks are ahead of UTC, in seconds (Central European winter time)."""

COMPANY = "halden"
"""Name of the company; image registries and mail addresses carry it."""

LABELS_JSON = "labels.json"
"""Labels by episode, with everything that is known about each."""

LABELS_CSV = "labels.csv"
"""The same labels, one line per labelled record."""

CSV_COLUMNS = ("auditID", "time", "kind", "episode", "name", "identity", "useCase", "visibility")
"""Columns of the CSV file."""

LABELS_VERSION = 1
"""Format version of both label files; a reader refuses a newer one."""

LAB_ONLY_NAMES = (
    "halden",
    "storefront",
    "basket",
    "fulfilment",
    "cashbook",
    "loyalty",
    "tariffs",
    "findit",
    "giveback",
    "dataworks",
    "proving",
    "parcel-router",
    "wishlist",
    "recommender",
    "coupon-mint",
    "stock-mirror",
    "bookkeeper",
    "dunning",
    "giftcards",
    "ingrid",
    "tariq",
    "solveig",
    "mateusz",
    "priya",
    "oluwaseun",
    "yuki",
    "camille",
    "dragana",
    "henrik",
    "noor",
    "bastien",
)
"""Names that occur only in the lab; a test looks for them in detectors, rules and features, and must find none."""


class EpisodeKind(enum.StrEnum):
    """What an episode is."""

    ATTACK = "attack"
    HAPPENING = "happening"
    """Benign but odd; a detection of it is a false alert."""


class Episode(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One attack or happening of a recording.

    A record belongs to it when its `auditID` is listed, or when one of `identities` acted between `start` and `end`.
    """

    id: str
    """Unique in the recording: the name and a running number."""
    kind: EpisodeKind
    name: str
    """Id of the attack's card, or name of the happening."""
    start: str
    """Time of the first labelled record, RFC 3339."""
    end: str
    """Time of the last labelled record, RFC 3339."""
    identities: list[str]
    """User names that authenticated, as records spell them."""
    summary: str = ""
    severity: str = "benign"
    """``benign`` for happenings, ``malicious`` for attacks."""
    use_case: str = ""
    """`vocabulary.UseCase` of an attack."""
    visibility: str = ""
    """`attacks.base.Subtlety` of an attack."""
    technique: str = ""
    """ATT&CK id of an attack."""
    tactic: str = ""
    impersonated: list[str] = []
    """User names that an attack acted as."""
    source_ips: list[str] = []
    """Addresses that labelled requests came from."""
    audit_ids: list[str] = []
    """Labelled records, in time order."""


class LabelledRecord(msgspec.Struct, frozen=True):
    """One line of the CSV file."""

    audit_id: str
    time: str
    episode: Episode
    identity: str


class Labels(msgspec.Struct, frozen=True, rename="camel"):
    """All that is known about a recording beforehand."""

    version: int
    seed: int
    start: str
    """Simulated time at which the recording starts, RFC 3339."""
    end: str
    episodes: list[Episode]

    def attacks(self) -> list[Episode]:
        """Give the attacks, in time order."""
        return [episode for episode in self.episodes if episode.kind is EpisodeKind.ATTACK]

    def happenings(self) -> list[Episode]:
        """Give the benign happenings, in time order."""
        return [episode for episode in self.episodes if episode.kind is EpisodeKind.HAPPENING]


class Session(msgspec.Struct, frozen=True):
    """How an identity appears to the API server at one moment; a pod's restart or a token's renewal makes a new one."""

    username: str
    credential: base.Credential
    source_ip: str
    user_agent: str
    pod: str = ""
    node: str = ""


def rfc3339(time_s: float) -> str:
    """Write a time as records do.

    Parameters
    ----------
    time_s
        Epoch seconds.

    Examples
    --------
    >>> rfc3339(START_S + 0.25)
    '2026-03-02T00:00:00.250000Z'
    """
    return dt.datetime.fromtimestamp(time_s, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Read a time as records write it, to epoch seconds.

    Parameters
    ----------
    text
        RFC 3339, with or without fractions.

    Examples
    --------
    >>> parse_rfc3339("2026-03-02T00:00:00.250000Z") - START_S
    0.25
    """
    return dt.datetime.fromisoformat(text).timestamp()


def write_labels(folder: pathlib.Path, labels: Labels, records: list[LabelledRecord]) -> None:
    """Write both label files.

    Parameters
    ----------
    folder
        The recording.
    labels
        By episode.
    records
        By record, in time order.
    """
    text = msgspec.json.format(msgspec.json.encode(labels), indent=1)
    (folder / LABELS_JSON).write_bytes(text + b"\n")
    with (folder / LABELS_CSV).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for record in records:
            of = record.episode
            row = (record.audit_id, record.time, of.kind, of.id, of.name, record.identity, of.use_case, of.visibility)
            writer.writerow(row)


def read_labels(folder: pathlib.Path) -> Labels:
    """Read ``labels.json`` of a recording.

    Parameters
    ----------
    folder
        The recording.

    Raises
    ------
    BadInputError
        When the file is missing, malformed or of a newer version.
    """
    path = folder / LABELS_JSON
    try:
        labels = msgspec.json.decode(path.read_bytes(), type=Labels)
    except OSError as error:
        raise errors.BadInputError(
            f"cannot be read ({error.strerror}); give the folder that `riverwatch lab record` wrote", where=str(path)
        ) from error
    except msgspec.DecodeError as error:
        raise errors.BadInputError(f"not a label file: {error}", where=str(path)) from error
    if labels.version > LABELS_VERSION:
        raise errors.BadInputError(
            f"version {labels.version} is newer than {LABELS_VERSION}; update riverwatch", where=f"{path}: version"
        )
    return labels
