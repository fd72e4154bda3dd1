"""The past is learned as the stream would have been, and nothing is raised for it."""

from __future__ import annotations

import acts
import pytest

from riverwatch import testing
from riverwatch.activity import record
from riverwatch.rules import engine
from riverwatch.runtime import history, pipeline
from riverwatch.sources import base

DAY_S = 86_400.0


def life(days: float) -> list[record.AuditRecord]:
    return [
        testing.audit_record(time_s=testing.START_S + 300.0 * number, audit_id=f"usual-{number}")
        for number in range(int(days * DAY_S / 300.0))
    ]


@pytest.fixture
def memory() -> pipeline.Pipeline:
    return pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))


def learn(memory: pipeline.Pipeline, records: list[record.AuditRecord]) -> tuple[bool, base.Tally]:
    tally = base.Tally()
    batches = [base.Batch(records=records, where="audit.log:1")]
    return history.learn(batches, memory, tally=tally), tally


def test_models_judge_at_once_when_history_covers_the_learning_period(memory):
    assert learn(memory, life(4.0))[0]
    (found,) = memory.process([acts.theft(testing.START_S + 4.1 * DAY_S)], tally=base.Tally())
    assert "novelty" in found.detectors


def test_nothing_is_raised_for_the_past_however_bad(memory):
    learn(memory, [*life(4.0), acts.theft(testing.START_S + 4.1 * DAY_S)])
    assert not memory.folder.open
    assert not memory.learning.muted


def test_who_knows_something_reads_no_history(memory):
    memory.process(life(0.1), tally=base.Tally())
    before = memory.used
    assert not learn(memory, life(4.0))[0]
    assert memory.used == before
