"""Stage 5 words: what speaks for a verdict, record by record (`Evidence`) and feature by feature (`Reason`)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from riverwatch import vocabulary
from riverwatch.activity import record
from riverwatch.rules import base as rules_base


class Evidence(msgspec.Struct, frozen=True):
    """One record that speaks for the detection."""

    audit_id: str
    time_s: float
    summary: str
    score: float = 0.0
    """0..1, how strongly this record alone spoke."""
    actor: str = ""
    """Who acted, as people write it."""
    tactic: str = ""
    """ATT&CK tactic that the request serves, as `scoring.tactics` sees it; empty for none."""


class Reason(msgspec.Struct, frozen=True):
    """One line of the explanation: what was seen, against what it was compared, how rare that is."""

    feature: str
    observed: str
    expected: str
    frequency: vocabulary.Frequency
    contribution: float
    """Share of the score, 0..1; the reasons of one detection sum to at most 1."""
    text: str


def who(activity: record.Activity) -> str:
    """Return who acted as people write it: the credential's identity, and whom it acted as.

    Examples
    --------
    >>> from riverwatch import testing
    >>> from riverwatch.activity import normalise
    >>> who(normalise.from_audit(testing.audit_record(user="system:serviceaccount:web:front")))
    'web/front'
    """
    label = activity.principal.label
    return f"{label} as {activity.impersonated.label}" if activity.impersonated else label


def behind(hits: Sequence[rules_base.RuleHit], activity: record.Activity, evidence: Evidence | None) -> list[Evidence]:
    """Return the requests behind what a controller did, once each, in the order of the hits."""
    found: dict[str, Evidence] = {}
    if evidence is None:
        return []
    for hit in hits:
        if hit.author_audit_id:
            what = f"{activity.resource} {activity.namespace}/{activity.name}".strip("/ ")
            actor = who(activity)
            text = f"{actor} had the control plane do this: {what}"
            found[hit.author_audit_id] = Evidence(
                hit.author_audit_id, hit.author_time_s, text, evidence.score, actor=actor, tactic=evidence.tactic
            )
    return list(found.values())
