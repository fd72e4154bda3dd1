"""The CloudEvents message: required attributes, names that the specification allows, ids that repeat with the state."""

from __future__ import annotations

import datetime as dt
import re

import msgspec

from riverwatch.detections import render
from riverwatch.report import cloudevents


def test_has_the_attributes_that_the_specification_requires(found, plain, hostile):
    for detection in [*found, plain, hostile]:
        body = cloudevents.to_cloudevent(detection)
        assert body["specversion"] == "1.0"
        assert body["type"] == "dev.riverwatch.threatdetection.v1alpha1"
        assert all(isinstance(body[name], str) and body[name] for name in ("id", "source", "type", "subject"))
        assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in body)
        assert dt.datetime.fromisoformat(body["time"]).tzinfo is not None
        assert re.fullmatch(r"[!-~]+", body["subject"] + body["source"])
        msgspec.json.encode(body)


def test_carries_the_custom_resource(plain):
    assert cloudevents.to_cloudevent(plain)["data"] == render.to_threat_detection(plain)


def test_repeats_its_id_with_the_state_and_changes_it_with_the_next(plain):
    first = cloudevents.to_cloudevent(plain)
    assert cloudevents.to_cloudevent(plain) == first
    assert first["id"] == "00000000000000a1.4"
    assert cloudevents.to_cloudevent(msgspec.structs.replace(plain, revision=5))["id"] == "00000000000000a1.5"


def test_names_cluster_and_object(plain):
    body = cloudevents.to_cloudevent(plain, cluster="prod eu")
    assert body["source"] == "urn:riverwatch:cluster:prod%20eu"
    assert body["subject"] == "namespaces/web/threatdetections/rw-00000000000000a1"


def test_puts_detections_without_a_namespace_into_the_operators(plain):
    body = cloudevents.to_cloudevent(msgspec.structs.replace(plain, namespace=""), operator_namespace="ops")
    assert body["subject"].startswith("namespaces/ops/")
    assert body["data"]["metadata"]["namespace"] == "ops"
