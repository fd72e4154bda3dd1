"""`riverwatch lab record` on a real API server: a few hours of life with attacks, as files that hold together."""

from __future__ import annotations

import collections
import json
import pathlib

import msgspec
import pytest
import yaml

from riverwatch import errors
from riverwatch.activity import normalise
from riverwatch.activity import record as words
from riverwatch.lab import controlplane, world
from riverwatch.lab.recording import choice, inventory, kubelet, output, recorder

DAYS = 0.2
"""Simulated days: enough for everybody who works at night, few enough for a test."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One recording, shared by all tests of this file."""
    folder = tmp_path_factory.mktemp("recording")
    chosen = kubelet.tunnelled(tmp_path_factory.mktemp("tunnel"))
    with controlplane.ControlPlane.start(tmp_path_factory.mktemp("record-plane"), chosen) as on:
        order = recorder.Order(
            days=DAYS, seed=5, attacks=tuple(choice.attacks("stolen-token-new-address,node-proxy", seed=5))
        )
        recorder.record(on, folder, order, progress=lambda *_: None)
        with pytest.raises(errors.BadInputError, match="recorded on before"):
            recorder.record(on, folder / "again", order, progress=lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def records(recording: pathlib.Path) -> list[dict]:
    """Its audit records."""
    return [json.loads(line) for line in (recording / output.AUDIT).read_bytes().splitlines()]


def test_life_went_as_planned(recording):
    facts = json.loads((recording / output.META).read_text())
    assert {key: facts[key] for key in output.COMPLAINTS if facts[key]} == {}
    assert facts["records"] > 1000
    assert facts["identities"] >= 60
    assert facts["attacks"] == 2
    assert facts["versions"]["kubernetes"].startswith("v1.")


def test_records_are_in_simulated_order_and_inside_the_span(records):
    times = [record["stageTimestamp"] for record in records]
    assert times == sorted(times)
    assert world.rfc3339(world.START_S) <= times[0]
    assert times[-1] < world.rfc3339(world.START_S + DAYS * world.DAY_S)
    assert all(record["requestReceivedTimestamp"] <= record["stageTimestamp"] for record in records)


def test_nothing_of_this_machine_or_of_the_lab_is_left(records):
    for record in records:
        if record["user"]["username"] != "system:apiserver":
            assert "127.0.0.1" not in record["sourceIPs"]
        assert "lab" not in record["userAgent"].lower()
    names = {record["user"]["username"] for record in records}
    assert names.isdisjoint({"lab-observer", "kubernetes-admin", "health-probe"})


def test_workloads_act_with_tokens_bound_to_their_pods_and_from_their_addresses(records):
    addresses = collections.defaultdict(set)
    for record in records:
        extra = record["user"].get("extra", {})
        if pod := extra.get("authentication.kubernetes.io/pod-name"):
            assert extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")
            assert extra["authentication.kubernetes.io/node-name"]
            addresses[pod[0]].update(record["sourceIPs"])
    assert len(addresses) > 30
    outside = [pod for pod, found in addresses.items() if not all(one.startswith("10.") for one in found)]
    assert len(outside) <= 2, "only attackers use a pod's token from elsewhere"


def test_labels_name_records_that_exist_and_say_who(recording, records):
    labels = world.read_labels(recording)
    of = collections.defaultdict(set)
    for record in records:
        of[record["auditID"]].add(record["user"]["username"])
    for episode in labels.episodes:
        assert episode.audit_ids
        for audit_id in episode.audit_ids:
            assert of[audit_id] <= set(episode.identities)
    attacks = {episode.name: episode for episode in labels.attacks()}
    assert attacks["stolen-token-new-address"].source_ips[0] in {
        record["sourceIPs"][0]
        for record in records
        if record["auditID"] in attacks["stolen-token-new-address"].audit_ids
    }
    assert all(episode.severity == "malicious" for episode in attacks.values())


def test_nodes_answer_through_the_api_server(recording, records):
    (attack,) = [one for one in world.read_labels(recording).attacks() if one.name == "node-proxy"]
    codes = collections.defaultdict(set)
    for record in records:
        if record["auditID"] in attack.audit_ids:
            codes[record["objectRef"].get("subresource", "")].add(record["responseStatus"]["code"])
    assert codes["proxy"] == {200}


def test_controllers_answer_what_people_and_pipelines_change(records):
    made = [
        record for record in records
        if record["verb"] == "create" and record.get("objectRef", {}).get("resource") == "pods"
        and record["user"]["username"].startswith("system:serviceaccount:kube-system:")
    ]  # fmt: skip
    bound = [record for record in records if record.get("objectRef", {}).get("subresource") == "binding"]
    assert made
    assert len(bound) >= len(made) - 2
    assert all(record["responseObject"]["metadata"]["creationTimestamp"].startswith("2026-03-0") for record in made)


def test_stream_is_what_the_product_reads(recording):
    decoder = msgspec.json.Decoder(words.AuditRecord)
    used = 0
    for line in (recording / output.AUDIT).read_bytes().splitlines():
        activity = normalise.from_audit(decoder.decode(line))
        used += activity.time_s > 0
    assert used > 1000


def test_objects_are_those_of_the_first_minute(recording):
    body = yaml.load((recording / inventory.FILE).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    kinds = collections.Counter(item["kind"] for item in body["items"])
    assert kinds["Pod"] > 60
    assert kinds["Node"] == 6
    assert kinds["Secret"] == 0
    for item in body["items"]:
        assert item["metadata"]["creationTimestamp"] <= world.rfc3339(world.START_S)
    assert "localhost" not in (recording / inventory.FILE).read_text().split("kind: ServiceAccount")[0]


def test_a_control_plane_with_played_nodes_serves_while_it_has_none(start_control_plane, tmp_path):
    on = start_control_plane(controlplane.Options(kwok=True))
    order = recorder.Order(days=0.05, seed=2)
    facts = recorder.record(on, tmp_path / "recording", order, progress=lambda *_: None)
    assert {key: facts[key] for key in output.COMPLAINTS if facts[key]} == {}
    assert facts["records"] > 100
    assert all(on.running().values())


def test_a_control_plane_with_nodes_is_refused(start_control_plane, tmp_path):
    on = start_control_plane(controlplane.Options())
    on.api.call("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}})
    with pytest.raises(errors.BadInputError, match="nodes"):
        recorder.record(on, tmp_path / "recording", recorder.Order(days=1, seed=1), progress=lambda *_: None)
    assert not (tmp_path / "recording").exists()
