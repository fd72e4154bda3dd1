"""A namespace whose life changed is relearned beside its models; people promote the shadow and may roll back."""

from __future__ import annotations

import types

import acts
import msgspec
import pytest

from riverwatch import testing
from riverwatch.models import bank, drift, versions
from riverwatch.rules import engine
from riverwatch.runtime import pipeline, relearn
from riverwatch.sources import base

HOUR_S = 3600.0
OLD, NEW = "10.4.7.19", "10.99.1.7"
HOME = "web"


def feed(made: pipeline.Pipeline, numbers: range, *, source_ip: str = OLD, **more) -> int:
    """Feed one record every ten minutes, each a batch of its own; return the number of detections told."""
    records = [
        testing.audit_record(
            time_s=testing.START_S + 600.0 * number,
            user=f"system:serviceaccount:{HOME}:front",
            namespace=HOME,
            source_ip=source_ip,
            audit_id=f"{number}-{source_ip}-{more}",
            **more,
        )
        for number in numbers
    ]
    return sum(len(made.process([one], tally=base.Tally())) for one in records)


def drifting(made: pipeline.Pipeline, *, time_s: float) -> None:
    """Have the namespace drift, as far as the pipeline can tell."""
    watch = drift.Drift()
    watch.feed(HOME, (), time_s=time_s)
    data = watch.dump()
    data[HOME] |= {"batches": drift.MIN_BATCHES, "since_s": time_s}
    data[HOME]["over"][0] = drift.STANDING
    made.drift.load(data)


@pytest.fixture
def subject() -> pipeline.Pipeline:
    made = pipeline.Pipeline(rules=engine.RuleEngine(()))
    feed(made, range(1_000))
    drifting(made, time_s=testing.START_S + 600_000.0)
    feed(made, range(1_000, 1_010), source_ip=NEW)
    return made


def shadow_of(made: pipeline.Pipeline) -> versions.Version:
    return made.models.versions.shadows[HOME]


def test_a_drift_begins_one_shadow_that_learns_from_then_on(subject):
    shadow = shadow_of(subject)
    assert shadow.name.startswith(bank.MODEL_VERSION + ".")
    assert 0 < shadow.model.records < 20
    feed(subject, range(1_010, 1_020), source_ip=NEW)
    assert shadow_of(subject).model.records > 10
    assert shadow_of(subject) is shadow


def test_the_shadow_teaches_the_cluster_nothing(subject):
    before = msgspec.json.encode(subject.models.cluster.dump())
    subject.models.versions.shadows[HOME].model.learn("other", "", ("new",) * 11, time_s=0.0)
    assert msgspec.json.encode(subject.models.cluster.dump()) == before


def test_a_frozen_namespace_is_not_relearned():
    made = pipeline.Pipeline(rules=engine.RuleEngine(()))
    feed(made, range(1_000))
    made.frozen = frozenset({HOME})
    drifting(made, time_s=testing.START_S + 600_000.0)
    feed(made, range(1_000, 1_010), source_ip=NEW)
    assert not made.models.versions.shadows


def test_the_promoted_shadow_judges_and_the_earlier_version_can_come_back(subject):
    first, shadow = subject.models.homes[HOME], shadow_of(subject)
    assert subject.choose(HOME, shadow.name)
    assert subject.models.homes[HOME] is shadow.model
    assert subject.models.versions.of(HOME) == shadow.name
    assert not subject.relearning
    feed(subject, range(1_020, 1_030), source_ip=NEW)
    assert subject.choose(HOME, bank.MODEL_VERSION)
    assert subject.models.homes[HOME] is first
    assert subject.models.versions.of(HOME) == bank.MODEL_VERSION


def test_a_version_that_is_not_kept_changes_nothing(subject):
    before = subject.models.homes[HOME]
    assert not subject.choose(HOME, "novelty-0")
    assert not subject.choose("nowhere", shadow_of(subject).name)
    assert subject.models.homes[HOME] is before


def test_a_theft_that_both_versions_see_counts_for_both(subject):
    feed(subject, range(1_010, 1_700), source_ip=NEW)
    tally = subject.judge.comparison.tallies[HOME]
    assert tally.ours == tally.raised == 0
    detections = subject.process([acts.theft(testing.START_S + 600.0 * 1_700)], tally=base.Tally())
    assert [one.model_version for one in detections] == [bank.MODEL_VERSION]
    assert (tally.ours, tally.both, tally.raised) == (1, 1, 1)
    assert tally.agreement == 1.0
    rate = tally.per_day(subject.learning.now_s)
    assert rate is not None
    assert 0 < rate < 2


def test_asking_the_shadow_leaves_the_question_as_it_was(subject, monkeypatch):
    parts = []

    def watched(models, judged, question, verdict):
        before = question.parts
        relearn.beside(models, judged, question, verdict)
        parts.append((before, question.parts))

    monkeypatch.setattr(pipeline, "relearn", types.SimpleNamespace(begin=relearn.begin, beside=watched))
    feed(subject, range(1_010, 1_020), source_ip=NEW)
    assert parts
    assert all(before is after for before, after in parts)


def test_shadows_and_their_figures_survive_a_checkpoint(subject):
    feed(subject, range(1_010, 1_050), source_ip=NEW)
    data = msgspec.json.decode(msgspec.json.encode(subject.snapshot()))
    other = pipeline.Pipeline(rules=engine.RuleEngine(()))
    other.restore(data)
    assert other.relearning == {HOME}
    assert shadow_of(other).model.dump() == shadow_of(subject).model.dump()
    assert other.judge.comparison.dump() == subject.judge.comparison.dump()
    for made in (subject, other):
        feed(made, range(1_050, 1_090), source_ip=NEW)
    assert other.models.homes[HOME].dump() == subject.models.homes[HOME].dump()


def test_a_shadow_that_nobody_promotes_goes_after_four_weeks(subject):
    later = int(versions.KEEP_S / 600.0)
    feed(subject, range(1_000 + later, 1_020 + later))
    assert not subject.relearning
    assert not subject.judge.comparison.tallies


def test_shadows_and_earlier_versions_are_bounded():
    kept = versions.Versions("one")
    cluster = bank.Bank().cluster
    for number in range(versions.MAX_SHADOWS + 5):
        kept.begin(f"home-{number}", cluster, drift_s=float(number), now_s=testing.START_S + number)
    assert len(kept.shadows) == versions.MAX_SHADOWS
    assert "home-0" not in kept.shadows


def test_a_shadow_learns_each_combination_every_ten_minutes_and_costs_little_between(subject, monkeypatch):
    judged: list[str] = []
    step = pipeline.Pipeline.step
    monkeypatch.setattr(
        pipeline.Pipeline,
        "step",
        lambda made, one, *rest, **more: judged.append(one.audit_id) or step(made, one, *rest, **more),
    )
    start_s = testing.START_S + 600.0 * 2_000
    routine = [
        testing.audit_record(
            time_s=start_s + number,
            user=f"system:serviceaccount:{HOME}:front",
            namespace=HOME,
            audit_id=f"fast-{number}",
        )
        for number in range(3_600)
    ]
    before = shadow_of(subject).model.records
    for place in range(0, 3_600, 100):
        subject.process(routine[place : place + 100], tally=base.Tally())
    assert 5 <= shadow_of(subject).model.records - before <= len(judged) <= 20
