"""The worker's view of the stream: senders, lag, samples, shares of the work; all bounded."""

from __future__ import annotations

import pytest

from riverwatch import clock, testing
from riverwatch.runtime import stream_watch
from riverwatch.sources import base


def delivery(where: str = "audit webhook, from 10.0.0.1", *, at_s: float = testing.START_S) -> base.Delivery:
    return base.Delivery(b"", where, at_s)


def batch(count: int, **more) -> list:
    return [testing.audit_record(audit_id=str(number), **more) for number in range(count)]


def test_lag_is_the_age_of_the_newest_record_at_arrival():
    watch = stream_watch.StreamWatch()
    old, new = batch(1, time_s=testing.START_S - 90), batch(1, time_s=testing.START_S - 3)
    watch.delivered(delivery(), old + new, 0.1)

    assert watch.lag_s == pytest.approx(3.0)


def test_record_from_the_future_is_not_late_and_one_without_time_changes_nothing():
    watch = stream_watch.StreamWatch()
    watch.delivered(delivery(), batch(1, time_s=testing.START_S - 7), 0.1)
    [odd] = batch(1)
    odd.stage_timestamp = odd.request_received_timestamp = "yesterday"
    watch.delivered(delivery(), [odd], 0.1)
    assert watch.lag_s == pytest.approx(7.0)
    watch.delivered(delivery(), batch(1, time_s=testing.START_S + 60), 0.1)

    assert watch.lag_s == 0.0


def test_senders_are_told_apart_and_counted():
    watch = stream_watch.StreamWatch()
    watch.delivered(delivery("a", at_s=10.0), [], 0.0)
    watch.delivered(delivery("b", at_s=20.0), [], 0.0)
    watch.delivered(delivery("a", at_s=30.0), [], 0.0)

    assert {name: (one.first_s, one.last_s, one.deliveries) for name, one in watch.senders.items()} == {
        "a": (10.0, 30.0, 2),
        "b": (20.0, 20.0, 1),
    }
    assert watch.last_s == 30.0


def test_senders_are_bounded_and_the_one_silent_longest_goes():
    watch = stream_watch.StreamWatch()
    for number in range(stream_watch.MAX_SENDERS + 1):
        watch.delivered(delivery(str(number), at_s=float(number)), [], 0.0)

    assert len(watch.senders) == stream_watch.MAX_SENDERS
    assert "0" not in watch.senders


def test_few_records_are_looked_at_of_a_large_batch_and_all_places_in_turn():
    watch = stream_watch.StreamWatch()
    records = batch(80)
    seen = set()
    watch.coverage.look = lambda one: seen.add(one.audit_id)
    watch.delivered(delivery(), records, 0.1)
    assert len(seen) == stream_watch.SAMPLE
    for _ in range(9):
        watch.delivered(delivery(), records, 0.1)

    assert len(seen) == 80


def test_small_batch_is_looked_at_as_a_whole():
    watch = stream_watch.StreamWatch()
    watch.delivered(delivery(), batch(stream_watch.SAMPLE), 0.1)

    assert watch.coverage.looked_at == stream_watch.SAMPLE


def test_work_is_shared_by_the_namespace_of_the_account_else_of_the_target():
    watch = stream_watch.StreamWatch()
    records = [
        testing.audit_record(user="system:serviceaccount:web:front", namespace="shop"),
        testing.audit_record(user="ana@example.com", namespace="shop"),
        testing.audit_record(user="ana@example.com", namespace=""),
        testing.audit_record(user="system:serviceaccount:web:front", namespace=""),
    ]
    watch.delivered(delivery(), records, 4.0)

    assert watch.work_s == {"web": 2.0, "shop": 1.0, "": 1.0}


def test_namespaces_are_bounded_and_the_largest_stay(monkeypatch):
    monkeypatch.setattr(stream_watch, "MAX_NAMESPACES", 4)
    watch = stream_watch.StreamWatch()
    watch.delivered(delivery(), batch(1, user="system:serviceaccount:big:a"), 100.0)
    for number in range(50):
        watch.delivered(delivery(), batch(1, user=f"system:serviceaccount:n{number}:a"), 0.1)

    assert len(watch.work_s) <= 4
    assert watch.work_s["big"] == 100.0


def test_record_without_anything_does_no_harm():
    watch = stream_watch.StreamWatch()
    [empty] = batch(1)
    for field in empty.__struct_fields__:
        if field not in ("request_object", "response_object", "annotations"):
            setattr(empty, field, None)
    watch.delivered(delivery(at_s=clock.parse_rfc3339("2026-01-15T08:00:00Z")), [empty], 0.1)

    assert watch.coverage.looked_at == 1
