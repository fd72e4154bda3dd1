"""Who had a controller act answers for it, and the evidence names the request by which he did."""

from __future__ import annotations

from riverwatch import testing, vocabulary
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

START_S = testing.START_S
MAKER = "system:serviceaccount:ci:deployer"


def made() -> object:
    return testing.audit_record(
        time_s=START_S, user=MAKER, verb="create", resource="secrets", name="robot-token", code=201, audit_id="made"
    )


def filled() -> object:
    return testing.audit_record(
        time_s=START_S + 60.0,
        user="system:kube-controller-manager",
        verb="update",
        resource="secrets",
        name="robot-token",
        user_agent="kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/abc1234/tokens-controller",
        audit_id="filled",
    )


def test_a_token_filled_into_a_secret_is_told_of_its_maker_with_his_request():
    through, other = (pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog())) for _ in range(2))
    assert through.process([made()], tally=base.Tally()) == []
    other.restore(through.snapshot())
    for one in (through, other):
        (found,) = one.process([filled()], tally=base.Tally())
        assert [item.audit_id for item in found.evidence] == ["made", "filled"]
        assert found.first_seen_s == START_S
        assert found.severity is vocabulary.Severity.MEDIUM
        assert [party.label for party in found.parties] == ["ci/deployer"]


def test_a_secret_that_nobody_fills_is_nothing():
    through = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))
    assert through.process([made()], tally=base.Tally()) == []
