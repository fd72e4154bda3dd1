"""Metrics about what the operator holds: top namespaces only, closed labels, true sums."""

from __future__ import annotations

import dataclasses

import pytest

from riverwatch import metrics, testing, vocabulary
from riverwatch.api.v1alpha1 import words
from riverwatch.control import figures_inside, heartbeat
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base


@pytest.fixture
def exported():
    return metrics.Metrics()


def shown(exported: metrics.Metrics, name: str) -> dict[str, float]:
    found = {}
    for line in exported.exposition().decode().splitlines():
        if line.startswith((f"{name} ", f"{name}{{")):
            labels, _, value = line.removeprefix(name).rpartition(" ")
            found[labels] = float(value)
    return found


def namespaces(exported: metrics.Metrics, name: str) -> dict[str, float]:
    return {labels.split('"')[1]: value for labels, value in shown(exported, name).items()}


def test_closed_sets_of_labels_are_those_of_the_code():
    assert set(metrics.PHASES) == {one.value for one in words.ModelPhase}
    assert set(metrics.HEARTBEATS) == {one.value for one in heartbeat.Outcome}


def test_largest_namespaces_are_named_and_the_rest_is_one_sum(exported):
    values = {f"n{number:02}": float(number) for number in range(30)} | {"": 1_000.0}
    metrics.tell_top(exported.namespace_state_bytes, values)
    found = namespaces(exported, "riverwatch_namespace_state_bytes")

    assert len(found) == metrics.TOP_NAMESPACES + 1
    assert found["n29"] == 29.0
    assert sum(found.values()) == sum(values.values())


def test_namespace_that_fell_behind_leaves_no_series(exported):
    metrics.tell_top(exported.namespace_state_bytes, {"old": 5.0})
    metrics.tell_top(exported.namespace_state_bytes, {"new": 5.0})

    assert set(namespaces(exported, "riverwatch_namespace_state_bytes")) == {"new", metrics.OTHERS}


@pytest.fixture
def learned():
    through = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))
    records = [
        testing.audit_record(user=f"system:serviceaccount:{namespace}:{name}", namespace=namespace, time_s=time_s)
        for time_s in (testing.START_S, testing.START_S + 4_000)
        for namespace, accounts in (("web", 8), ("shop", 2))
        for name in range(accounts)
    ]
    through.process(records, tally=base.Tally())
    return through


def test_pipeline_is_told_in_numbers(exported, learned):
    inside = figures_inside.Inside()
    inside.collect(learned)
    inside.update(exported, lambda _, now: now, {"web": 3.0, "shop": 1.0, "invented": 9.0, "": 2.0})

    assert shown(exported, "riverwatch_identities") == {"": 10.0}
    assert shown(exported, "riverwatch_namespaces")['{phase="WarmingUp"}'] == 2.0
    sizes = namespaces(exported, "riverwatch_namespace_state_bytes")
    assert sizes["web"] > sizes["shop"] > 100
    work = namespaces(exported, "riverwatch_namespace_work_seconds")
    assert work == {"web": 3.0, "shop": 1.0, metrics.OTHERS: 11.0}


def test_sizes_are_measured_a_few_at_a_time_until_all_are_known(exported, learned, monkeypatch):
    monkeypatch.setattr(figures_inside, "MEASURED_IDENTITIES", 1)
    inside = figures_inside.Inside()
    known = []
    for _ in range(2):
        inside.collect(learned)
        inside.update(exported, lambda _, now: now, {})
        known.append(len(namespaces(exported, "riverwatch_namespace_state_bytes")) - 1)

    assert known == [1, 2]


@dataclasses.dataclass
class Found:
    """As much of a detection as is counted."""

    uid: str
    severity: vocabulary.Severity


def test_new_detections_are_counted_once_however_often_they_grow(exported):
    passed = []
    raised = figures_inside.Raised(exported, passed.extend)
    high, low = Found("a", vocabulary.Severity.HIGH), Found("b", vocabulary.Severity.LOW)
    raised([high])
    raised([high, low])
    found = shown(exported, "riverwatch_detections_total")

    assert (found['{severity="High"}'], found['{severity="Low"}'], found['{severity="Critical"}']) == (1.0, 1.0, 0.0)
    assert passed == [high, high, low]
