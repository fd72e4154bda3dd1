"""What OpenShift's log forwarder and its command line make of audit records is read as it comes."""

from __future__ import annotations

import json

import pytest

from riverwatch.sources import base, decode

RECORD = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "1f2e",
    "stage": "ResponseComplete",
    "requestURI": "/apis/route.openshift.io/v1/namespaces/shop/routes",
    "verb": "list",
    "user": {"username": "ana", "extra": {"scopes.authorization.openshift.io": ["user:full"]}},
    "sourceIPs": ["10.200.0.7", "10.130.0.2"],
    "objectRef": {"resource": "routes", "namespace": "shop", "apiGroup": "route.openshift.io", "apiVersion": "v1"},
    "requestReceivedTimestamp": "2026-03-02T09:00:01.000000Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
}
AROUND = {
    "@timestamp": "2026-03-02T09:00:01Z",
    "hostname": "master-0",
    "log_source": "openshiftAPI",
    "log_type": "audit",
    "openshift": {"cluster_id": "c1", "sequence": 1},
    "timestamp": "2026-03-02T09:00:01Z",
}
TEXT = json.dumps(RECORD)

SHAPES = {
    "forwarder, record beside its own fields": json.dumps([AROUND | RECORD | {"openshift_audit_level": "Metadata"}]),
    "forwarder, level moved": json.dumps([AROUND | RECORD | {"level": "default", "k8s_audit_level": "Metadata"}]),
    "forwarder, record as text": json.dumps([AROUND | {"message": TEXT}]),
    "forwarder, record as an object": json.dumps([AROUND | {"structured": RECORD, "message": TEXT}]),
    "forwarder, one a line": json.dumps(AROUND | {"message": TEXT}) + "\n",
    "oc adm node-logs of several nodes": f"master-0.example.com {TEXT}\n",
    "oc adm node-logs of one node": f"{TEXT}\n",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_the_record_comes_out_once(text: str) -> None:
    tally = base.Tally()
    records = decode.RecordDecoder(tally=tally).body(text.encode(), where="body")

    assert [(one.audit_id, one.source_ips) for one in records] == [("1f2e", ["10.200.0.7", "10.130.0.2"])]
    assert not tally.skipped


def test_what_else_an_audit_pipeline_carries_is_counted() -> None:
    lines = [AROUND | {"log_source": source, "message": "type=SYSCALL msg=audit(1)"} for source in ("auditd", "ovn")]
    tally = base.Tally()

    records = decode.RecordDecoder(tally=tally).body(json.dumps(lines).encode(), where="body")

    assert records == []
    assert tally.skipped == {base.SkipReason.NOT_AUDIT: 2}
