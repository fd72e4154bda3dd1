"""What replicas tell each other: heartbeats heard elsewhere, senders of others, and the end of a replica."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.control import heartbeat, stream_health, stream_peers
from riverwatch.runtime import leader, stream_watch
from riverwatch.sources import base

LEASE = "/apis/coordination.k8s.io/v1/namespaces/rw/leases/riverwatch"
EVERY_S, PATIENCE_S = 60.0, 120.0
NAME = "system:serviceaccount:rw:riverwatch"


class Replica:
    """One replica, as far as it looks at the stream."""

    def __init__(self, name: str, client, time: testing.FakeClock, *, shares: bool = True) -> None:
        self.time = time
        self.watch = stream_watch.StreamWatch()
        beat = heartbeat.Heartbeat(client, time=time, patience_s=PATIENCE_S)
        self.watch.on_own(beat.hear)
        self.health = stream_health.StreamHealth(
            client,
            self.watch,
            lambda _: None,
            beat,
            namespace="rw",
            object_name="models",
            every_s=EVERY_S,
            time=time,
        )
        self.peers = stream_peers.Peers(client, namespace="rw", me=name, time=time)
        if shares:
            self.health.share(self.peers)

    def receive(self, names: list[str], *, sender: str = "10.0.0.1") -> None:
        """Take a batch of an API server with some heartbeats in it."""
        records = [testing.audit_record(time_s=self.time.now_s(), user=NAME, name=name) for name in names]
        self.watch.own(records)
        other = testing.audit_record(time_s=self.time.now_s(), user="ana@example.com")
        self.watch.delivered(base.Delivery(b"", sender, self.time.now_s()), [other], 0.001)

    def stream(self) -> conditions.Observation:
        return next(one for one in self.health.observations() if one.type == conditions.AUDIT_STREAM_HEALTHY)


class Site:
    """Two replicas before one API server, whose records go where the test says."""

    def __init__(self, api, client, time: testing.FakeClock, *, shares: bool) -> None:
        self.api, self.time = api, time
        self.one, self.two = (Replica(name, client, time, shares=shares) for name in ("one", "two"))
        self.sent = 0
        leader.Leader(client, namespace="rw", me="one", time=time).step()

    def unheard(self) -> list[str]:
        bodies = [body for _, path, body in self.api.requests if path.endswith("selfsubjectreviews")]
        found = [body["metadata"]["name"] for body in bodies[self.sent :]]
        self.sent = len(bodies)
        return found

    def run(self, seconds: float, *, receivers: tuple[Replica, ...], senders: tuple[str, ...] = ("10.0.0.1",)) -> None:
        for _ in range(int(seconds // stream_health.TICK_S)):
            self.time.advance(stream_health.TICK_S)
            for one in (self.one, self.two):
                one.health.run()
            names = self.unheard()
            for place, one in enumerate(receivers):
                one.receive(names if place == 0 else [], sender=senders[place % len(senders)])


@pytest.fixture
def site(memory_api, api_client, fake_clock):
    return lambda *, shares=True: Site(memory_api, api_client, fake_clock, shares=shares)


def test_both_are_healthy_although_one_gets_everything(site):
    both = site()
    both.run(400.0, receivers=(both.two,))

    for one in (both.one, both.two):
        assert (one.stream().status, one.stream().reason) == (words.ConditionStatus.TRUE, "HeartbeatReturned")
    assert both.one.health.seen().last_s > both.time.now_s() - 60.0


def test_outage_is_noticed_by_both(site):
    both = site()
    both.run(400.0, receivers=(both.two,))
    both.run(400.0, receivers=())

    assert {one.stream().reason for one in (both.one, both.two)} == {"StreamSilent"}


def test_replicas_that_do_not_share_know_that_they_cannot_tell(site):
    alone = site(shares=False)
    alone.run(400.0, receivers=(alone.two,))

    assert alone.two.stream().reason == "HeartbeatReturned"
    assert alone.one.stream().reason == "StreamSilent", "nothing says that there is another one"
    alone.run(400.0, receivers=(alone.one,))
    told = alone.two.stream(), alone.one.stream()
    assert told[1].reason == "HeartbeatReturned"
    alone.run(60.0, receivers=(alone.two, alone.one))
    assert alone.one.stream().status is not words.ConditionStatus.FALSE


def test_sender_that_changed_the_replica_is_not_silent(site):
    both = site()
    both.run(300.0, receivers=(both.one, both.two), senders=("10.0.0.1", "10.0.0.2"))
    both.run(900.0, receivers=(both.two, both.one), senders=("10.0.0.1", "10.0.0.2"))

    assert {one.stream().reason for one in (both.one, both.two)} == {"HeartbeatReturned"}
    both.run(900.0, receivers=(both.two,), senders=("10.0.0.1",))
    assert {one.stream().reason for one in (both.one, both.two)} == {"ReplicaSilent"}


def test_only_the_leader_writes_events(site):
    both = site()
    both.two.health.leads = lambda: False
    both.run(400.0, receivers=())

    events = [body for method, path, body in both.api.requests if method == "POST" and path.endswith("/events")]
    assert len(events) == 1


def test_replica_that_is_gone_is_removed_from_the_lease(site):
    both = site()
    both.run(60.0, receivers=(both.two,))
    assert len(both.api.objects[LEASE]["metadata"]["annotations"]) == 2
    for _ in range(int((stream_peers.FORGET_S + 120.0) // stream_health.TICK_S)):
        both.time.advance(stream_health.TICK_S)
        both.one.health.run()

    assert len(both.api.objects[LEASE]["metadata"]["annotations"]) == 1


def test_view_that_cannot_be_read_is_passed_over(site):
    both = site()
    both.api.objects[LEASE]["metadata"]["annotations"] = {
        f"{stream_peers.PREFIX}0000": '{"at_s": "yesterday"}',
        "other.example.com/note": "kept",
    }
    both.run(60.0, receivers=(both.one,))

    assert both.one.stream().reason == "HeartbeatReturned"
    assert both.api.objects[LEASE]["metadata"]["annotations"]["other.example.com/note"] == "kept"
