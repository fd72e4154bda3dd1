"""Kubernetes Events: one per detection, on its object."""

from __future__ import annotations

import pytest

from riverwatch import errors, vocabulary
from riverwatch.outputs import k8s_event, references


@pytest.fixture
def known() -> references.References:
    return references.References()


@pytest.fixture
def output(api_client, known, fake_clock) -> k8s_event.K8sEventOutput:
    return k8s_event.K8sEventOutput(
        api_client, known, operator_namespace="riverwatch-system", instance="pod-1", time=fake_clock
    )


def events(memory_api) -> list[dict]:
    return [body for path, body in memory_api.objects.items() if "/events/" in path]


def test_event_points_at_the_object_wherever_it_ended_up(output, known, memory_api, detection):
    known.put("0123456789abcdef", references.Reference("riverwatch-system", "rw-0123456789abcdef", "u-9"))
    output.deliver(detection())
    [event] = events(memory_api)

    assert event["metadata"]["namespace"] == event["involvedObject"]["namespace"] == "riverwatch-system"
    assert event["involvedObject"]["uid"] == "u-9"
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "ThreatDetected", 1)


def test_event_waits_for_its_object(output, memory_api, detection):
    with pytest.raises(errors.ApiTemporaryError, match="not written yet"):
        output.deliver(detection())

    assert events(memory_api) == []


def test_growing_detection_is_announced_once(output, known, memory_api, detection):
    known.put("0123456789abcdef", references.Reference("web", "rw-0123456789abcdef", "u-9"))
    for revision in range(5):
        output.deliver(detection(revision=revision))

    assert len([one for one in memory_api.requests if one[0] == "POST"]) == 1
    assert output.wants(detection()) is False


def test_detections_of_an_earlier_run_are_not_announced_again(output, detection):
    output.adopt(["0123456789abcdef"])

    assert output.wants(detection()) is False


def test_weak_detection_is_a_normal_event(output, known, memory_api, detection):
    known.put("0123456789abcdef", references.Reference("web", "rw-0123456789abcdef", "u-9"))
    output.deliver(detection(severity=vocabulary.Severity.LOW))

    assert events(memory_api)[0]["type"] == "Normal"


def test_message_says_who_what_why(detection):
    text = k8s_event.message(detection())

    assert text == (
        "High 98/100: web/front read 212 secrets (by ServiceAccount web/front): read 212 secrets, usually 3"
    )


def test_long_message_is_cut(detection):
    assert len(k8s_event.message(detection(title="x" * 5_000))) == 1_024


def test_oldest_references_are_forgotten(monkeypatch):
    monkeypatch.setattr(references, "CAPACITY", 2)
    known, recent = references.References(), references.Recent()
    for name in ("a", "b", "c"):
        known.put(name, references.Reference("web", name, name))
        recent.add(name)

    assert (known.get("a"), recent.has("a"), recent.has("c")) == (None, False, True)
