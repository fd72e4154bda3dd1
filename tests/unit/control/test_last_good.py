"""Last good versions across restarts."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import vocabulary
from riverwatch.control import last_good, policies, rules, statuses
from riverwatch.kube import resources

BAD = {"exceptions": [{"name": "x", "reason": "r", "match": {"sourceCIDRs": ["10.0.0.0/99"]}}]}

SIGMA = """\
title: Payroll is read
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: get, objectRef.name: payroll}
  condition: selection
level: high
"""


class Report(statuses.Statuses):
    def __init__(self, time) -> None:
        super().__init__(None, time=time)
        self.messages: list[str] = []

    def submit(self, write: statuses.Write) -> None:
        self.messages.append(write.status["conditions"][0]["message"])


def policy(generation: int, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "DetectionPolicy",
        "metadata": {"name": "p", "namespace": "web", "generation": generation},
        "spec": spec,
    }


def rule(generation: int, sigma: str = SIGMA) -> dict[str, Any]:
    return {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "DetectionRule",
        "metadata": {"name": "payroll", "generation": generation},
        "spec": {"sigma": sigma},
    }


@pytest.fixture
def report(fake_clock) -> Report:
    return Report(fake_clock)


def policy_keeper(report, fake_clock, folder) -> policies.PolicyKeeper:
    memory = last_good.LastGood(folder)
    return policies.PolicyKeeper(report, lambda: None, time=fake_clock, memory=memory)


def rule_keeper(report, folder) -> tuple[rules.RuleKeeper, dict[str, int]]:
    in_force: dict[str, int] = {}
    memory = last_good.LastGood(folder)

    def publish(name, found) -> None:
        in_force[name] = len(found)

    return rules.RuleKeeper(report, publish, built_in=frozenset(), memory=memory), in_force


def test_good_version_stays_in_force_when_the_bad_one_meets_a_new_process(report, fake_clock, tmp_path):
    first = policy_keeper(report, fake_clock, tmp_path)
    first.take(resources.POLICIES, policy(4, minSeverity="High"))
    first.take(resources.POLICIES, policy(5, **BAD))
    second = policy_keeper(report, fake_clock, tmp_path)
    second.take(resources.POLICIES, policy(5, **BAD))

    assert second.policy_set().effective("web").min_severity is vocabulary.Severity.HIGH
    assert "generation 4 stays in force" in report.messages[-1]


def test_policy_that_was_deleted_meanwhile_is_known_so_that_the_list_can_forget_it(report, fake_clock, tmp_path):
    policy_keeper(report, fake_clock, tmp_path).take(resources.POLICIES, policy(1, minSeverity="High"))
    second = policy_keeper(report, fake_clock, tmp_path)

    assert list(second.known(resources.POLICIES)) == [("web", "p")]
    second.forget(resources.POLICIES, ("web", "p"))
    assert policy_keeper(report, fake_clock, tmp_path).policy_set().policies == ()


def test_rule_of_an_earlier_run_is_in_force_at_once_and_stays_when_it_turns_bad(report, tmp_path):
    rule_keeper(report, tmp_path)[0].take(resources.RULES, rule(1))
    second, in_force = rule_keeper(report, tmp_path)

    assert in_force == {"payroll": 1}
    second.take(resources.RULES, rule(2, "title: ["))
    assert in_force == {"payroll": 1}
    assert "the last good version stays in force" in report.messages[-1]
    second.forget(resources.RULES, ("", "payroll"))
    assert rule_keeper(report, tmp_path)[1] == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff"], ids=repr)
def test_broken_file_costs_only_the_memory(tmp_path, content):
    (tmp_path / last_good.FILE).write_bytes(content)

    assert last_good.LastGood(tmp_path).bodies(resources.POLICIES) == []


def test_folder_that_cannot_be_written_is_told_and_life_goes_on(tmp_path, caplog):
    memory = last_good.LastGood(tmp_path / "missing")
    memory.put(resources.POLICIES, policy(1))

    assert "cannot be kept" in caplog.text
    assert len(memory.bodies(resources.POLICIES)) == 1


def test_version_from_another_schema_is_not_in_force(report, fake_clock, tmp_path):
    memory = last_good.LastGood(tmp_path)
    memory.put(resources.POLICIES, policy(1, fieldOfTomorrow=True))

    assert policy_keeper(report, fake_clock, tmp_path).policy_set().policies == ()
