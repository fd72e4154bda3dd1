"""What a policy's schema accepts, and the field path and words of what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from riverwatch import vocabulary
from riverwatch.api import parse
from riverwatch.api.v1alpha1 import policy, words

Body = Callable[..., dict[str, Any]]

MATCH = {"actors": ["ci/deployer"]}


def exception(**changes: Any) -> dict[str, Any]:
    return {"name": "nightly", "reason": "backup", "match": MATCH, **changes}


def test_keeps_every_field_when_all_are_set(policy_body: Body) -> None:
    parsed = parse.parse(
        policy.DetectionPolicy,
        policy_body(
            mode="LearnOnly",
            detections=[{"id": "secret-*", "enabled": False}],
            minSeverity="Medium",
            alertBudget={"perDay": 0.5},
            learning={"period": "1w", "minRecords": 10},
            exceptions=[exception(expiresAt="2026-01-31T00:00:00+01:00", detections=["novelty"])],
            responses=[{"action": "DeletePod"}],
            privacy={"hashIdentities": True},
        ),
    )

    assert parsed.spec.mode is words.PolicyMode.LEARN_ONLY
    assert parsed.spec.min_severity is vocabulary.Severity.MEDIUM
    assert parsed.spec.alert_budget is not None
    assert parsed.spec.alert_budget.per_day == 0.5
    assert parsed.spec.exceptions[0].expires_at is not None
    assert parsed.spec.exceptions[0].expires_at.timestamp() == 1769814000.0
    assert parsed.spec.responses[0].approval is words.Approval.REQUIRED
    assert parsed.spec.privacy is not None
    assert parsed.spec.privacy.hash_identities is True


def test_null_means_not_set(policy_body: Body) -> None:
    parsed = parse.parse(policy.DetectionPolicy, policy_body(mode=None, learning={"period": None}, exceptions=None))

    assert parsed.spec.mode is None
    assert parsed.spec.exceptions == ()


def test_server_metadata_is_accepted(policy_body: Body) -> None:
    body = policy_body()
    body["metadata"] |= {"uid": "u", "generation": 3, "managedFields": [{"manager": "kubectl"}], "annotations": None}

    assert parse.parse(policy.DetectionPolicy, body).metadata.generation == 3


@pytest.mark.parametrize(
    ("spec", "path", "words_in_message"),
    [
        pytest.param({"mode": "Off"}, "spec.mode", "write Disabled", id="mode off as text"),
        pytest.param({"mode": False}, "spec.mode", "write Disabled", id="mode off as YAML reads it"),
        pytest.param({"mode": "Watch"}, "spec.mode", "must be one of 'Detect'", id="mode unknown"),
        pytest.param({"minSeverty": "High"}, "spec.minSeverty", "did you mean minSeverity?", id="field misspelt"),
        pytest.param({"min_severity": "High"}, "spec.min_severity", "did you mean minSeverity?", id="snake case"),
        pytest.param({"minSeverity": "high"}, "spec.minSeverity", "must be one of", id="severity in lower case"),
        pytest.param({"alertBudget": {"perDay": "5"}}, "spec.alertBudget.perDay", "valid number", id="budget as text"),
        pytest.param({"alertBudget": {"perDay": -1}}, "spec.alertBudget.perDay", "greater than", id="budget below 0"),
        pytest.param({"alertBudget": {}}, "spec.alertBudget.perDay", "is required", id="budget empty"),
        pytest.param({"learning": {"period": "14 days"}}, "spec.learning.period", "for example 14d", id="duration"),
        pytest.param({"learning": {"period": "9999w"}}, "spec.learning.period", "at most 366 days", id="too long"),
        pytest.param({"detections": [{"id": "a"}]}, "spec.detections[0]", "set enabled, severity", id="says nothing"),
        pytest.param(
            {"detections": [{"id": "a", "enabled": True}, {"id": "a", "severity": "Low"}]},
            "spec",
            "detections has two entries called a",
            id="detector twice",
        ),
        pytest.param(
            {"exceptions": [{"name": "n", "match": MATCH}]}, "spec.exceptions[0].reason", "is required", id="no reason"
        ),
        pytest.param({"exceptions": [exception(reason=" ")]}, "spec.exceptions[0].reason", "not be blank", id="blank"),
        pytest.param({"exceptions": [exception(), exception()]}, "spec", "two entries called nightly", id="name twice"),
        pytest.param(
            {"exceptions": [exception(match={})]}, "spec.exceptions[0].match", "must be narrow", id="no match"
        ),
        pytest.param(
            {"exceptions": [exception(match={"actors": []})]},
            "spec.exceptions[0].match.actors",
            "at least 1",
            id="empty list",
        ),
        pytest.param(
            {"exceptions": [exception(match={"actors": ["*"]})]},
            "spec.exceptions[0].match.actors[0]",
            "matches everything",
            id="glob of everything",
        ),
        pytest.param(
            {"exceptions": [exception(match={"actors": ["*/*"]})]},
            "spec.exceptions[0].match.actors[0]",
            "matches everything",
            id="every service account",
        ),
        pytest.param(
            {"exceptions": [exception(match={"names": ["tls-[ab]"]})]},
            "spec.exceptions[0].match.names[0]",
            "brackets",
            id="brackets in a glob",
        ),
        pytest.param(
            {"exceptions": [exception(match={"names": ["a" * 257]})]},
            "spec.exceptions[0].match.names[0]",
            "at most 256",
            id="glob too long",
        ),
        pytest.param(
            {"exceptions": [exception(match={"sourceCIDRs": ["10.0.0.5/8"]})]},
            "spec.exceptions[0].match.sourceCIDRs[0]",
            "write 10.0.0.0/8",
            id="bits behind the prefix",
        ),
        pytest.param(
            {"exceptions": [exception(match={"sourceCIDRs": ["10.0.0.0/33"]})]},
            "spec.exceptions[0].match.sourceCIDRs[0]",
            "is no network",
            id="prefix too long",
        ),
        pytest.param(
            {"exceptions": [exception(expiresAt="2026-01-31")]},
            "spec.exceptions[0].expiresAt",
            "RFC 3339",
            id="date only",
        ),
        pytest.param(
            {"exceptions": [exception(expiresAt="2026-13-31T00:00:00Z")]},
            "spec.exceptions[0].expiresAt",
            "valid datetime",
            id="month 13",
        ),
        pytest.param(
            {"namespaceSelector": {}}, "spec.namespaceSelector", "unknown field", id="selector in a namespace"
        ),
    ],
)
def test_names_the_field_when_it_is_wrong(
    policy_body: Body, spec: dict[str, Any], path: str, words_in_message: str
) -> None:
    with pytest.raises(parse.InvalidResourceError) as failure:
        parse.parse(policy.DetectionPolicy, policy_body(**spec))

    (problem,) = failure.value.problems
    assert problem.path == path
    assert words_in_message in problem.message


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param({"key": "team", "operator": "In"}, id="In without values"),
        pytest.param({"key": "team", "operator": "NotIn", "values": []}, id="NotIn with no value"),
        pytest.param({"key": "team", "operator": "Exists", "values": ["a"]}, id="Exists with values"),
    ],
)
def test_refuses_a_label_requirement_whose_values_do_not_fit(policy_body: Body, expression: dict[str, Any]) -> None:
    body = policy_body("ClusterDetectionPolicy", namespaceSelector={"matchExpressions": [expression]})

    with pytest.raises(parse.InvalidResourceError, match="In and NotIn need values"):
        parse.parse(policy.ClusterDetectionPolicy, body)


def test_lists_all_problems_at_once(policy_body: Body) -> None:
    with pytest.raises(parse.InvalidResourceError) as failure:
        parse.parse(policy.DetectionPolicy, policy_body(mode="x", minSeverity="y", learning={"period": "z"}))

    assert [problem.path for problem in failure.value.problems] == [
        "spec.mode",
        "spec.minSeverity",
        "spec.learning.period",
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"spec": {1, 2}}, id="a set"),
        pytest.param({"spec": object()}, id="an object"),
        pytest.param({"spec": float("nan")}, id="not a number"),
        pytest.param({}, id="nothing"),
    ],
)
def test_raises_its_own_error_when_the_body_is_no_object(body: dict[str, Any]) -> None:
    with pytest.raises(parse.InvalidResourceError):
        parse.parse(policy.DetectionPolicy, body)


def test_survives_a_body_that_contains_itself() -> None:
    body: dict[str, Any] = {}
    body["spec"] = body

    with pytest.raises(parse.InvalidResourceError, match="not plain JSON data"):
        parse.parse(policy.DetectionPolicy, body)
