"""The custom resource definitions on a real API server: accepted, structural, and refusing what they should refuse."""

from __future__ import annotations

import copy
import json
import pathlib
import re
import uuid
from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest
import yaml

from riverwatch import errors
from riverwatch.api import render
from riverwatch.api.v1alpha1 import kinds, words
from riverwatch.kube import client, connection
from riverwatch.lab import controlplane
from riverwatch.lab.controlplane import processes

ROOT = pathlib.Path(__file__).parents[2]

WAIT_S = 60.0
"""Longest wait for the API server to serve a new kind, in seconds."""

BODIES: dict[str, dict[str, Any]] = {
    body["kind"]: body
    for path in [*(ROOT / "manifests" / "samples").glob("*.yaml"), ROOT / "tests" / "data" / "threatdetection.yaml"]
    for body in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}

OPERATOR = "riverwatch"
"""Field manager of the operator."""

ALL = [pytest.param(kind, id=kind.name) for kind in kinds.KINDS]


class Server:
    """Requests to the API server as the administrator."""

    def __init__(self, plane: controlplane.ControlPlane) -> None:
        self._client = client.Client(connection.from_kubeconfig(plane.admin_kubeconfig))
        self.call = self._client.call
        self.close = self._client.close

    def apply(self, path: str, body: Any, *, manager: str = OPERATOR) -> dict[str, Any]:
        return self.call(
            "PATCH",
            path,
            query={"fieldManager": manager, "force": "true", "fieldValidation": "Strict"},
            body=body,
            content_type="application/apply-patch+yaml",
        )


def path_of(kind: kinds.Kind, body: dict[str, Any], *parts: str) -> str:
    namespace = f"/namespaces/{body['metadata']['namespace']}" if kind.namespaced else ""
    return "/".join([f"/apis/{words.API_VERSION}{namespace}/{kind.plural}/{body['metadata']['name']}", *parts])


@pytest.fixture(scope="module")
def server(control_plane: controlplane.ControlPlane) -> Iterator[Server]:
    """The API server with all kinds installed and served."""
    server = Server(control_plane)
    for kind in kinds.KINDS:
        definition = render.custom_resource_definition(kind)
        server.apply(
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}", definition
        )
    processes.wait(lambda: served(server) == {kind.plural for kind in kinds.KINDS}, timeout_s=WAIT_S)
    yield server
    server.close()


def served(server: Server) -> set[str]:
    try:
        listed = server.call("GET", f"/apis/{words.API_VERSION}")["resources"]
        for kind in kinds.KINDS:
            server.call("GET", f"/apis/{words.API_VERSION}/{kind.plural}")
    except errors.RiverwatchError:
        return set()
    return {item["name"] for item in listed if "/" not in item["name"]}


@pytest.fixture
def body(request: pytest.FixtureRequest, server: Server) -> Iterator[dict[str, Any]]:
    """A sample of the kind that the test names, in the namespace default, under a name of its own; removed after."""
    kind = kinds.BY_NAME[request.param]
    made = copy.deepcopy(BODIES[kind.name])
    made["metadata"]["name"] = f"t-{uuid.uuid4().hex[:8]}"
    if kind.namespaced:
        made["metadata"]["namespace"] = "default"
    yield made
    try:
        server.call("DELETE", path_of(kind, made))
    except errors.ApiPermanentError as failure:
        if failure.status != 404:
            raise


@pytest.mark.parametrize("kind", ALL)
def test_definition_is_established_and_structural(server: Server, kind: kinds.Kind) -> None:
    found = server.call("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.plural}.{words.GROUP}")
    conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}

    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("body", [kind.name for kind in kinds.KINDS], indirect=True)
def test_sample_is_kept_whole(server: Server, body: dict[str, Any]) -> None:
    kind = kinds.BY_NAME[body["kind"]]
    stored = server.apply(path_of(kind, body), body)
    if "status" in body:
        stored = server.apply(path_of(kind, body, "status"), body)

    assert stored["spec"] == body["spec"]
    assert stored.get("status") == body.get("status")


@pytest.mark.parametrize("body", ["ThreatDetection"], indirect=True)
def test_triage_of_a_person_outlives_the_operators_next_write(server: Server, body: dict[str, Any]) -> None:
    kind = kinds.BY_NAME["ThreatDetection"]
    triage = body["spec"].pop("triage")
    path = path_of(kind, body)
    server.apply(path, body)
    server.call(
        "PATCH",
        path,
        query={"fieldManager": "ana"},
        body={"spec": {"triage": triage}},
        content_type="application/merge-patch+json",
    )
    body["spec"]["evidenceCount"] += 1

    stored = server.apply(path, body)

    assert stored["spec"]["triage"] == triage
    assert stored["spec"]["evidenceCount"] == body["spec"]["evidenceCount"]


@pytest.mark.parametrize("body", ["DetectionPolicy"], indirect=True)
def test_two_managers_may_each_hold_an_exception(server: Server, body: dict[str, Any]) -> None:
    kind = kinds.BY_NAME["DetectionPolicy"]
    path = path_of(kind, body)
    other = copy.deepcopy(body)
    other["spec"] = {"exceptions": [{**body["spec"]["exceptions"][0], "name": "other"}]}
    server.apply(path, body, manager="git")

    stored = server.apply(path, other, manager="triage")

    assert sorted(item["name"] for item in stored["spec"]["exceptions"]) == ["nightly-backup", "other"]


@pytest.mark.parametrize("body", ["DetectionPolicy"], indirect=True)
def test_null_is_dropped_as_the_parser_does(server: Server, body: dict[str, Any]) -> None:
    body["spec"] = {"mode": None, "minSeverity": "Low", "learning": {"period": None, "minRecords": 3}}

    stored = server.call("POST", path_of(kinds.BY_NAME["DetectionPolicy"], body).rpartition("/")[0], body=body)

    assert stored["spec"] == {"minSeverity": "Low", "learning": {"minRecords": 3}}


MATCH = {"actors": ["ci/deployer"]}


@pytest.mark.parametrize(
    ("body", "spec", "message"),
    [
        pytest.param("DetectionPolicy", {"mode": "Off"}, 'supported values: "Detect"', id="unknown mode"),
        pytest.param(
            "DetectionPolicy", {"detections": [{"id": "a"}]}, "set enabled, severity or both", id="says nothing"
        ),
        pytest.param(
            "DetectionPolicy",
            {"exceptions": [{"name": "n", "match": MATCH}]},
            "exceptions[0].reason: Required",
            id="no reason",
        ),
        pytest.param(
            "DetectionPolicy",
            {"exceptions": [{"name": "n", "reason": "  ", "match": MATCH}]},
            "reason must say why",
            id="blank reason",
        ),
        pytest.param(
            "DetectionPolicy",
            {"exceptions": [{"name": "n", "reason": "r", "match": {}}]},
            "an exception must be narrow",
            id="empty match",
        ),
        pytest.param(
            "DetectionPolicy",
            {"exceptions": [{"name": "n", "reason": "r", "match": {"actors": ["*"]}}]},
            "exceptions[0].match.actors[0]",
            id="glob of everything",
        ),
        pytest.param(
            "DetectionPolicy",
            {"exceptions": [{"name": "n", "reason": "r", "match": MATCH, "expiresAt": "tomorrow"}]},
            "exceptions[0].expiresAt",
            id="no time",
        ),
        pytest.param(
            "DetectionPolicy",
            {"exceptions": [{"name": "n", "reason": "r", "match": MATCH}] * 2},
            "Duplicate value",
            id="name twice",
        ),
        pytest.param("DetectionPolicy", {"alertBudget": {"perDay": -1}}, "alertBudget.perDay", id="budget below 0"),
        pytest.param("DetectionPolicy", {"learning": {"period": "14 days"}}, "learning.period", id="no duration"),
        pytest.param(
            "ClusterDetectionPolicy",
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "In and NotIn need values",
            id="In without values",
        ),
        pytest.param("ClusterDetectionPolicy", {"priority": 1001}, "spec.priority", id="priority out of range"),
        pytest.param(
            "DetectionRule",
            {"sigma": "x", "cases": [{"name": "n", "fires": True}]},
            "set either record or records",
            id="case without record",
        ),
        pytest.param("DetectionRule", {"cases": []}, "spec.sigma: Required", id="rule without Sigma"),
        pytest.param(
            "DetectionModel", {"promote": "a", "rollbackTo": "b"}, "set promote or rollbackTo, not both", id="both ways"
        ),
        pytest.param(
            "ThreatDetection",
            {**BODIES["ThreatDetection"]["spec"], "triage": {"verdict": "Maybe"}},
            "spec.triage.verdict",
            id="unknown verdict",
        ),
        pytest.param("ThreatDetection", {**BODIES["ThreatDetection"]["spec"], "score": 101}, "spec.score", id="score"),
    ],
    indirect=["body"],
)
def test_server_refuses(server: Server, body: dict[str, Any], spec: dict[str, Any], message: str) -> None:
    body["spec"] = spec
    collection = path_of(kinds.BY_NAME[body["kind"]], body).rpartition("/")[0]

    with pytest.raises(errors.ApiPermanentError, match=re.escape(message)) as failure:
        server.call("POST", collection, body=body)

    assert failure.value.status == 422


@pytest.mark.parametrize("body", ["ThreatDetection"], indirect=True)
def test_kubectl_reads_like_a_report(
    control_plane: controlplane.ControlPlane, server: Server, body: dict[str, Any]
) -> None:
    path = path_of(kinds.BY_NAME["ThreatDetection"], body)
    server.apply(path, body)
    server.apply(f"{path}/status", body)
    # What kubectl get asks for: the API server fills the columns.
    api = kubernetes.config.new_client_from_config(str(control_plane.admin_kubeconfig))
    response = api.rest_client.pool_manager.request(
        "GET", api.configuration.host + path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    )
    table = json.loads(response.data)

    shown = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert shown == ["Name", "Severity", "Score", "Title", "Actor", "Count", "Verdict", "Phase", "Last Seen", "Age"]
    names = [column["name"] for column in table["columnDefinitions"]]
    cells = dict(zip(names, table["rows"][0]["cells"], strict=True))
    assert (cells["Severity"], cells["Score"], cells["Actor"], cells["Count"]) == ("High", 97.5, "front", 212)
    assert (cells["Verdict"], cells["Phase"]) == ("TruePositive", "Open")
