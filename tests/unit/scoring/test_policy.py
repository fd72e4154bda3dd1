"""The compiled set: defaults, exceptions and their expiry, bounds."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from riverwatch import errors, vocabulary
from riverwatch.activity import record, sample
from riverwatch.api.v1alpha1 import words
from riverwatch.scoring import policy, policy_compile, policy_files

ROOT = pathlib.Path(__file__).parents[3]


def compiled(
    kind: str = "DetectionPolicy", *, name: str = "p", namespace: str = "web", **spec: Any
) -> policy.CompiledPolicy:
    return policy_compile.compile_body(
        {
            "apiVersion": "riverwatch.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
    )


def with_exception(match: dict[str, Any], **more: Any) -> policy.EffectivePolicy:
    item = {"name": "n", "reason": "r", "match": match, **more}
    return policy.PolicySet([compiled(exceptions=[item])]).effective("web")


def activity(**fields: Any) -> record.Activity:
    source_ips = fields.pop("source_ips", None)
    shaped = sample.audit_record(**fields)
    if source_ips is not None:
        shaped["sourceIPs"] = source_ips
    return sample.activity_of(shaped)


FRONT = "system:serviceaccount:web:front"


def test_built_in_defaults_hold_when_there_is_no_policy() -> None:
    effective = policy.DEFAULT.effective("web")

    assert effective.refs == ()
    assert effective.mode is words.PolicyMode.DETECT
    assert effective.alert_budget_per_day == 5.0
    assert effective.learning_s == policy.DEFAULT_LEARNING_S
    assert effective.allows("anything")
    assert effective.severity("anything", vocabulary.Severity.LOW) is vocabulary.Severity.LOW
    assert effective.raises(vocabulary.Severity.INFO)
    assert effective.exception_for("anything", activity()) is None


def test_sample_of_the_cluster_policy_states_the_defaults() -> None:
    stated = policy_files.load_policy_files([ROOT / "manifests" / "samples" / "clusterdetectionpolicy.yaml"])
    built_in, written = policy.DEFAULT.effective("web"), stated.effective("web")

    for field in ("mode", "min_severity", "alert_budget_per_day", "learning_s", "hash_identities", "hash_addresses"):
        assert getattr(written, field) == getattr(built_in, field), field
    assert written.refs == ("ClusterDetectionPolicy/default",)


def test_detections_below_the_least_severity_are_not_raised() -> None:
    effective = policy.PolicySet([compiled(minSeverity="Medium")]).effective("web")

    assert [severity.value for severity in vocabulary.Severity if effective.raises(severity)] == [
        "Critical",
        "High",
        "Medium",
    ]


def test_a_budget_of_nothing_is_a_budget() -> None:
    assert policy.PolicySet([compiled(alertBudget={"perDay": 0})]).effective("web").alert_budget_per_day == 0.0


@pytest.mark.parametrize(
    ("match", "fields", "hit"),
    [
        pytest.param({"actors": ["web/front"]}, {"username": FRONT}, True, id="service account by label"),
        pytest.param({"actors": ["web/*"]}, {"username": FRONT}, True, id="service accounts of a namespace"),
        pytest.param({"actors": [FRONT]}, {"username": FRONT}, True, id="service account by user name"),
        pytest.param({"actors": ["web/front"]}, {"username": "web/front"}, False, id="user who is called like one"),
        pytest.param({"actors": ["web/*"]}, {"username": "web/front"}, False, id="user who fits a glob over them"),
        pytest.param({"actors": ["web/fron"]}, {"username": FRONT}, False, id="prefix is no match"),
        pytest.param({"actors": ["*@example.com"]}, {"username": "ana@example.com"}, True, id="users by glob"),
        pytest.param({"actors": ["*@example.com"]}, {"username": "ana@example.com.evil"}, False, id="suffix added"),
        pytest.param({"actors": ["Ana@example.com"]}, {"username": "ana@example.com"}, False, id="case counts"),
        pytest.param({"actors": ["arn:aws:iam::1:role/ci"]}, {"username": "arn:aws:iam::1:role/ci"}, True, id="slash"),
        pytest.param(
            {"actors": ["ana@example.com"]},
            {"username": "ana@example.com", "impersonated": {"username": "root"}},
            False,
            id="actor who impersonates somebody else",
        ),
        pytest.param(
            {"actors": ["ana@example.com"]},
            {"username": "mallory", "impersonated": {"username": "ana@example.com"}},
            False,
            id="actor who is impersonated by somebody else",
        ),
        pytest.param(
            {"actors": ["ana@example.com", "root"]},
            {"username": "ana@example.com", "impersonated": {"username": "root"}},
            True,
            id="both sides of an impersonation",
        ),
        pytest.param({"namespaces": ["we?"]}, {"namespace": "web"}, True, id="namespace by glob"),
        pytest.param({"namespaces": ["web"]}, {"namespace": ""}, False, id="object outside all namespaces"),
        pytest.param({"resources": ["pods/exec"]}, {"resource": "pods", "subresource": "exec"}, True, id="subresource"),
        pytest.param({"resources": ["pods"]}, {"resource": "pods", "subresource": "exec"}, False, id="resource alone"),
        pytest.param(
            {"resources": ["deployments.apps"]}, {"resource": "deployments", "api_group": "apps"}, True, id="group"
        ),
        pytest.param(
            {"resources": ["deployments.apps/scale"]},
            {"resource": "deployments", "api_group": "apps", "subresource": "scale"},
            True,
            id="group and subresource",
        ),
        pytest.param(
            {"resources": ["deployments.evil"]},
            {"resource": "deployments", "api_group": "apps"},
            False,
            id="other group",
        ),
        pytest.param({"verbs": ["get", "list"]}, {"verb": "list"}, True, id="any of the verbs"),
        pytest.param(
            {"verbs": ["get"], "names": ["tls"]}, {"verb": "get", "name": "other"}, False, id="one part fails"
        ),
        pytest.param({"names": ["tls-*"]}, {"name": "tls-a"}, True, id="object name"),
        pytest.param({"userAgents": ["helm/?.*"]}, {"user_agent": "helm/3.14"}, True, id="user agent"),
        pytest.param({"sourceCIDRs": ["10.0.0.0/8"]}, {"source_ips": ["10.1.2.3"]}, True, id="address in the network"),
        pytest.param({"sourceCIDRs": ["10.1.2.3"]}, {"source_ips": ["::ffff:10.1.2.3"]}, True, id="mapped address"),
        pytest.param({"sourceCIDRs": ["2001:db8::/32"]}, {"source_ips": ["2001:db8::1"]}, True, id="IPv6"),
        pytest.param(
            {"sourceCIDRs": ["10.0.0.0/8"]},
            {"source_ips": ["10.1.2.3", "203.0.113.7"]},
            False,
            id="invented first address",
        ),
        pytest.param({"sourceCIDRs": ["10.0.0.0/8"]}, {"source_ips": []}, False, id="no address"),
        pytest.param({"sourceCIDRs": ["10.0.0.0/8"]}, {"source_ips": ["10.1.2.3; drop"]}, False, id="no valid address"),
    ],
)
def test_exception_covers(match: dict[str, Any], fields: dict[str, Any], *, hit: bool) -> None:
    assert (with_exception(match).exception_for("novelty", activity(**fields)) is not None) is hit


def test_exception_is_judged_anew_for_every_activity() -> None:
    effective = with_exception({"verbs": ["get"]}, detections=["novelty"])
    got, listed = activity(verb="get"), activity(verb="list")

    hits = [effective.exception_for("novelty", one) is not None for one in (got, got, listed, got)]
    assert hits == [True, True, False, True]
    assert effective.exception_for("exec", got) is None
    assert effective.exception_for("novelty", got) is not None


def test_exception_says_who_excepts_and_why() -> None:
    effective = with_exception({"verbs": ["get"]}, expiresAt="2026-02-01T00:00:00Z", reason="backup")

    assert effective.exception_for("novelty", activity(verb="get")) == policy.ExceptionHit(
        "n", "backup", "DetectionPolicy/web/p", 1769904000.0
    )


@pytest.mark.parametrize(
    ("detections", "detector", "hit"),
    [
        pytest.param(["novelty", "secret-*"], "secret-burst", True, id="fits a glob"),
        pytest.param(["novelty", "secret-*"], "exec", False, id="fits none"),
        pytest.param(None, "exec", True, id="none are named"),
    ],
)
def test_exception_silences_the_detectors_it_names(detections: list[str] | None, detector: str, *, hit: bool) -> None:
    effective = with_exception({"verbs": ["get"]}, detections=detections)

    assert (effective.exception_for(detector, activity(verb="get")) is not None) is hit


@pytest.mark.parametrize(
    ("time", "hit"),
    [
        pytest.param("2026-01-31T23:59:59.999999Z", True, id="before"),
        pytest.param("2026-02-01T00:00:00.000000Z", False, id="at the moment"),
        pytest.param("2026-02-02T00:00:00.000000Z", False, id="after"),
    ],
)
def test_exception_ends_by_the_time_of_the_activity(time: str, *, hit: bool) -> None:
    effective = with_exception({"verbs": ["get"]}, expiresAt="2026-02-01T00:00:00Z")

    assert (effective.exception_for("novelty", activity(verb="get", time=time)) is not None) is hit


def test_an_exception_that_is_over_does_not_hide_the_next_one() -> None:
    over = {"name": "over", "reason": "r", "expiresAt": "2020-01-01T00:00:00Z", "match": {"verbs": ["get"]}}
    effective = policy.PolicySet(
        [compiled(exceptions=[over, {"name": "now", "reason": "r", "match": {"verbs": ["get"]}}])]
    ).effective("web")

    found = effective.exception_for("novelty", activity(verb="get"))
    assert found is not None
    assert found.name == "now"


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        pytest.param({}, {"", "web", "dev", "bare"}, id="empty selects everything"),
        pytest.param({"matchNames": ["*"]}, {"web", "dev", "bare"}, id="every name, but no cluster-wide object"),
        pytest.param({"matchLabels": {"team": "a"}}, {"web"}, id="label"),
        pytest.param({"matchLabels": {"kubernetes.io/metadata.name": "bare"}}, {"bare"}, id="label of the name"),
        pytest.param({"matchExpressions": [{"key": "team", "operator": "In", "values": ["b", "c"]}]}, {"dev"}, id="In"),
        pytest.param(
            {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["b"]}]}, {"web", "bare"}, id="NotIn"
        ),
        pytest.param({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, {"web", "dev"}, id="Exists"),
        pytest.param({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, {"bare"}, id="DoesNotExist"),
        pytest.param({"matchLabels": {"team": "a"}, "matchNames": ["dev"]}, set(), id="all parts must hold"),
    ],
)
def test_selector_selects(selector: dict[str, Any], selected: set[str]) -> None:
    policies = policy.PolicySet(
        [compiled("ClusterDetectionPolicy", namespaceSelector=selector, mode="Disabled")],
        namespace_labels={"web": {"team": "a"}, "dev": {"team": "b"}},
    )

    found = {
        namespace
        for namespace in ("", "web", "dev", "bare")
        if policies.effective(namespace).mode is words.PolicyMode.DISABLED
    }
    assert found == selected


def test_modes_say_who_judges_and_who_learns() -> None:
    assert {mode.value: (mode.rules_judge, mode.models_judge, mode.models_learn) for mode in words.PolicyMode} == {
        "Detect": (True, True, True),
        "RulesOnly": (True, False, False),
        "LearnOnly": (False, False, True),
        "Disabled": (False, False, False),
    }


def test_the_later_of_two_policies_with_one_reference_counts() -> None:
    policies = policy.PolicySet([compiled(mode="RulesOnly"), compiled(mode="LearnOnly")])

    assert policies.effective("web").refs == ("DetectionPolicy/web/p",)
    assert policies.effective("web").mode is words.PolicyMode.LEARN_ONLY


def test_order_of_the_objects_does_not_matter() -> None:
    policies = [
        compiled("ClusterDetectionPolicy", name=name, priority=priority, minSeverity="High")
        for name, priority in (("a", 1), ("b", 1), ("c", 2))
    ]
    forwards, backwards = policy.PolicySet(policies), policy.PolicySet(reversed(policies))

    assert forwards.effective("web").refs == backwards.effective("web").refs
    assert forwards.effective("web").refs[0] == "ClusterDetectionPolicy/c"


def test_answers_are_cached_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_NAMESPACES_CACHED", 3)
    monkeypatch.setattr(policy, "MAX_DETECTORS_CACHED", 3)
    policies = policy.PolicySet([compiled(detections=[{"id": "off", "enabled": False, "severity": "Low"}])])

    assert policies.effective("web") is policies.effective("web")
    for number in range(10):
        policies.effective(f"n{number}")
        policies.effective("web").allows(f"d{number}")
        policies.effective("web").severity(f"d{number}", vocabulary.Severity.HIGH)
    assert len(policies._cache) == 3
    assert len(policies.effective("web")._allowed) <= 3
    assert len(policies.effective("web")._severities) <= 3
    assert not policies.effective("web").allows("off")


def test_a_set_is_not_changed_by_new_labels() -> None:
    body = {"namespaceSelector": {"matchLabels": {"team": "a"}}, "mode": "Disabled"}
    before = policy.PolicySet([compiled("ClusterDetectionPolicy", **body)])
    after = before.with_namespace_labels({"web": {"team": "a"}})

    assert before.effective("web").mode is words.PolicyMode.DETECT
    assert after.effective("web").mode is words.PolicyMode.DISABLED


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            {"apiVersion": "v1", "kind": "Pod"},
            "'v1' and kind 'Pod' are no policy; write riverwatch.dev",
            id="other kind",
        ),
        pytest.param(
            {
                "apiVersion": "riverwatch.dev/v1alpha1",
                "kind": "DetectionPolicy",
                "metadata": {"name": "p", "namespace": "web"},
                "spec": {"exceptions": [{"name": "n", "reason": "r", "match": {"sourceCIDRs": ["10.0.0.1/8"]}}]},
            },
            r"^DetectionPolicy/web/p: spec\.exceptions\[0\]\.match\.sourceCIDRs\[0\]: '10.0.0.1/8' has bits",
            id="wrong field",
        ),
        pytest.param(
            {"apiVersion": "riverwatch.dev/v1alpha1", "kind": "ClusterDetectionPolicy", "metadata": 3, "spec": {}},
            "^ClusterDetectionPolicy: metadata: ",
            id="metadata of another type",
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_the_field(body: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.BadPolicyError, match=message):
        policy_compile.compile_body(body)
