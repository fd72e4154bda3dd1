"""The stream watches itself: heartbeats through a real API server's audit webhook, which then breaks and heals."""

from __future__ import annotations

from typing import Any

from riverwatch import errors
from riverwatch.kube import resources
from riverwatch.lab import controlplane

NAMESPACE = "riverwatch-system"


def condition_of(admin: Any, kind: str) -> dict[str, Any]:
    try:
        body = admin.get(resources.MODELS, name="models", namespace=NAMESPACE)
    except errors.ApiPermanentError:
        return {}
    listed = (body.get("status") or {}).get("conditions") or []
    return next((one for one in listed if one["type"] == kind), {})


def test_broken_audit_webhook_is_noticed_and_so_is_its_repair(start_control_plane, operator_site):
    site = operator_site
    port = site.free_port()
    plane = start_control_plane(controlplane.Options(webhook=site.webhook(port), controllers=False))
    admin = site.install(plane)
    operator = site.start(plane, port=port, heartbeat_s="1", heartbeat_patience_s="6")
    site.wait(operator.ready, "the operator")

    def healthy(status: str) -> bool:
        return condition_of(admin, "AuditStreamHealthy").get("status") == status

    site.wait(lambda: healthy("True"), "heartbeats to come back")
    assert condition_of(admin, "AuditStreamHealthy")["reason"] == "HeartbeatReturned"
    assert operator.metric("riverwatch_stream_healthy") == 1
    assert operator.metric('riverwatch_heartbeats_total{outcome="returned"}') >= 1

    # The API server goes on, but what it sends is refused.
    token = site.credentials / "token"
    right = token.read_text()
    token.write_text("quite-another-token\n")
    site.wait(lambda: healthy("False"), "the silence to be noticed")
    assert condition_of(admin, "AuditStreamHealthy")["reason"] == "StreamSilent"
    assert "check the webhook's address, CA and token" in condition_of(admin, "AuditStreamHealthy")["message"]
    assert operator.metric("riverwatch_stream_healthy") == 0

    token.write_text(right)
    site.wait(lambda: healthy("True"), "heartbeats to come back again")
    told = [one for one in admin.list(resources.K8S_EVENTS, namespace=NAMESPACE) if one["action"] == "Watch"]
    assert {(one["type"], one["reason"]) for one in told} >= {
        ("Warning", "StreamSilent"),
        ("Normal", "HeartbeatReturned"),
    }
    # Its own requests are left out of judging all the same.
    assert operator.metric('riverwatch_records_skipped_total{reason="own_identity"}') > 0


def test_replica_that_gets_nothing_knows_that_the_other_one_does(start_control_plane, operator_site, monkeypatch):
    monkeypatch.delenv("HOSTNAME", raising=False)
    site = operator_site
    port = site.free_port()
    plane = start_control_plane(controlplane.Options(webhook=site.webhook(port), controllers=False))
    site.install(plane)
    options = {"heartbeat_s": "2", "heartbeat_patience_s": "45", "leader_election": "true"}
    fed = site.start(plane, port=port, **options)
    hungry = site.start(plane, **options)
    for one in (fed, hungry):
        site.wait(one.ready, "the operators")

    returned = 'riverwatch_heartbeats_total{outcome="returned"}'
    site.wait(lambda: hungry.metric(returned) >= 1, "a heartbeat that the other one heard")
    for one in (fed, hungry):
        site.wait(lambda one=one: one.metric("riverwatch_stream_healthy") == 1, "the stream to be healthy")
    assert hungry.metric("riverwatch_stream_last_delivery_timestamp_seconds") == 0
    assert fed.metric(returned) >= 1
