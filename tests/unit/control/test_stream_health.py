"""Conditions about the stream: what they say, when a change is an Event, and that none is lost."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import errors, testing
from riverwatch.api.v1alpha1 import conditions
from riverwatch.control import heartbeat, models, statuses, stream_health
from riverwatch.rules import engine
from riverwatch.runtime import coverage, pipeline, stream_watch

STREAM, COVERAGE = conditions.AUDIT_STREAM_HEALTHY, conditions.COVERAGE_COMPLETE


class Client:
    """Keeps Events; heartbeats come back at once while the stream works."""

    def __init__(self, watch: stream_watch.StreamWatch, time: testing.FakeClock) -> None:
        self.watch, self.time = watch, time
        self.works = True
        self.away = False
        self.created: list[dict[str, Any]] = []

    def call(self, _: str, path: str, *, body: Any) -> dict[str, Any]:
        assert path.endswith("selfsubjectreviews")
        if self.works:
            self.watch.last_s = self.time.now_s()
            self.watch.own([testing.audit_record(name=body["metadata"]["name"])])
        return {}

    def create(self, _: object, body: dict[str, Any]) -> bool:
        if self.away:
            raise errors.ApiTemporaryError("away")
        self.created.append(body)
        return True


class Site:
    """A stream and what watches it."""

    def __init__(self) -> None:
        self.time = testing.FakeClock()
        self.watch = stream_watch.StreamWatch()
        self.client = Client(self.watch, self.time)
        self.pipeline = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))
        beat = heartbeat.Heartbeat(self.client, time=self.time, patience_s=10.0)
        self.watch.on_own(beat.hear)
        self.changes = 0
        self.health = stream_health.StreamHealth(
            self.client,
            self.watch,
            lambda apply: apply(self.pipeline),
            beat,
            namespace="riverwatch-system",
            object_name="models",
            every_s=5.0,
            time=self.time,
        )
        self.health.changed = self._count

    def _count(self) -> None:
        self.changes += 1

    def run(self, seconds: float = 0.0) -> None:
        self.health.run()
        for _ in range(int(seconds // stream_health.TICK_S)):
            self.time.advance(stream_health.TICK_S)
            self.health.run()

    def told(self) -> list[tuple[str, str]]:
        return [(one["type"], one["reason"]) for one in self.client.created]

    def condition(self, kind: str) -> conditions.Observation:
        return next(one for one in self.health.observations() if one.type == kind)


@pytest.fixture
def site():
    return Site()


def test_healthy_stream_is_a_condition_and_no_event(site):
    site.run(60)

    assert site.condition(STREAM).status.value == "True"
    assert site.health.healthy() == 1.0
    assert site.told() == []


def test_broken_stream_and_its_repair_are_events_once_each(site):
    site.run(10)
    site.client.works = False
    site.run(60)
    assert (site.condition(STREAM).status.value, site.health.healthy()) == ("False", 0.0)
    assert site.told() == [("Warning", "StreamSilent")]
    site.client.works = True
    site.run(60)

    assert site.told() == [("Warning", "StreamSilent"), ("Normal", "HeartbeatReturned")]
    assert site.client.created[0]["involvedObject"]["name"] == "models"
    assert "AuditStreamHealthy is False" in site.client.created[0]["message"]


def test_event_waits_while_the_api_server_is_away(site):
    site.run(10)
    site.client.works, site.client.away = False, True
    site.run(60)
    assert site.told() == []
    site.client.away = False
    site.run()

    assert site.told() == [("Warning", "StreamSilent")]


def test_events_that_wait_are_bounded(site):
    site.run(10)
    site.client.away = True
    for turn in range(2 * stream_health.MAX_PENDING):
        site.client.works = bool(turn % 2)
        site.run(60)
    site.client.away = False
    site.run()

    assert 0 < len(site.told()) <= stream_health.MAX_PENDING


def see(site: Site, count: int, **more: Any) -> None:
    for number in range(count):
        site.watch.coverage.look(testing.audit_record(audit_id=str(number), **more))


def test_coverage_is_unknown_then_told_with_the_rules_that_are_blind(site):
    site.run(10)
    assert site.condition(COVERAGE).reason == "TooFew"
    see(site, coverage.ENOUGH, verb="create", resource="pods", extra=CREDENTIAL)
    site.run(10)
    seen = site.condition(COVERAGE)

    assert (seen.status.value, seen.reason) == ("False", "RulesBlind")
    assert "rules cannot fire: " in seen.message
    assert site.health.blind_rules().total() > 10
    assert ("Warning", "RulesBlind") in site.told()


CREDENTIAL = {"authentication.kubernetes.io/credential-id": ["JTI=1"]}


def test_coverage_is_complete_when_nothing_is_blind(site):
    see(site, coverage.ENOUGH, extra=CREDENTIAL)
    site.run(10)

    assert (site.condition(COVERAGE).status.value, site.condition(COVERAGE).reason) == ("True", "EverythingSeen")
    assert site.told() == []


def test_blind_rule_of_low_severity_is_told_but_no_trouble(site):
    see(site, coverage.ENOUGH, verb="create", resource="configmaps", extra=CREDENTIAL)
    site.run(10)
    seen = site.condition(COVERAGE)

    assert (seen.status.value, seen.reason) == ("True", "MinorGaps")
    assert "cannot fire: credentials-in-configmap" in seen.message
    assert site.health.blind_rules().keys() == {"Low"}
    assert site.told() == []


def test_field_that_no_record_has_is_told(site):
    see(site, coverage.ENOUGH)
    site.run(10)

    assert site.condition(COVERAGE).reason == "FieldsMissing"
    assert "credential-binding misses credential ids" in site.condition(COVERAGE).message


class Lane:
    """Keeps what would be written."""

    def __init__(self) -> None:
        self.writes: list[statuses.Write] = []

    def submit(self, write: statuses.Write) -> None:
        self.writes.append(write)


def test_conditions_stand_on_the_model_object_of_the_operators_namespace(site):
    lane = Lane()
    reporter = models.ModelReporter(
        lane,
        operator_namespace="riverwatch-system",
        change=lambda apply: apply(site.pipeline),
        time=site.time,
        stream=site.health.observations,
    )
    reporter.run()
    assert lane.writes == []
    site.run(10)
    reporter.run()
    reporter.run()
    [write] = lane.writes

    assert (write.namespace, write.name, write.create) == ("riverwatch-system", "models", True)
    kinds = [one["type"] for one in write.status["conditions"]]
    assert [one for one in kinds if one in ("Ready", STREAM, COVERAGE)] == ["Ready", STREAM, COVERAGE]

    site.client.works = False
    site.run(60)
    reporter.run()
    listed = {one["type"]: one["status"] for one in lane.writes[-1].status["conditions"]}
    assert (len(lane.writes), listed[STREAM]) == (2, "False")
