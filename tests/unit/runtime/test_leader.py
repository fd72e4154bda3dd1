"""The election: one leader, taken over when it is silent, handed back at the end."""

from __future__ import annotations

import pytest

from riverwatch import errors
from riverwatch.runtime import leader

PATH = "/apis/coordination.k8s.io/v1/namespaces/rw/leases/riverwatch"


@pytest.fixture
def replicas(api_client, fake_clock) -> tuple[leader.Leader, leader.Leader]:
    return tuple(leader.Leader(api_client, namespace="rw", me=name, time=fake_clock) for name in ("one", "two"))


def test_first_takes_the_lead_and_the_second_waits(replicas):
    one, two = replicas
    one.step()
    two.step()

    assert (one.leads, two.leads) == (True, False)


def test_leader_that_renews_keeps_the_lead(replicas, fake_clock):
    one, two = replicas
    for _ in range(10):
        one.step()
        two.step()
        fake_clock.advance(leader.STEP_S)

    assert (one.leads, two.leads) == (True, False)


def test_silent_leader_is_replaced_and_knows_it(replicas, fake_clock, memory_api):
    one, two = replicas
    one.step()
    two.step()
    fake_clock.advance(leader.LEASE_S + 1)
    two.step()

    assert (one.leads, two.leads) == (False, True)
    assert memory_api.objects[PATH]["spec"]["leaseTransitions"] == 1
    one.step()
    assert one.leads is False


def test_lead_is_handed_back_at_the_end(replicas):
    one, two = replicas
    one.step()
    two.step()
    one.resign()
    two.step()

    assert (one.leads, two.leads) == (False, True)


def test_lead_ends_by_itself_when_the_api_server_is_away(replicas, fake_clock, served_api):
    one, _ = replicas
    one.step()
    served_api.down()
    with pytest.raises(errors.ApiTemporaryError):
        one.step()
    assert one.leads
    fake_clock.advance(leader.LEASE_S)

    assert not one.leads
    one.resign()


def test_race_for_a_free_lease_is_lost_by_conflict(replicas, memory_api):
    one, two = replicas
    one.step()
    one.resign()
    memory_api.fail(409, "Conflict", when=lambda method, _: method == "PUT")
    with pytest.raises(errors.ApiTemporaryError):
        two.step()

    assert not two.leads
