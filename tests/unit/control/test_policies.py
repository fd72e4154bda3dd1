"""The keeper of policies: conditions, last good versions, one change for many."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import vocabulary
from riverwatch.api.v1alpha1 import words
from riverwatch.control import policies, statuses
from riverwatch.kube import resources


class Report(statuses.Statuses):
    """Keeps writes instead of sending them."""

    def __init__(self, time) -> None:
        super().__init__(None, time=time)
        self.written: list[statuses.Write] = []

    def submit(self, write: statuses.Write) -> None:
        self.written.append(write)

    def last(self) -> dict[str, Any]:
        return self.written[-1].status["conditions"][0]


@pytest.fixture
def report(fake_clock) -> Report:
    return Report(fake_clock)


@pytest.fixture
def published() -> list[str]:
    return []


@pytest.fixture
def keeper(report, published, fake_clock) -> policies.PolicyKeeper:
    return policies.PolicyKeeper(report, lambda: published.append("changed"), time=fake_clock)


def body(name: str = "p", generation: int = 1, status: dict | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "DetectionPolicy",
        "metadata": {"name": name, "namespace": "web", "generation": generation},
        "spec": spec,
        "status": status or {},
    }


BAD = {"exceptions": [{"name": "x", "reason": "r", "match": {"sourceCIDRs": ["10.0.0.0/99"]}}]}


def test_good_policy_is_in_force_and_says_what_it_does(keeper, report):
    keeper.take(resources.POLICIES, body(mode="RulesOnly", alertBudget={"perDay": 3}))

    assert keeper.policy_set().effective("web").mode is words.PolicyMode.RULES_ONLY
    assert report.last()["status"] == "True"
    assert report.last()["message"] == "in force; mode RulesOnly; 3 alerts a day"
    assert report.written[-1].status["observedGeneration"] == 1


def test_bad_policy_from_the_start_has_no_effect(keeper, report):
    keeper.take(resources.POLICIES, body(**BAD))

    assert report.last()["reason"] == "InvalidSpec"
    assert "spec.exceptions[0].match.sourceCIDRs[0]" in report.last()["message"]
    assert report.last()["message"].endswith("nothing of it is in force")
    assert keeper.policy_set().policies == ()
    assert keeper.broken() == 1


def test_last_good_version_stays_and_is_named(keeper, report):
    keeper.take(resources.POLICIES, body(minSeverity="High", generation=4))
    keeper.take(resources.POLICIES, body(**BAD, generation=5))
    keeper.take(resources.POLICIES, body(**BAD, generation=6))

    assert keeper.policy_set().effective("web").min_severity is vocabulary.Severity.HIGH
    assert "generation 4 stays in force" in report.last()["message"]
    assert report.last()["observedGeneration"] == 6


def test_mended_policy_counts_again(keeper, report):
    keeper.take(resources.POLICIES, body(**BAD))
    keeper.take(resources.POLICIES, body(minSeverity="High", generation=2))

    assert (report.last()["status"], keeper.broken()) == ("True", 0)


def test_status_that_says_so_already_is_not_written_again(keeper, report, published):
    keeper.take(resources.POLICIES, body(minSeverity="High"))
    keeper.take(resources.POLICIES, body(minSeverity="High", status=dict(report.written[0].status)))

    assert len(report.written) == 1
    assert published == ["changed"]


def test_deleted_policy_is_out_of_force(keeper, published):
    keeper.take(resources.POLICIES, body(minSeverity="High"))
    keeper.forget(resources.POLICIES, ("web", "p"))

    assert keeper.policy_set().policies == ()
    assert list(keeper.known(resources.POLICIES)) == []
    assert published == ["changed", "changed"]


def test_namespace_labels_choose_cluster_policies(keeper):
    cluster = {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "ClusterDetectionPolicy",
        "metadata": {"name": "prod", "generation": 1},
        "spec": {"minSeverity": "High", "namespaceSelector": {"matchLabels": {"env": "prod"}}},
    }
    keeper.take(resources.CLUSTER_POLICIES, cluster)
    keeper.take(resources.NAMESPACES, {"metadata": {"name": "web", "labels": {"env": "prod"}}})
    keeper.take(resources.NAMESPACES, {"metadata": {"name": "lab", "labels": {"env": "test"}}})
    found = keeper.policy_set()

    assert found.effective("web").min_severity is vocabulary.Severity.HIGH
    assert found.effective("lab").min_severity is vocabulary.Severity.INFO


def test_namespace_change_that_changes_no_label_is_no_change(keeper, published):
    for phase in ("Active", "Terminating"):
        keeper.take(resources.NAMESPACES, {"metadata": {"name": "web", "labels": {}}, "status": {"phase": phase}})

    assert published == ["changed"]


def test_expired_exceptions_are_counted(keeper, report):
    exception = {"name": "x", "reason": "r", "expiresAt": "2020-01-01T00:00:00Z", "match": {"actors": ["web/a"]}}
    keeper.take(resources.POLICIES, body(exceptions=[exception]))

    assert report.last()["message"] == "in force; 1 exceptions, 1 of them expired"


@pytest.mark.parametrize(
    "spec", [None, [], "text", {"mode": "Sometimes"}, {"unknown": 1}], ids=["null", "list", "text", "word", "field"]
)
def test_no_body_whatsoever_makes_the_keeper_raise(keeper, report, spec):
    keeper.take(resources.POLICIES, {**body(), "spec": spec})

    assert report.written
