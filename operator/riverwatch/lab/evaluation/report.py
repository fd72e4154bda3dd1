"""What an evaluation says, as one plain structure: the JSON file is this, the table and the page are drawn from it.

Figures of each mode (rules only, models only, both) over the same recordings, beside seeds, split and live latency.
Built by `evaluate`; read by `table` and `page`.
"""

from __future__ import annotations

import enum
import pathlib

import msgspec

from riverwatch import errors
from riverwatch.lab.evaluation import measures, pooling, splits

REPORT_VERSION = 1
"""Format version of the JSON report."""


class Mode(enum.StrEnum):
    """What was allowed to speak."""

    RULES = "rules"
    """The rule baseline alone, as before there were models."""
    MODELS = "models"
    """Models alone."""
    BOTH = "both"
    """The product."""


class Recording(msgspec.Struct, frozen=True):
    """Where figures come from."""

    folder: str
    """Last part of its path."""
    seed: int
    records: int | None
    """Audit records in it, if its description says so."""


class Latency(msgspec.Struct, frozen=True):
    """Seconds from an attack's request to its ThreatDetection being visible through the API, on a running operator."""

    attacks: int
    seen: int
    median_s: float | None
    p95_s: float | None
    missed: list[str]
    """Attacks that nothing was seen of in time."""


class Report(msgspec.Struct, frozen=True):
    """One evaluation."""

    version: int
    split: splits.Split
    recordings: list[Recording]
    learning_s: float
    """Seconds at the start of each recording in which nothing counts."""
    left_out: int
    """Attacks that began in the learning period and are not counted."""
    modes: dict[str, measures.Figures]
    """By `Mode`."""
    latency: Latency | None = None


class Material(msgspec.Struct, frozen=True):
    """What a page is drawn from: the report, and what was matched in the mode that is the product."""

    report: Report
    judged: dict[str, pooling.Judged]
    """By `Mode`."""


def encode(report: Report) -> bytes:
    """Write a report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def read_latency(path: pathlib.Path) -> Latency:
    """Read what a live measurement wrote.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    BadInputError
        When it cannot be read or is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Latency)
    except OSError as problem:
        raise errors.BadInputError(f"cannot be read ({problem.strerror})", where=str(path)) from problem
    except msgspec.DecodeError as problem:
        raise errors.BadInputError(f"not a latency report: {problem}", where=str(path)) from problem
