"""The payload for falcosidekick: what its receiver checks, and labels from closed sets."""

from __future__ import annotations

import datetime as dt
import uuid

import msgspec
import pytest

from riverwatch import vocabulary
from riverwatch.report import sidekick

PRIORITIES = {"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}
"""Falco's priorities; anything else reads as none and is refused."""


def test_passes_the_receivers_checks(found, plain, hostile):
    for detection in [*found, plain, hostile]:
        body = sidekick.to_sidekick(detection)
        assert set(body) == {
            "uuid",
            "output",
            "priority",
            "rule",
            "time",
            "source",
            "hostname",
            "tags",
            "output_fields",
        }
        assert body["priority"] in PRIORITIES
        assert body["rule"]
        assert dt.datetime.fromisoformat(body["time"]).tzinfo is not None
        assert body["output_fields"]["k8s.ns.name"]
        assert all(isinstance(value, str) and value for value in body["output_fields"].values())
        assert body["tags"] == sorted(body["tags"])
        uuid.UUID(body["uuid"])
        assert len(msgspec.json.encode(body)) < 16_384


@pytest.mark.parametrize(
    ("severity", "priority"),
    [
        (vocabulary.Severity.CRITICAL, "Critical"),
        (vocabulary.Severity.HIGH, "Error"),
        (vocabulary.Severity.MEDIUM, "Warning"),
        (vocabulary.Severity.LOW, "Notice"),
        (vocabulary.Severity.INFO, "Informational"),
    ],
)
def test_translates_severity(plain, severity, priority):
    assert sidekick.to_sidekick(msgspec.structs.replace(plain, severity=severity))["priority"] == priority


def test_names_a_rule_by_its_id_and_an_anomaly_by_its_use_case(plain):
    assert sidekick.rule_name(plain) == "secret-by-script"
    anomaly = msgspec.structs.replace(plain, explanation=plain.explanation[1:], detectors=["novelty"])
    assert sidekick.rule_name(anomaly) == "anomaly-SecretAccess"


def test_names_a_rule_that_gave_no_reason_of_its_own(plain):
    quiet = msgspec.structs.replace(plain, explanation=plain.explanation[1:])
    assert sidekick.rule_name(quiet) == "secret-by-script"


def test_tells_who_and_what_in_falcos_words(plain):
    fields = sidekick.to_sidekick(plain)["output_fields"]
    assert fields["ka.user.name"] == "system:serviceaccount:web:front"
    assert "ka.impuser.name" not in fields
    assert (fields["ka.target.resource"], fields["ka.target.namespace"], fields["ka.target.name"]) == (
        "secrets",
        "payments",
        "db",
    )
    assert fields["riverwatch.detection"] == "web/rw-00000000000000a1"


def test_names_the_credentials_owner_as_user_under_impersonation(plain):
    fields = sidekick.to_sidekick(msgspec.structs.replace(plain, impersonated_by="ana"))["output_fields"]
    assert (fields["ka.user.name"], fields["ka.impuser.name"]) == ("ana", "system:serviceaccount:web:front")


def test_gives_the_same_state_the_same_uuid_and_a_new_state_another(plain):
    first = sidekick.to_sidekick(plain)
    assert sidekick.to_sidekick(plain) == first
    assert sidekick.to_sidekick(msgspec.structs.replace(plain, revision=5))["uuid"] != first["uuid"]


def test_tags_tactics_as_falcos_rules_do(plain):
    assert {"mitre_credential_access", "T1552.007", "SecretAccess"} <= set(sidekick.to_sidekick(plain)["tags"])


def test_keeps_every_field_within_its_bound(plain):
    long = msgspec.structs.replace(plain, title="x" * 9_000, counterfactual="y" * 9_000)
    body = sidekick.to_sidekick(long)
    assert len(body["output"]) <= sidekick.MAX_OUTPUT
    assert max(map(len, body["output_fields"].values())) <= sidekick.MAX_FIELD
