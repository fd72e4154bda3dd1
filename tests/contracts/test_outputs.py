"""What every output promises, whichever it is: run over all cards."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from riverwatch import errors, outputs, settings, vocabulary
from riverwatch.detections import finding
from riverwatch.kube import client as kube_client
from riverwatch.outputs import base, json_lines, k8s_event, ledger, references, threat_detection

NAMESPACE = "riverwatch-system"


@dataclasses.dataclass
class Case:
    """One output and how to see what it delivered."""

    make: Callable[[], base.Output]
    delivered: Callable[[], list[Any]]
    remote: bool
    """Whether it speaks to the API server."""


@pytest.fixture
def cases(api_client, memory_api, fake_clock, tmp_path) -> dict[str, Case]:
    known = references.References()
    for namespace in ("web", NAMESPACE):
        path = f"/apis/riverwatch.dev/v1alpha1/namespaces/{namespace}/threatdetections/rw-0123456789abcdef"
        memory_api.objects[path] = {
            "metadata": {"name": "rw-0123456789abcdef", "namespace": namespace, "uid": f"object-in-{namespace}"},
            "spec": {"triage": {"verdict": "TruePositive"}},
        }
    lines = tmp_path / "lines.jsonl"

    def of(plural: str) -> Callable[[], list[Any]]:
        return lambda: [
            body for method, path, body in memory_api.requests if method in ("POST", "PATCH") and f"/{plural}" in path
        ]

    return {
        "threat_detection": Case(
            lambda: threat_detection.ThreatDetectionOutput(
                api_client, known, ledger.Ledger(cap=500), operator_namespace=NAMESPACE, max_bytes=262_144
            ),
            of("threatdetections"),
            remote=True,
        ),
        "k8s_event": Case(
            lambda: k8s_event.K8sEventOutput(
                api_client, known, operator_namespace=NAMESPACE, instance="pod-1", time=fake_clock
            ),
            of("events"),
            remote=True,
        ),
        "json_lines": Case(
            lambda: json_lines.JsonLinesOutput(lines, operator_namespace=NAMESPACE),
            lambda: [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else [],
            remote=False,
        ),
    }


@pytest.fixture(params=outputs.CARDS, ids=lambda card: card.id)
def card(request) -> base.OutputCard:
    return request.param


@pytest.fixture
def case(card, cases) -> Case:
    assert card.id in cases, "a new output needs a case here"
    return cases[card.id]


def test_ids_are_distinct_and_fit_a_label():
    ids = [card.id for card in outputs.CARDS]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_]+", one) for one in ids)


def test_card_is_complete(card):
    assert len(card.summary) > 10
    assert set(card.settings) <= set(settings.Settings.model_fields)
    assert all(access.why and access.verbs for access in card.access)


def test_output_asks_for_no_secrets(card):
    assert not [access for access in card.access if access.resource.plural == "secrets"]


def test_output_carries_the_card_of_its_module(card, case):
    assert case.make().card is card


def test_detection_is_delivered(case, detection):
    output = case.make()

    assert output.wants(detection())
    output.deliver(detection())

    text = json.dumps(case.delivered())
    assert "web/front read 212 secrets" in text
    assert "rw-0123456789abcdef" in text


def test_second_delivery_of_a_revision_does_no_harm(case, detection, memory_api):
    output = case.make()
    output.deliver(detection())
    before = len(memory_api.objects)
    output.deliver(detection())

    assert len(memory_api.objects) == before


def test_delivery_leaves_the_detection_as_it_is(case, detection):
    one = detection()
    case.make().deliver(one)

    assert one == detection()


def test_detection_without_a_namespace_goes_to_the_operators(case, detection):
    case.make().deliver(detection(namespace=""))

    assert f'"namespace": "{NAMESPACE}"' in json.dumps(case.delivered())


def test_receiver_that_is_away_is_a_temporary_error(case, card, detection, served_api, tmp_path):
    output = case.make()
    served_api.down()
    if not case.remote:
        output._path = tmp_path / "no" / "such" / "folder"
    with pytest.raises(errors.TemporaryError):
        output.deliver(detection())
    if case.remote:
        served_api.up()
        output.deliver(detection())
        assert case.delivered()


def test_refusal_is_a_permanent_error(case, detection, memory_api):
    if not case.remote:
        return
    memory_api.fail(422, "Invalid", "spec.score", when=lambda method, _: method != "GET")
    with pytest.raises(errors.PermanentError):
        case.make().deliver(detection())


def test_hostile_texts_are_delivered_harmlessly(case, detection):
    hostile = "\x1b[31m\x00\u202eevil" + "x" * 20_000
    one = detection(
        title=hostile,
        user_agents=[hostile] * 20,
        evidence=[finding.Evidence("a", 1_768_464_000.0, hostile)] * 50,
        explanation=[finding.Reason("f", hostile, hostile, vocabulary.Frequency.RARE, 0.1, hostile)] * 20,
    )
    case.make().deliver(one)

    for body in case.delivered():
        written = json.dumps(body)
        assert len(written) < 1_000_000
        assert "\\u001b" not in written
        assert "\\u0000" not in written


def test_every_request_ends_in_time(case, detection, memory_api, served_api, monkeypatch):
    if not case.remote:
        return
    slow = kube_client.Client(served_api.connection, timeout_s=0.2)
    output = case.make()
    output._client = slow
    release = threading.Event()
    normal = memory_api.answer

    def stuck(*arguments):
        release.wait(10)
        return normal(*arguments)

    monkeypatch.setattr(memory_api, "answer", stuck)
    try:
        with pytest.raises(errors.ApiTemporaryError):
            output.deliver(detection())
    finally:
        release.set()
        slow.close()


def test_closing_twice_is_fine(case, detection):
    output = case.make()
    output.deliver(detection())
    output.close()
    output.close()


def test_no_output_writes_triage(cases, detection):
    cases["threat_detection"].make().deliver(detection())

    assert all("triage" not in body.get("spec", {}) for body in cases["threat_detection"].delivered())
