"""The keeper of DetectionRules: compiled, proven by their cases, swapped without a restart."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch.control import rules, statuses
from riverwatch.kube import resources

SIGMA = """\
title: Payroll is read
name: {name}
logsource: {{product: kubernetes, service: audit}}
detection:
  selection: {{verb: {verb}, objectRef.name: payroll}}
  condition: selection
level: high
"""


def record(name: str) -> dict[str, Any]:
    return {
        "auditID": "a-1",
        "stage": "ResponseComplete",
        "verb": "get",
        "user": {"username": "ana"},
        "objectRef": {"resource": "configmaps", "namespace": "hr", "name": name},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-15T08:00:00.000000Z",
    }


FIRES = {"name": "read", "fires": True, "record": record("payroll")}
QUIET = {"name": "other", "fires": False, "record": record("menu")}


def body(name: str = "one", generation: int = 1, *, sigma: str = "", cases: Any = (), **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "DetectionRule",
        "metadata": {"name": name, "generation": generation},
        "spec": {"sigma": sigma or SIGMA.format(name=f"{name}-rule", verb="get"), "cases": list(cases)} | spec,
    }


class Report(statuses.Statuses):
    def __init__(self, time) -> None:
        super().__init__(None, time=time)
        self.written: list[statuses.Write] = []

    def submit(self, write: statuses.Write) -> None:
        self.written.append(write)

    def last(self) -> tuple[str, str]:
        condition = self.written[-1].status["conditions"][0]
        return condition["reason"], condition["message"]


@pytest.fixture
def report(fake_clock) -> Report:
    return Report(fake_clock)


@pytest.fixture
def published() -> list[tuple[str, list[str]]]:
    return []


@pytest.fixture
def keeper(report, published) -> rules.RuleKeeper:
    def publish(name, found) -> None:
        published.append((name, [one.card.severity.value for one in found]))

    return rules.RuleKeeper(report, publish, built_in=frozenset({"built-in"}))


def test_proven_rule_is_in_force(keeper, report, published):
    keeper.take(resources.RULES, body(cases=[FIRES, QUIET]))

    assert published == [("one", ["High"])]
    assert report.last()[0] == "Accepted"
    assert "2 cases pass" in report.last()[1]
    assert report.written[-1].status["casesPassed"] == 2
    assert len(report.written[-1].status["ruleIds"]) == 1


def test_rule_without_cases_is_told_so(keeper, report):
    keeper.take(resources.RULES, body())

    assert "it has no cases" in report.last()[1]


def test_severity_of_the_object_wins(keeper, published):
    keeper.take(resources.RULES, body(severity="Low"))

    assert published == [("one", ["Low"])]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"sigma": "title: ["}, ("InvalidRule", "YAML"), id="no YAML"),
        pytest.param({"sigma": "title: x\nlevel: high"}, ("InvalidRule", "DetectionRule/one"), id="no rule"),
        pytest.param({"cases": [FIRES | {"fires": False}]}, ("CasesFailed", "'read'"), id="fires when it must not"),
        pytest.param(
            {"cases": [QUIET | {"fires": True}]}, ("CasesFailed", "did not fire"), id="quiet when it must not"
        ),
        pytest.param(
            {"cases": [{"name": "x", "fires": True}]}, ("InvalidRule", "spec.cases[0]"), id="case without input"
        ),
        pytest.param({"severity": "Awful"}, ("InvalidRule", "spec.severity"), id="unknown severity"),
    ],
)
def test_wrong_rule_is_off_and_says_why(keeper, report, published, change, told):
    reason, text = told
    keeper.take(resources.RULES, body(**change))

    assert report.last()[0] == reason
    assert text in report.last()[1]
    assert report.last()[1].endswith("the rule is off")
    assert published == []
    assert keeper.broken() == 1


def test_last_good_version_stays(keeper, report, published):
    keeper.take(resources.RULES, body(cases=[FIRES]))
    keeper.take(resources.RULES, body(cases=[FIRES | {"fires": False}], generation=2))

    assert report.last()[1].endswith("the last good version stays in force")
    assert published == [("one", ["High"])]


def test_same_generation_is_not_examined_again(keeper, published):
    keeper.take(resources.RULES, body())
    keeper.take(resources.RULES, body())

    assert len(published) == 1


def test_object_named_like_a_built_in_rule_is_refused(keeper, report, published):
    keeper.take(resources.RULES, body("built-in"))

    assert report.last()[0] == "IdTaken"
    assert published == []


def test_deleted_rule_is_out_of_force(keeper, published):
    keeper.take(resources.RULES, body())
    keeper.forget(resources.RULES, ("", "one"))

    assert published[-1] == ("one", [])
    assert list(keeper.known(resources.RULES)) == []
