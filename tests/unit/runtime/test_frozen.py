"""What a frozen DetectionModel means for the stream, and that drift is fed by it."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.models import drift
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

HOUR_S = 3600.0


@pytest.fixture
def subject():
    made = pipeline.Pipeline(rules=engine.RuleEngine(()))
    feed(made, "web", range(50))
    return made


def feed(made: pipeline.Pipeline, home: str, numbers, **more) -> None:
    records = [
        testing.audit_record(
            time_s=testing.START_S + 60.0 * number,
            user=f"system:serviceaccount:{home}:front",
            namespace=home,
            audit_id=f"{home}-{number}",
            **more,
        )
        for number in numbers
    ]
    made.process(records, tally=base.Tally())


def learned(made: pipeline.Pipeline, home: str) -> object:
    return made.models.homes[home].dump()["habits"]


def test_models_of_a_frozen_namespace_judge_and_do_not_learn(subject):
    subject.frozen = frozenset({"web"})
    before = learned(subject, "web")
    feed(subject, "web", range(500, 520), verb="list", resource="secrets", name="")
    assert learned(subject, "web") == before
    assert subject.judge.cases.open


def test_other_namespaces_go_on_learning(subject):
    subject.frozen = frozenset({"web"})
    feed(subject, "shop", range(60, 70))
    assert subject.models.homes["shop"].identities == 1


def test_models_learn_again_when_no_longer_frozen(subject):
    subject.frozen = frozenset({"web"})
    before = learned(subject, "web")
    subject.frozen = frozenset()
    feed(subject, "web", range(500, 520), verb="list", resource="secrets", name="")
    assert learned(subject, "web") != before


def test_what_was_held_before_the_freeze_is_not_learned_after_it(subject):
    subject.learning.until_s = testing.START_S
    feed(subject, "web", range(600, 601), verb="list", resource="secrets", name="", source_ip="203.0.113.7")
    subject.frozen = frozenset({"web"})
    before = learned(subject, "web")
    feed(subject, "shop", range(5_000, 5_050))
    assert learned(subject, "web") == before


def test_places_of_credentials_are_learned_all_the_same(subject):
    subject.frozen = frozenset({"web"})
    bound = {
        "authentication.kubernetes.io/credential-id": ["JTI=1"],
        "authentication.kubernetes.io/pod-name": ["front-0"],
    }
    feed(subject, "web", range(700, 702), extra=bound)
    assert "JTI=1" in str(subject.models.credentials.dump())


def test_drift_counts_what_is_not_routine(subject):
    for number in range(drift.BATCH):
        feed(subject, "web", [800 + number], name=f"other-{number}")
    assert subject.drift.of("web").batches >= 1
    assert not subject.drift.of("web").drifted
