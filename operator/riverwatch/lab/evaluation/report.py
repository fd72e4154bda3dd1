"""What an evaluation says, as one plain structure: the JSON file is this, the table and the page are drawn from it.

Figures of each mode (rules only, models only, both) over the same recordings, beside seeds, split and live latency.
Built by `evaluate`; read by `table` and `page`.
"""

from __future__ import annotations

import enum

import msgspec

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
