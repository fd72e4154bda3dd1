"""Verdicts: told once, phase follows, taken back."""

from __future__ import annotations

import pytest

from riverwatch import vocabulary
from riverwatch.control import statuses, triage
from riverwatch.kube import resources


class Report(statuses.Statuses):
    def __init__(self, time) -> None:
        super().__init__(None, time=time)
        self.phases: list[str] = []

    def submit(self, write: statuses.Write) -> None:
        assert write.merge, "other fields of the status belong to the output"
        self.phases.append(write.status["phase"])


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
