"""A rule that an identity trips every day is its job; the first time is news, above all of somebody nobody knows."""

from __future__ import annotations

import acts
import pytest

from riverwatch import testing, vocabulary
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

HOUR_S = 3_600.0
LEARN_S = testing.START_S + 72 * HOUR_S
RULES = engine.load_catalog()
SUPPORT, COLLEAGUE = "support@example.com", "colleague@example.com"


def shell(user: str, at_s: float):
    return testing.audit_record(
        time_s=at_s,
        user=user,
        verb="create",
        resource="pods",
        subresource="exec",
        name="front-1",
        code=101,
        user_agent="kubectl/v1.36.3",
    )


def lived(*more) -> pipeline.Pipeline:
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES), learn_until_s=LEARN_S)
    usual = [shell(SUPPORT, testing.START_S + hour * HOUR_S) for hour in range(72)]
    for one in sorted([*acts.routine(hours=72), *usual, *more], key=lambda each: each.request_received_timestamp):
        through.process([one], tally=base.Tally())
    return through


@pytest.mark.parametrize(("user", "counts"), [(SUPPORT, False), (COLLEAGUE, True)])
def test_a_low_rule_is_evidence_only_where_it_is_no_habit(user, counts):
    through = lived(shell(user, LEARN_S + HOUR_S))
    case = through.judge.cases.open[user]
    assert [hit.card.id for hit in case.hits] == ["pod-exec"]
    assert ("pod-exec" in case.news) is counts


def test_somebody_nobody_knows_is_told_at_his_first_request():
    stolen = testing.audit_record(
        time_s=LEARN_S + HOUR_S,
        user="system:serviceaccount:default:default",
        verb="list",
        resource="secrets",
        namespace="",
        name="",
        source_ip="198.51.100.7",
        user_agent="curl/8.5.0",
    )
    through = lived()
    (found,) = through.process([stolen], tally=base.Tally())
    assert found.evidence[0].audit_id == stolen.audit_id
    assert found.severity.rank >= vocabulary.Severity.MEDIUM.rank
