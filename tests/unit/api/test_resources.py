"""The other kinds: a detection as the operator writes it, rules with cases, models, conditions."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest
import yaml

from riverwatch import vocabulary
from riverwatch.activity import identities
from riverwatch.api import parse
from riverwatch.api.v1alpha1 import conditions, detection, kinds, model, rule, words
from riverwatch.control import rules
from riverwatch.detections import finding, render

ROOT = pathlib.Path(__file__).parents[3]

SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))

THREAT = yaml.safe_load((ROOT / "tests" / "data" / "threatdetection.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_sample_is_valid(path: pathlib.Path) -> None:
    for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kind = parse.kind_of(body)
        assert kind is not None
        parse.parse(kind.type, body)


def test_a_sample_is_there_for_every_kind_that_people_write() -> None:
    written = {kind.name for kind in kinds.KINDS} - {"ThreatDetection"}

    assert {yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] for path in SAMPLES} == written


def test_detection_is_read_with_the_promised_names() -> None:
    parsed = parse.parse(detection.ThreatDetection, THREAT)

    assert parsed.spec.impersonated_by == "ana@example.com"
    assert parsed.spec.source_ips == ("203.0.113.7",)
    assert parsed.spec.evidence[0].audit_id == "a-1"
    assert parsed.spec.triage is not None
    assert parsed.spec.triage.approved_responses == ("RevokeCredential",)
    assert parsed.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)["spec"].keys() == (
        THREAT["spec"].keys()
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("score", 101, id="score above 100"),
        pytest.param("confidence", 1.1, id="confidence above 1"),
        pytest.param("severity", "Fatal", id="unknown severity"),
        pytest.param("sourceIps", ["203.0.113.7"], id="another spelling of sourceIPs"),
        pytest.param("firstSeen", 1768464000, id="time as a number"),
        pytest.param("evidenceCount", -1, id="negative count"),
    ],
)
def test_detection_is_refused_when_a_field_is_wrong(field: str, value: Any) -> None:
    body = copy.deepcopy(THREAT)
    body["spec"][field] = value

    with pytest.raises(parse.InvalidResourceError) as failure:
        parse.parse(detection.ThreatDetection, body)

    assert [problem.path for problem in failure.value.problems] == [f"spec.{field}"]


def test_largest_and_most_hostile_detection_fits() -> None:
    hostile = "\x1b[31m\u202e\n" + "x" * 10_000
    rendered = render.to_threat_detection(
        finding.Detection(
            uid="0123456789abcdef",
            namespace="web",
            title=hostile,
            use_case=vocabulary.UseCase.SECRET_ACCESS,
            severity=vocabulary.Severity.HIGH,
            score=100.0,
            confidence=1.0,
            kind=vocabulary.DetectionKind.CORRELATED,
            detectors=[f"d{number}" for number in range(500)],
            actor=finding.Actor("User", hostile),
            impersonated_by=hostile,
            source_ips=[hostile] * finding.MAX_VALUES,
            user_agents=[hostile] * finding.MAX_VALUES,
            targets=[finding.Target("", "")] + [finding.Target(*[hostile] * 5)] * (finding.MAX_TARGETS - 1),
            techniques=[vocabulary.Technique("T1", "n", "t")] * 100,
            first_seen_s=0.0,
            last_seen_s=4e9,
            observed_at_s=1.5,
            evidence=[finding.Evidence(hostile, 1.0, hostile)] * finding.MAX_EVIDENCE,
            evidence_count=10**9,
            explanation=[finding.Reason(*[hostile] * 3, vocabulary.Frequency.RARE, 1.1, hostile)] * 16,
            counterfactual=hostile,
            recommendations=[hostile] * 16,
            model_version="",
            policy_refs=[f"DetectionPolicy/{hostile}/p"] * 100,
        )
    )

    parse.parse(detection.ThreatDetection, rendered)


def test_sample_rule_passes_its_cases() -> None:
    body = yaml.safe_load((ROOT / "manifests" / "samples" / "detectionrule.yaml").read_text(encoding="utf-8"))
    examined = rules.examine(body)

    assert (examined.passed, examined.failed) == (2, 0), examined.message
    assert examined.ids == ("payroll-secret-read-by-a-person",)


def test_limits_are_those_of_the_finding() -> None:
    assert detection.MAX_EVIDENCE == finding.MAX_EVIDENCE
    assert detection.MAX_TARGETS == finding.MAX_TARGETS
    assert detection.MAX_VALUES == finding.MAX_VALUES


def test_actor_kinds_are_those_of_principals() -> None:
    assert {kind.value for kind in words.ActorKind} == {kind.value for kind in identities.PrincipalKind}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({"name": "n", "fires": True}, id="neither"),
        pytest.param({"name": "n", "fires": True, "record": {}, "records": [{}]}, id="both"),
    ],
)
def test_rule_case_needs_record_or_records(case: dict[str, Any]) -> None:
    with pytest.raises(parse.InvalidResourceError, match="either record or records"):
        parse.parse(rule.RuleCase, case)


def test_rule_case_keeps_a_record_of_any_shape() -> None:
    parsed = parse.parse(rule.RuleCase, {"name": "n", "fires": False, "record": {"user": {"extra": {"a/b": ["c"]}}}})

    assert parsed.inputs == ({"user": {"extra": {"a/b": ["c"]}}},)


def test_model_cannot_be_promoted_and_rolled_back_at_once() -> None:
    with pytest.raises(parse.InvalidResourceError, match="not both"):
        parse.parse(model.DetectionModelSpec, {"promote": "a", "rollbackTo": "b"})


def test_condition_keeps_its_time_until_the_status_changes() -> None:
    def observe(status: words.ConditionStatus, message: str) -> conditions.Observation:
        return conditions.Observation(conditions.READY, status, "Accepted", message)

    first = conditions.set_condition(
        [{"type": "Other", "status": "True"}], observe(words.ConditionStatus.TRUE, "a"), now_s=0.0, generation=1
    )
    second = conditions.set_condition(first, observe(words.ConditionStatus.TRUE, "b"), now_s=60.0, generation=2)
    third = conditions.set_condition(second, observe(words.ConditionStatus.FALSE, "c"), now_s=120.0, generation=2)

    assert [item["type"] for item in third] == ["Other", "Ready"]
    assert [steps[1]["lastTransitionTime"] for steps in (first, second, third)] == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:02:00Z",
    ]
    assert second[1]["message"] == "b"
    assert second[1]["observedGeneration"] == 2
    parse.parse(conditions.Condition, third[1])
