"""Rewriting: played requests get their planned time exactly, controllers theirs in between, bodies follow."""

from __future__ import annotations

import json

import pytest

from riverwatch.lab import world
from riverwatch.lab.recording import player, rewrite

REAL_S = world.parse_rfc3339("2027-05-01T10:00:00Z")
"""When the recording was really made."""

SPAN = (world.START_S, world.START_S + world.DAY_S)


def record(audit_id="a", *, real_s=0.0, took_s=0.01, user="system:serviceaccount:web:shop", **fields):
    body = {
        "kind": "Event",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/pods",
        "verb": "get",
        "user": {"username": user},
        "sourceIPs": ["10.244.1.7", "127.0.0.1"],
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": world.rfc3339(REAL_S + real_s),
        "stageTimestamp": world.rfc3339(REAL_S + real_s + took_s),
        **fields,
    }
    return json.dumps(body).encode()


def anchor(audit_id="a", *, at_s=3600.0, watch_s=0.0, uri=""):
    return player.Anchor(audit_id, world.START_S + at_s, watch_s, "system:serviceaccount:web:shop", "", uri)


def rewritten(lines, anchors, *, users=frozenset(), ids=frozenset()):
    writer = rewrite.Rewriter(anchors, span=SPAN, dropped_users=users, dropped_ids=ids)
    return [json.loads(line.content) for line in writer.rewrite(lines)], writer


def test_played_request_gets_its_planned_time_and_keeps_its_latency():
    (found,), _ = rewritten([record(took_s=0.25)], [anchor()])
    assert found["requestReceivedTimestamp"] == world.rfc3339(world.START_S + 3600)
    assert found["stageTimestamp"] == world.rfc3339(world.START_S + 3600.25)


def test_records_are_sorted_by_simulated_time_even_when_played_in_another_order():
    lines = [record("late", real_s=0.0), record("early", real_s=0.1)]
    found, _ = rewritten(lines, [anchor("late", at_s=500), anchor("early", at_s=400)])
    assert [one["auditID"] for one in found] == ["early", "late"]


def test_controllers_act_just_after_the_request_that_moved_them():
    controller = "system:serviceaccount:kube-system:replicaset-controller"
    lines = [record("a", real_s=0.0), record("x", real_s=0.2, user=controller), record("b", real_s=0.5)]
    found, _ = rewritten(lines, [anchor("a", at_s=100), anchor("b", at_s=900)])
    assert [one["auditID"] for one in found] == ["a", "x", "b"]
    assert found[1]["requestReceivedTimestamp"] == world.rfc3339(world.START_S + 100.2)


def test_a_controller_never_overtakes_the_next_request():
    lines = [
        record("a", real_s=0.0),
        record("x", real_s=4.0, user="system:kube-controller-manager"),
        record("b", real_s=5.0),
    ]
    found, _ = rewritten(lines, [anchor("a", at_s=100), anchor("b", at_s=101)])
    assert found[1]["requestReceivedTimestamp"] <= world.rfc3339(world.START_S + 101)


def test_watch_lasts_as_long_as_it_meant_and_says_so():
    uri = "/api/v1/pods?timeout=5m10s&timeoutSeconds=310&watch=true"
    played = {"requestURI": "/api/v1/pods?timeout=1s&timeoutSeconds=1&watch=true", "verb": "watch"}
    lines = [record(stage="ResponseStarted", **played), record(took_s=1.0, **played)]
    found, _ = rewritten(lines, [anchor(watch_s=310.0, uri=uri)])
    assert [one["stage"] for one in found] == ["ResponseStarted", "ResponseComplete"]
    assert {one["requestURI"] for one in found} == {uri}
    assert found[1]["stageTimestamp"] == world.rfc3339(world.START_S + 3600 + 310)


def test_a_refused_watch_ends_at_once():
    (found,), _ = rewritten([record(responseStatus={"code": 403})], [anchor(watch_s=310.0)])
    assert found["stageTimestamp"] == world.rfc3339(world.START_S + 3600.01)


@pytest.mark.parametrize(
    ("user", "addresses", "expected"),
    [
        ("system:serviceaccount:web:shop", ["10.244.1.7", "127.0.0.1"], ["10.244.1.7"]),
        ("system:kube-controller-manager", ["127.0.0.1"], ["10.20.0.10"]),
        ("system:apiserver", ["::1"], ["::1"]),
    ],
    ids=["forwarded", "control plane", "API server itself"],
)
def test_addresses_of_this_machine_vanish(user, addresses, expected):
    (found,), _ = rewritten([record(user=user, sourceIPs=addresses)], [anchor()])
    assert found["sourceIPs"] == expected


def test_the_labs_own_records_are_dropped_and_counted():
    lines = [record("a"), record("own", user="lab-observer"), record("prepared")]
    found, writer = rewritten(lines, [anchor()], users=frozenset({"lab-observer"}), ids=frozenset({"prepared"}))
    assert [one["auditID"] for one in found] == ["a"]
    assert sum(writer.dropped.values()) == 2


def test_what_falls_outside_the_recording_is_dropped():
    found, writer = rewritten([record("a"), record("b", real_s=1)], [anchor("a"), anchor("b", at_s=2 * world.DAY_S)])
    assert [one["auditID"] for one in found] == ["a"]
    assert writer.dropped["before the start or after the end"] == 1


def test_times_in_bodies_follow_but_other_texts_do_not():
    metadata = {"uid": "0f0f0f0f-1", "creationTimestamp": "2027-05-01T10:00:00Z", "name": "2027-05-01"}
    old = {"metadata": metadata, "spec": {"until": "2031-01-01T00:00:00Z", "since": "2020-01-01T00:00:00Z"}}
    lines = [record("a", verb="create", responseObject=old), record("b", real_s=3, verb="patch", responseObject=old)]
    found, _ = rewritten(lines, [anchor("a", at_s=100), anchor("b", at_s=9000)])
    for one in found:
        assert one["responseObject"]["metadata"]["creationTimestamp"] == world.rfc3339(world.START_S + 100)[:19] + "Z"
        assert one["responseObject"]["metadata"]["name"] == "2027-05-01"
        assert one["responseObject"]["spec"] == old["spec"]


def test_an_object_from_before_the_recording_is_older_than_it():
    metadata = {"uid": "0f0f0f0f-1", "creationTimestamp": "2027-05-01T09:59:00Z"}
    (found,), _ = rewritten([record(verb="patch", responseObject={"metadata": metadata})], [anchor()])
    assert world.parse_rfc3339(found["responseObject"]["metadata"]["creationTimestamp"]) < world.START_S
