"""Verdicts: told once, phase follows, taken back."""

from __future__ import annotations

import pytest

from riverwatch import vocabulary
from riverwatch.control import statuses, triage
from riverwatch.kube import resources
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.scoring import triage as scoring_triage


class Report(statuses.Statuses):
    def __init__(self, time) -> None:
        super().__init__(None, time=time)
        self.phases: list[str] = []
        self.counts: list[int] = []

    def submit(self, write: statuses.Write) -> None:
        assert write.merge, "other fields of the status belong to the output"
        if "phase" in write.status:
            self.phases.append(write.status["phase"])
        else:
            self.counts.append(write.status["count"])


@pytest.fixture
def report(fake_clock) -> Report:
    return Report(fake_clock)


@pytest.fixture
def told() -> list[triage.Triage]:
    return []


@pytest.fixture
def desk(report, told) -> triage.TriageDesk:
    return triage.TriageDesk(report, told.append)


def body(phase: str = "Open", **verdict) -> dict:
    spec = {"triage": verdict} if verdict else {}
    return {"metadata": {"name": "rw-abc", "namespace": "web"}, "spec": spec, "status": {"phase": phase}}


def test_detection_without_a_verdict_is_passed_over(desk, told, report):
    desk.take(resources.THREAT_DETECTIONS, body())

    assert (told, report.phases) == ([], [])


def test_verdict_is_told_once_however_often_it_is_seen(desk, told, report):
    for phase in ("Open", "Resolved", "Resolved"):
        desk.take(resources.THREAT_DETECTIONS, body(phase, verdict="Expected", reason="drill", by="ana"))

    assert told == [triage.Triage("abc", vocabulary.Verdict.EXPECTED, "drill", "ana", None)]
    assert report.phases == ["Resolved"]


def test_changed_verdict_is_told_again(desk, told, report):
    desk.take(resources.THREAT_DETECTIONS, body(verdict="FalsePositive"))
    desk.take(resources.THREAT_DETECTIONS, body("Resolved", verdict="TruePositive"))

    assert [one.verdict.value for one in told] == ["FalsePositive", "TruePositive"]
    assert report.phases == ["Resolved", "Acknowledged"]


def test_verdict_that_is_taken_back_opens_the_detection(desk, told, report):
    desk.take(resources.THREAT_DETECTIONS, body(verdict="FalsePositive"))
    desk.take(resources.THREAT_DETECTIONS, body("Resolved"))

    assert told[-1].verdict is None
    assert report.phases == ["Resolved", "Open"]


def test_expiry_is_read(desk, told):
    desk.take(resources.THREAT_DETECTIONS, body(verdict="Expected", expiresAt="2026-01-15T08:00:00Z"))

    assert told[0].expires_s == 1_768_464_000.0


@pytest.mark.parametrize("verdict", ["Maybe", "", 7, None], ids=["unknown", "empty", "number", "null"])
def test_odd_verdict_is_none(verdict):
    assert triage.read({"spec": {"triage": {"verdict": verdict}}}) is None


def test_memory_of_verdicts_is_bounded(desk, monkeypatch):
    monkeypatch.setattr(triage, "REMEMBERED", 3)
    for number in range(10):
        one = body(verdict="Expected")
        one["metadata"]["name"] = f"rw-{number}"
        desk.take(resources.THREAT_DETECTIONS, one)

    assert len(list(desk.known(resources.THREAT_DETECTIONS))) == 3


SPEC = {
    "actor": {"kind": "ServiceAccount", "namespace": "web", "name": "front"},
    "detectors": ["cluster-admin-binding", "novelty"],
    "targets": [{"resource": "pods", "subresource": "exec", "namespace": "web", "name": "till"}, {"resource": "nodes"}],
    "explanation": [
        {"feature": "agent", "observed": "kubectl"},
        {"feature": "rule:cluster-admin-binding", "observed": "verb=create"},
    ],
    "lastSeen": "2026-01-15T08:00:00Z",
    "evidenceCount": 7,
}


def test_object_says_what_the_verdict_is_about(desk, told):
    desk.take(resources.THREAT_DETECTIONS, {**body(), "spec": {**SPEC, "triage": {"verdict": "Expected"}}})

    assert told[0].subject == scoring_triage.Subject(
        key="system:serviceaccount:web:front",
        last_s=1_768_464_000.0,
        detectors=("cluster-admin-binding", "novelty"),
        targets=(("pods/exec", "web", "till"), ("nodes", "", "")),
        pairs=(("agent", "kubectl"),),
    )


ACTORS = {
    "a person": ({"actor": {"kind": "User", "name": "ana"}}, "ana"),
    "a node": ({"actor": {"kind": "Node", "name": "worker-1"}}, "system:node:worker-1"),
    "somebody as somebody else": (
        {"actor": {"kind": "User", "name": "system:admin"}, "impersonatedBy": "ana"},
        "ana as system:admin",
    ),
}


@pytest.mark.parametrize("case", ACTORS)
def test_actor_becomes_the_key_of_its_cases(case):
    spec, key = ACTORS[case]
    assert triage.subject_of(spec).key == key


@pytest.mark.parametrize("spec", [{}, {"actor": {}}, {"actor": {"kind": "User"}}], ids=["nothing", "empty", "no name"])
def test_object_without_an_actor_is_about_nobody(spec):
    assert triage.subject_of(spec) is None


def test_what_a_verdict_keeps_quiet_is_counted_in_the_status(desk, report):
    source = pipeline.Pipeline(rules=engine.RuleEngine(()))
    desk.take(resources.THREAT_DETECTIONS, {**body(), "spec": {**SPEC, "triage": {"verdict": "Expected"}}})
    source.triage("abc", scoring_triage.Ruling(vocabulary.Verdict.EXPECTED))
    desk.count(source)
    source.verdicts.rulings["abc"].suppressed = 5
    desk.count(source)
    desk.count(source)

    assert report.counts == [12]
    assert set(desk.suppressed) == {"exception", "triage"}
