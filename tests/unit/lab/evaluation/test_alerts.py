"""Reading detections."""

import json

import pytest

from riverwatch import errors
from riverwatch.lab.evaluation import alerts

SPEC = {
    "title": "secrets read",
    "useCase": "SecretAccess",
    "severity": "High",
    "score": 81.5,
    "kind": "Rule",
    "detectors": ["a-rule"],
    "actor": {"kind": "ServiceAccount", "name": "bot", "namespace": "web"},
    "firstSeen": "2026-03-02T10:00:00Z",
    "lastSeen": "2026-03-02T10:05:00.5Z",
    "observedAt": "2026-03-02T10:01:00Z",
    "evidence": [{"auditID": "a1", "time": "2026-03-02T10:00:00Z", "summary": "list"}],
}


def line(**changes) -> str:
    return json.dumps({"metadata": {"name": "rw-1", "namespace": "web"}, "spec": SPEC | changes})


def test_reads_a_detection(tmp_path):
    path = tmp_path / "found.jsonl"
    path.write_text(line() + "\n\n")
    (alert,) = alerts.read(path)
    assert alert.key == "web/rw-1"
    assert alert.actors == ("system:serviceaccount:web:bot",)
    assert alert.observed_s - alert.first_s == 60.0
    assert [audit_id for audit_id, _ in alert.evidence] == ["a1"]


def test_keeps_the_last_revision_of_one_object(tmp_path):
    path = tmp_path / "found.jsonl"
    path.write_text(line(score=10) + "\n" + line(score=90) + "\n")
    assert [alert.score for alert in alerts.read(path)] == [90]


@pytest.mark.parametrize(
    ("given", "actors"),
    [
        pytest.param(
            {"impersonatedBy": "sam@example.com"}, ("system:serviceaccount:web:bot", "sam@example.com"), id="a person"
        ),
        pytest.param(
            {"impersonatedBy": "ops/desk"},
            ("system:serviceaccount:web:bot", "system:serviceaccount:ops:desk"),
            id="namespace and name",
        ),
        pytest.param({"actor": {"kind": "Node", "name": "worker-1"}}, ("system:node:worker-1",), id="a node"),
        pytest.param({"actor": {"kind": "User", "name": "dana"}}, ("dana",), id="a person as actor"),
    ],
)
def test_writes_actors_as_records_do(tmp_path, given, actors):
    path = tmp_path / "found.jsonl"
    path.write_text(line(**given))
    assert alerts.read(path)[0].actors == actors


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no JSON"),
        pytest.param('{"spec": {}}', id="no detection"),
        pytest.param(line(firstSeen="yesterday"), id="no time"),
    ],
)
def test_names_file_and_line_of_what_is_no_detection(tmp_path, text):
    path = tmp_path / "found.jsonl"
    path.write_text(line() + "\n" + text + "\n")
    with pytest.raises(errors.BadInputError, match=r"found\.jsonl:2"):
        alerts.read(path)


def test_names_a_file_that_is_missing(tmp_path):
    with pytest.raises(errors.BadInputError, match="cannot be read"):
        alerts.read(tmp_path / "none.jsonl")
