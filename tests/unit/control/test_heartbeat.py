"""The heartbeat: what its return, its absence and the other figures say about the stream."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import errors, testing
from riverwatch.control import heartbeat
from riverwatch.control.heartbeat import Health, Outcome

PATIENCE_S = 120.0


class Client:
    """Takes requests, or is away."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.away = False

    def call(self, method: str, path: str, *, body: Any) -> dict[str, Any]:
        assert (method, path) == ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews")
        if self.away:
            raise errors.ApiTemporaryError("API server is away")
        self.names.append(body["metadata"]["name"])
        return {}


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def time():
    return testing.FakeClock()


@pytest.fixture
def beat(client, time):
    return heartbeat.Heartbeat(client, time=time, patience_s=PATIENCE_S)


def record_of(name: str, *, time_s: float = testing.START_S):
    return testing.audit_record(time_s=time_s, verb="create", resource="selfsubjectreviews", namespace="", name=name)


def come_back(beat: heartbeat.Heartbeat, name: str) -> None:
    beat.hear([record_of(name)])


def judged(beat, time, *, lag_s: float = 0.0, last_ago_s: float | None = 1.0, senders=None) -> Health:
    last_s = 0.0 if last_ago_s is None else time.now_s() - last_ago_s
    return beat.judge(heartbeat.Seen(lag_s=lag_s, last_s=last_s, senders=senders or {}))[0]


def test_returned_heartbeat_is_health(beat, client, time):
    beat.send()
    assert judged(beat, time) is Health.WAITING
    time.advance(2.5)
    come_back(beat, client.names[0])

    assert judged(beat, time) is Health.RETURNED
    assert (beat.round_trip_s, beat.counts[Outcome.RETURNED]) == (2.5, 1)


def test_ids_are_unpredictable_and_a_foreign_one_counts_nothing(beat, client):
    beat.send()
    beat.send()
    assert len(set(client.names)) == 2
    come_back(beat, heartbeat.PREFIX + "0" * 16)

    assert beat.counts[Outcome.RETURNED] == 0


def test_same_record_twice_counts_once(beat, client):
    beat.send()
    come_back(beat, client.names[0])
    come_back(beat, client.names[0])

    assert beat.counts[Outcome.RETURNED] == 1


@pytest.mark.parametrize(
    ("story", "health"),
    [
        pytest.param((True, 1.0), Health.MISSING, id="others arrive, one of ours did before"),
        pytest.param((False, 1.0), Health.NOT_RECORDED, id="others arrive, ours never did"),
        pytest.param((True, 500.0), Health.SILENT, id="nothing arrives any more"),
        pytest.param((False, 500.0), Health.NOT_RECORDED, id="a pause where ours never come"),
        pytest.param((False, 2_000.0), Health.SILENT, id="a long pause where ours never come"),
        pytest.param((False, None), Health.SILENT, id="nothing ever arrived"),
    ],
)
def test_heartbeat_that_does_not_come_back(beat, client, time, story, health):
    came_back_before, last_ago_s = story
    if came_back_before:
        beat.send()
        come_back(beat, client.names[-1])
        time.advance(1)
    beat.send()
    time.advance(PATIENCE_S)
    assert judged(beat, time, last_ago_s=last_ago_s) in (Health.WAITING, Health.RETURNED)
    time.advance(1)

    assert judged(beat, time, last_ago_s=last_ago_s) is health
    assert beat.counts[Outcome.MISSING] == 1
    beat.send()
    come_back(beat, client.names[-1])
    assert judged(beat, time) is Health.RETURNED


def test_one_lost_in_an_outage_is_no_trouble_once_a_younger_one_came_back(beat, client, time):
    beat.send()
    time.advance(PATIENCE_S - 1)
    beat.send()
    come_back(beat, client.names[-1])
    time.advance(2)

    assert judged(beat, time) is Health.RETURNED
    assert beat.counts[Outcome.MISSING] == 1


def test_api_server_that_is_away_says_nothing_about_the_stream(beat, client, time):
    client.away = True
    beat.send()
    time.advance(10 * PATIENCE_S)

    assert judged(beat, time) is Health.API_SERVER_AWAY
    assert beat.counts == {Outcome.RETURNED: 0, Outcome.MISSING: 0, Outcome.UNSENT: 1}
    client.away = False
    beat.send()
    come_back(beat, client.names[-1])
    assert judged(beat, time) is Health.RETURNED


def test_lag_is_trouble_although_heartbeats_return(beat, client, time):
    beat.send()
    come_back(beat, client.names[0])

    assert judged(beat, time, lag_s=heartbeat.LAG_MAX_S) is Health.RETURNED
    assert judged(beat, time, lag_s=heartbeat.LAG_MAX_S + 1) is Health.LAGGING


def test_heartbeats_that_are_waited_for_are_bounded(beat, client):
    for _ in range(heartbeat.MAX_WAITING + 5):
        beat.send()
    for name in client.names:
        come_back(beat, name)

    assert beat.counts[Outcome.RETURNED] == heartbeat.MAX_WAITING


def hear_another(beat: heartbeat.Heartbeat, time, *, made_ago_s: float = 0.0) -> None:
    beat.hear([record_of(heartbeat.PREFIX + "0a0a0a0a-0b0b", time_s=time.now_s() - made_ago_s)])


def test_another_replicas_heartbeat_makes_the_loss_of_ours_no_proof(beat, client, time):
    beat.send()
    time.advance(PATIENCE_S + 1)
    hear_another(beat, time)

    assert judged(beat, time, last_ago_s=2_000.0) is Health.DIVIDED
    assert beat.foreign() == [heartbeat.PREFIX + "0a0a0a0a-0b0b"]
    time.advance(heartbeat.DIVIDED_TIMES * PATIENCE_S)
    assert judged(beat, time, last_ago_s=2_000.0) is Health.SILENT, "the other one is not heard any more"


def test_heartbeat_of_an_earlier_run_is_no_other_replica(beat, client, time):
    beat.send()
    time.advance(PATIENCE_S + 1)
    hear_another(beat, time, made_ago_s=PATIENCE_S + 2)

    assert beat.foreign() == []
    assert judged(beat, time, last_ago_s=2_000.0) is Health.SILENT


def test_replicas_that_share_judge_by_what_they_share(beat, client, time):
    beat.shares = True
    beat.send()
    time.advance(PATIENCE_S + 1)
    hear_another(beat, time)

    assert judged(beat, time, last_ago_s=2_000.0) is Health.SILENT
    beat.send()
    beat.returned([client.names[-1]])
    assert judged(beat, time) is Health.RETURNED


@pytest.mark.parametrize(
    ("ages", "silent"),
    [
        pytest.param({"a": (5, 50), "b": (5, 50)}, [], id="both send"),
        pytest.param({"a": (heartbeat.SILENT_S, 50), "b": (5, 50)}, ["a"], id="one stopped"),
        pytest.param({"a": (heartbeat.SILENT_S, 9), "b": (5, 50)}, [], id="one that hardly ever sent"),
        pytest.param({"a": (heartbeat.GONE_S, 50), "b": (5, 50)}, [], id="one that was removed long ago"),
        pytest.param({"a": (9_000, 50), "b": (heartbeat.SILENT_S, 50)}, [], id="all stopped: not one replica's fault"),
        pytest.param({}, [], id="nobody"),
    ],
)
def test_replica_is_silent_when_others_go_on(beat, client, time, ages, silent):
    now_s = time.now_s()
    senders = {name: (now_s - age_s, count) for name, (age_s, count) in ages.items()}
    assert heartbeat.silent_senders(senders, now_s) == silent

    beat.send()
    come_back(beat, client.names[0])
    assert (judged(beat, time, senders=senders) is Health.REPLICA_SILENT) == bool(silent)
