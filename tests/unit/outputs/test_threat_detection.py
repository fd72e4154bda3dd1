"""ThreatDetection objects: phases, caps, sizes, lost namespaces."""

from __future__ import annotations

import json

import pytest

from riverwatch import errors, vocabulary
from riverwatch.api.v1alpha1 import detection as detections
from riverwatch.detections import finding
from riverwatch.outputs import base, deliveries, dispatch, ledger, pending, references, size, threat_detection

PATH = "/apis/riverwatch.dev/v1alpha1/namespaces/{}/threatdetections/{}"


@pytest.fixture
def standing() -> ledger.Ledger:
    return ledger.Ledger(cap=2)


@pytest.fixture
def output(api_client, standing) -> threat_detection.ThreatDetectionOutput:
    return threat_detection.ThreatDetectionOutput(
        api_client, references.References(), standing, operator_namespace="riverwatch-system", max_bytes=20_000
    )


def stored(memory_api, uid: str, namespace: str = "web") -> dict | None:
    return memory_api.objects.get(PATH.format(namespace, f"rw-{uid}"))


def test_object_and_status_are_written(output, memory_api, detection):
    output.deliver(detection(uid="a"))

    assert stored(memory_api, "a")["spec"]["severity"] == "High"
    assert stored(memory_api, "a")["status"] == {"phase": "Open", "count": 212, "observedGeneration": 1}


@pytest.mark.parametrize(
    ("verdict", "phase"),
    [("TruePositive", "Acknowledged"), ("FalsePositive", "Resolved"), ("Expected", "Resolved")],
)
def test_verdict_decides_the_phase_when_the_detection_grows(output, memory_api, detection, verdict, phase):
    output.deliver(detection(uid="a"))
    stored(memory_api, "a")["spec"]["triage"] = {"verdict": verdict}
    output.deliver(detection(uid="a", evidence_count=300, revision=2))

    assert stored(memory_api, "a")["status"]["phase"] == phase
    assert stored(memory_api, "a")["status"]["count"] == 300
    assert stored(memory_api, "a")["spec"]["triage"] == {"verdict": verdict}


def test_weakest_goes_when_the_namespace_is_full(output, memory_api, detection):
    output.deliver(detection(uid="weak", severity=vocabulary.Severity.LOW))
    output.deliver(detection(uid="strong", severity=vocabulary.Severity.CRITICAL))
    output.deliver(detection(uid="new"))

    assert stored(memory_api, "weak") is None
    assert stored(memory_api, "strong") is not None
    assert stored(memory_api, "new") is not None


def test_newcomer_is_given_up_when_everything_there_weighs_more(output, memory_api, detection):
    for uid in ("a", "b"):
        output.deliver(detection(uid=uid, severity=vocabulary.Severity.CRITICAL))
    with pytest.raises(errors.PermanentError, match="is full"):
        output.deliver(detection(uid="c", severity=vocabulary.Severity.LOW))

    assert stored(memory_api, "c") is None


def test_full_namespace_still_takes_changes_of_what_is_there(output, memory_api, detection):
    output.deliver(detection(uid="a"))
    output.deliver(detection(uid="b"))
    output.deliver(detection(uid="a", evidence_count=999))

    assert stored(memory_api, "a")["status"]["count"] == 999


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param((404, "NotFound", 'namespaces "web" not found'), id="namespace deleted"),
        pytest.param((403, "Forbidden", "unable to create because it is being terminated"), id="being deleted"),
    ],
)
def test_record_survives_the_loss_of_its_namespace(output, memory_api, detection, refusal):
    memory_api.fail(*refusal, when=lambda _, path: "/namespaces/web/" in path)
    output.deliver(detection(uid="a"))

    assert stored(memory_api, "a", "riverwatch-system")["spec"]["title"] == "web/front read 212 secrets"


def test_refusal_by_rbac_is_no_loss_of_the_namespace(output, memory_api, detection):
    memory_api.fail(403, "Forbidden", "cannot patch resource", times=2)
    with pytest.raises(errors.ApiPermanentError):
        output.deliver(detection(uid="a"))


def test_object_is_cut_to_its_size(output, memory_api, detection):
    evidence = [finding.Evidence(f"a-{n}", 1_768_464_000.0 + n, "x" * 1_500) for n in range(50)]
    output.deliver(detection(uid="a", evidence=evidence))
    kept = stored(memory_api, "a")["spec"]["evidence"]

    assert len(json.dumps(stored(memory_api, "a"))) < 24_000
    assert kept[0]["auditID"] == "a-0"
    assert kept[-1]["auditID"] == "a-49"


def test_cutting_leaves_what_fits_alone():
    body = {"spec": {"evidence": [{"summary": "short"}] * 30}}

    assert size.fit(body, max_bytes=10_000) is body


def test_cutting_reaches_any_allowed_size(detection):
    many = {"spec": {"evidence": ["x" * 4_000] * 50, "targets": ["y" * 4_000] * 50, "userAgents": ["z" * 4_000] * 20}}

    assert len(json.dumps(size.fit(many, max_bytes=8_192))) <= 8_192


def test_row_of_a_broken_body_counts_as_weakest():
    row = ledger.row_of({"metadata": {"name": "a"}, "spec": {"severity": "Awful", "lastSeen": "yesterday"}})

    assert (row.severity, row.last_seen_s, row.phase) == (0, 0.0, "Open")


def test_confirmed_attack_is_never_the_one_to_go(standing):
    def row(name: str, **changes) -> ledger.Row:
        fields = {"severity": 3, "score": 90.0, "last_seen_s": 10.0, "phase": "Open", "verdict": ""} | changes
        return ledger.Row(namespace="web", name=name, **fields)

    standing.replace([row("confirmed", severity=0, verdict="TruePositive"), row("other")])

    assert standing.victim(row("new", severity=4)).name == "other"
    assert standing.count("web") == 2
    standing.forget("web", "other")
    assert standing.victim(row("new")) is None


def test_closed_ones_go_first(standing):
    closed = ledger.Row("web", "closed", 4, 99.0, 10.0, "Resolved", "FalsePositive")
    weak = ledger.Row("web", "weak", 0, 1.0, 10.0, "Open", "")
    standing.replace([closed, weak])

    assert standing.victim(ledger.Row("web", "new", 0, 1.0, 11.0, "Open", "")) == closed


class Line:
    """Another output, that takes or refuses."""

    card = base.OutputCard(id="json_lines", summary="for tests", retry=base.RetryClass.UNTIL_DELIVERED)

    def __init__(self) -> None:
        self.refuses = ""

    def wants(self, _: finding.Detection) -> bool:
        return True

    def deliver(self, _: finding.Detection) -> None:
        if self.refuses:
            raise errors.PermanentError(self.refuses)

    def close(self) -> None:
        """Nothing is held."""


def test_status_says_what_became_of_it_at_other_outputs(output, memory_api, fake_clock, detection):
    line = Line()
    one = dispatch.Dispatcher(
        [output, line],
        capacity=10,
        bucket=pending.TokenBucket(rate_per_s=100, burst=100),
        count=lambda _output, _outcome: None,
        time=fake_clock,
    )

    def go_on() -> list[dict]:
        one.submit([detection(uid="a")])
        fake_clock.advance(60.0)
        for _, lane in one._pairs:
            lane.step()
        one._shown.step()
        return stored(memory_api, "a")["status"]["outputs"]

    (shown,) = go_on()
    assert (shown["name"], shown["delivered"], "message" in shown) == ("json_lines", True, False)
    line.refuses = "the disk is full"
    (shown,) = go_on()
    assert (shown["delivered"], shown["message"]) == (False, "the disk is full")
    assert stored(memory_api, "a")["status"]["count"] == 212, "the rest of the status stays"
    detections.ThreatDetectionStatus.model_validate_json(json.dumps(stored(memory_api, "a")["status"]))


def test_an_outcome_that_says_nothing_new_is_not_written_again():
    one = deliveries.Deliveries()
    assert one.note("a", "json_lines", now_s=1.0)
    assert not one.note("a", "json_lines", now_s=2.0)
    assert one.note("a", "json_lines", now_s=3.0, trouble="full")
    assert not one.note("a", "json_lines", now_s=4.0, trouble="full")
    assert [row["time"] for row in one.rows("a")] == ["1970-01-01T00:00:04.000000Z"]


def test_outcomes_of_old_detections_are_forgotten():
    one = deliveries.Deliveries()
    for number in range(deliveries.REMEMBERED + 1):
        one.note(str(number), "json_lines", now_s=1.0)
    assert one.rows("0") == []
    assert one.rows(str(deliveries.REMEMBERED))
