"""The OCSF finding: attributes that the schema knows, values that agree with each other."""

from __future__ import annotations

import msgspec
import pytest

from riverwatch import vocabulary
from riverwatch.report import ocsf, ocsf_parts
from riverwatch.rules import attack

KNOWN = {
    "": """activity_id activity_name category_uid category_name class_uid class_name type_uid type_name time start_time
        end_time count severity_id severity status_id status confidence_id confidence confidence_score risk_level_id
        risk_level risk_score is_alert message metadata finding_info actor resources evidences observables unmapped
        remediation anomaly_analyses""",
    "metadata": "version profiles uid correlation_uid log_name log_provider product",
    "metadata.product": "name vendor_name version",
    "finding_info": """uid uid_alt title desc types data_sources created_time modified_time first_seen_time
        last_seen_time related_events_count analytic related_analytics attacks""",
    "finding_info.analytic": "uid name type_id type version",
    "finding_info.related_analytics": "uid name type_id type version",
    "finding_info.attacks": "version technique sub_technique tactic",
    "finding_info.attacks.technique": "uid name",
    "finding_info.attacks.sub_technique": "uid name",
    "finding_info.attacks.tactic": "uid name",
    "actor": "user",
    "actor.user": "name type_id type domain",
    "resources": "uid name namespace type role_id role",
    "evidences": "uid name data src_endpoint actor http_request",
    "evidences.src_endpoint": "ip",
    "evidences.http_request": "user_agent",
    "evidences.actor": "user",
    "evidences.actor.user": "name type_id type domain",
    "observables": "name type_id type value",
    "remediation": "desc",
    "anomaly_analyses": "analysis_targets anomalies baselines",
    "anomaly_analyses.analysis_targets": "name type",
    "anomaly_analyses.anomalies": "observation_parameter observation_type observed_pattern observations",
    "anomaly_analyses.baselines": "observation_parameter observation_type observed_pattern observations",
    "anomaly_analyses.anomalies.observations": "value",
    "anomaly_analyses.baselines.observations": "value",
}
"""Attributes of OCSF 1.7.0 that a finding may use, by place."""

FREE = {"unmapped", "evidences.data"}
"""Places where the schema takes any object."""

REQUIRED = {"activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid"}
"""Attributes that every Detection Finding has."""

EVIDENCE_NEEDS = {"actor", "data", "src_endpoint"}
"""One of these stands in every evidence."""


def check(value, place=""):
    if place in FREE:
        return
    if isinstance(value, list):
        for item in value:
            check(item, place)
    elif isinstance(value, dict):
        assert set(value) <= set(KNOWN[place].split()), place
        for name, part in value.items():
            check(part, f"{place}.{name}" if place else name)


def test_uses_only_what_the_schema_knows(found, plain, hostile):
    for detection in [*found, plain, hostile]:
        body = ocsf.to_ocsf(detection)
        check(body)
        assert set(body) >= REQUIRED
        assert body["metadata"]["version"] == "1.7.0"
        assert body["finding_info"]["uid"] == detection.uid
        assert all(EVIDENCE_NEEDS & set(item) for item in body["evidences"])


def test_becomes_json_whatever_the_names(hostile):
    text = msgspec.json.encode(ocsf.to_ocsf(hostile)).decode()
    assert "\\u001b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("change", "number", "alert"),
    [
        pytest.param(ocsf.Change.CREATE, 1, True, id="created"),
        pytest.param(ocsf.Change.UPDATE, 2, False, id="updated"),
        pytest.param(ocsf.Change.CLOSE, 3, False, id="closed"),
        pytest.param(None, 1, True, id="told once"),
    ],
)
def test_says_what_happened_to_the_finding(plain, change, number, alert):
    body = ocsf.to_ocsf(plain, change=change)
    assert (body["activity_id"], body["type_uid"], body["is_alert"]) == (number, 200_400 + number, alert)
    assert body["type_name"] == f"Detection Finding: {body['activity_name']}"


def test_closes_what_is_over(plain):
    body = ocsf.to_ocsf(msgspec.structs.replace(plain, phase=vocabulary.Phase.RESOLVED))
    assert (body["activity_name"], body["status_id"], body["status"]) == ("Close", 4, "Resolved")


def test_takes_all_times_from_the_detection(plain):
    body = ocsf.to_ocsf(plain)
    assert body["time"] == 1_768_464_030_000
    assert (body["start_time"], body["end_time"]) == (1_768_464_000_000, 1_768_464_061_500)
    assert ocsf.to_ocsf(plain, change=ocsf.Change.UPDATE)["time"] == 1_768_464_061_500
    assert ocsf.to_ocsf(plain) == body


@pytest.mark.parametrize(
    ("severity", "number", "caption", "risk"),
    [
        (vocabulary.Severity.INFO, 1, "Informational", 0),
        (vocabulary.Severity.LOW, 2, "Low", 1),
        (vocabulary.Severity.MEDIUM, 3, "Medium", 2),
        (vocabulary.Severity.HIGH, 4, "High", 3),
        (vocabulary.Severity.CRITICAL, 5, "Critical", 4),
    ],
)
def test_writes_severity_in_both_ways(plain, severity, number, caption, risk):
    body = ocsf.to_ocsf(msgspec.structs.replace(plain, severity=severity))
    assert (body["severity_id"], body["severity"], body["risk_level_id"]) == (number, caption, risk)


@pytest.mark.parametrize(
    ("confidence", "number", "score"),
    [(0.0, 1, 0), (0.49, 1, 49), (0.5, 2, 50), (0.79, 2, 79), (0.8, 3, 80), (1.0, 3, 100)],
)
def test_writes_confidence_in_both_ways(plain, confidence, number, score):
    body = ocsf.to_ocsf(msgspec.structs.replace(plain, confidence=confidence))
    assert (body["confidence_id"], body["confidence_score"]) == (number, score)


def test_tells_what_deviated_and_from_what(plain):
    analysis = ocsf_parts.anomaly_analysis(plain)
    assert analysis == {
        "analysis_targets": [{"name": "system:serviceaccount:web:front", "type": "ServiceAccount"}],
        "anomalies": [
            {
                "observation_parameter": "action",
                "observation_type": "Frequency Analysis",
                "observed_pattern": "UNSEEN",
                "observations": [{"value": "get secrets"}],
            }
        ],
        "baselines": [
            {
                "observation_parameter": "action",
                "observation_type": "Frequency Analysis",
                "observed_pattern": "FREQUENT",
                "observations": [{"value": "get configmaps"}],
            }
        ],
    }


def test_has_no_anomaly_when_only_a_rule_spoke(plain):
    assert "anomaly_analyses" not in ocsf.to_ocsf(msgspec.structs.replace(plain, explanation=plain.explanation[:1]))


def test_tells_rules_from_models(plain):
    info = ocsf.to_ocsf(plain)["finding_info"]
    assert (info["analytic"]["uid"], info["analytic"]["type_id"]) == ("secret-by-script", 1)
    assert [(item["uid"], item["type_id"]) for item in info["related_analytics"]] == [("novelty", 4)]


def test_names_both_identities_under_impersonation(plain):
    body = ocsf.to_ocsf(msgspec.structs.replace(plain, impersonated_by="ana"))
    assert body["actor"]["user"]["name"] == "system:serviceaccount:web:front"
    assert body["unmapped"]["impersonated_by"] == "ana"
    assert [item["value"] for item in body["observables"]] == ["system:serviceaccount:web:front", "ana", "203.0.113.9"]


def test_knows_the_id_of_every_tactic_that_rules_name():
    assert set(ocsf_parts.TACTIC_UIDS) == set(attack.TACTICS.values())


def test_names_what_was_acted_on(plain):
    assert ocsf.to_ocsf(plain)["resources"] == [
        {
            "uid": "payments/secrets/db",
            "name": "db",
            "namespace": "payments",
            "type": "secrets",
            "role_id": 1,
            "role": "Target",
        }
    ]
