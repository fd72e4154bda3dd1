"""Detections of the real pipeline over a small stream, and a hostile one with a trap in every text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from riverwatch import testing, vocabulary
from riverwatch.activity import record
from riverwatch.detections import finding
from riverwatch.report import context as report_context
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

TRAP = "<script>pwned=1</script>\"'><img src=x onerror=pwned=1>&lt;[red]x[/red]\x1b[31m\x00\u202e: kubectl delete ns a"
"""Markup, quotes, an entity, console markup, an escape sequence, a direction override, a command."""

MORNING_S = 3_600.0
"""Length of the quiet time before the intrusion, seconds."""


def stream() -> list[record.AuditRecord]:
    """Five accounts at their routine for an hour, then one used from elsewhere, and somebody anonymous."""
    quiet = [
        testing.audit_record(
            time_s=testing.START_S + number * 5,
            user=f"system:serviceaccount:web:front-{number % 5}",
            name=f"settings-{number % 3}",
            audit_id=f"quiet-{number}",
        )
        for number in range(720)
    ]
    then = testing.START_S + MORNING_S
    outside = {
        "source_ip": "203.0.113.9",
        "user_agent": "curl/8.5.0",
        "verb": "list",
        "resource": "secrets",
        "name": "",
    }
    stolen = [
        testing.audit_record(
            time_s=then + number,
            user="system:serviceaccount:web:front-1",
            namespace=namespace,
            audit_id=f"stolen-{number}",
            **outside,
        )
        for number, namespace in enumerate(("web", "payments", "kube-system"))
    ]
    anonymous = testing.audit_record(time_s=then + 60, user="system:anonymous", audit_id="anonymous-1", **outside)
    return [*quiet, *stolen, anonymous]


@pytest.fixture(scope="session")
def found() -> list[finding.Detection]:
    """What the pipeline finds in the stream."""
    through = pipeline.Pipeline(
        rules=engine.RuleEngine(engine.load_catalog()), learn_until_s=testing.START_S + MORNING_S
    )
    records = stream()
    tally = base.Tally()
    tally.read += len(records)
    detections = {item.uid: item for item in through.process(records, tally=tally)}
    assert len(detections) == 2
    return list(detections.values())


@pytest.fixture
def shown() -> report_context.Context:
    """A context in which everything is filled."""
    return report_context.Context(
        title="audit.log",
        version="9.8.7",
        read=1_000,
        used=990,
        skipped={"duplicate": 7, "not_audit": 3},
        first_s=testing.START_S,
        last_s=testing.START_S + 3_660.0,
        identities=6,
        namespaces=4,
        warm=True,
        progress=1.0,
        threshold=12.25,
        budget_per_day=5.0,
        shed_total=2,
        blind_spots=("No request bodies were seen.",),
    )


@pytest.fixture
def plain() -> finding.Detection:
    """A detection written out by hand, for exact comparisons."""
    return finding.Detection(
        uid="00000000000000a1",
        namespace="web",
        title="Secret read by a script by web/front",
        use_case=vocabulary.UseCase.SECRET_ACCESS,
        severity=vocabulary.Severity.HIGH,
        score=91.5,
        confidence=0.87,
        kind=vocabulary.DetectionKind.RULE,
        detectors=["novelty", "secret-by-script"],
        actor=finding.Actor("ServiceAccount", "front", "web"),
        impersonated_by="",
        source_ips=["203.0.113.9"],
        user_agents=["curl/8.5.0"],
        targets=[finding.Target("", "secrets", "", "payments", "db")],
        techniques=[vocabulary.Technique("T1552.007", "Unsecured Credentials: Container API", "Credential Access")],
        first_seen_s=1_768_464_000.0,
        last_seen_s=1_768_464_061.5,
        observed_at_s=1_768_464_030.0,
        evidence=[finding.Evidence("audit-1", 1_768_464_000.0, "web/front get secrets payments/db -> 200", 0.93)],
        evidence_count=3,
        explanation=[
            finding.Reason(
                "rule:secret-by-script",
                "verb=get; userAgent=curl/8.5.0",
                "not in ordinary operation",
                vocabulary.Frequency.RARE,
                0.4,
                "Secret read by a script: web/front read secret payments/db",
            ),
            finding.Reason(
                "action",
                "get secrets",
                "get configmaps",
                vocabulary.Frequency.UNSEEN,
                0.6,
                "The action 'get secrets' is new.",
            ),
        ],
        counterfactual="It would have been ordinary with action 'get configmaps'.",
        recommendations=[
            "Rotate the secret",
            "See who runs as it: kubectl -n web get pods",
            "kubectl -n payments get secret db   # when it changed",
        ],
        model_version="novelty-1+credential-1",
        policy_refs=["web/quiet"],
        revision=4,
    )


@pytest.fixture
def hostile(plain: finding.Detection) -> finding.Detection:
    """The same with a trap in every text that a sender can choose, and in those that he cannot."""
    return msgspec.structs.replace(
        plain,
        uid="00000000000000a2",
        title=TRAP,
        namespace=TRAP,
        detectors=[TRAP],
        actor=finding.Actor("User", TRAP, ""),
        impersonated_by=TRAP,
        source_ips=[TRAP],
        user_agents=[TRAP],
        targets=[finding.Target(TRAP, TRAP, TRAP, TRAP, TRAP)],
        techniques=[vocabulary.Technique(TRAP, TRAP, TRAP)],
        evidence=[finding.Evidence(TRAP, 1_768_464_000.0, TRAP, 0.5)],
        explanation=[
            finding.Reason(TRAP, TRAP, TRAP, vocabulary.Frequency.RARE, 0.5, TRAP),
            finding.Reason(f"rule:{TRAP}", TRAP, TRAP, vocabulary.Frequency.RARE, 0.5, TRAP),
        ],
        counterfactual=TRAP,
        recommendations=[TRAP, f"Ask {TRAP}", f"See it: {TRAP}"],
        model_version=TRAP,
        policy_refs=[TRAP],
    )


def many(detections: Sequence[finding.Detection], count: int) -> list[finding.Detection]:
    """Repeat detections under uids of their own."""
    return [
        msgspec.structs.replace(detections[number % len(detections)], uid=f"{number:016x}") for number in range(count)
    ]


@pytest.fixture
def hundreds(found: list[finding.Detection]) -> list[finding.Detection]:
    """Five hundred detections of the real size."""
    return many(found, 500)
