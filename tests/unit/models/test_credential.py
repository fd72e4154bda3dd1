"""The places of a credential: all of the last few are remembered, none for ever."""

from __future__ import annotations

import pytest

from riverwatch.models import credential


def use(address: str, *, owner_uid: str = "") -> credential.Use:
    return credential.Use("JTI=1", "token", "pod web/front-0", address, owner_uid=owner_uid)


def learned(count: int, *, owner_uid: str = "") -> credential.Credential:
    model = credential.Credential()
    for number in range(count):
        model.learn(use(f"10.0.0.{number}", owner_uid=owner_uid))
    return model


@pytest.mark.parametrize("count", range(1, credential.MAX_ADDRESSES + 1))
@pytest.mark.parametrize("owner_uid", ["", "uid-1"], ids=["credential alone", "pod known"])
def test_every_address_of_a_credential_is_remembered_up_to_the_bound(count, owner_uid):
    model = learned(count, owner_uid=owner_uid)
    assert all(model.opinion(use(f"10.0.0.{number}", owner_uid=owner_uid)) is None for number in range(count))


def test_beyond_the_bound_the_oldest_address_goes_first():
    addresses = learned(credential.MAX_ADDRESSES + 2).dump()[0]["JTI=1"][1:]
    assert addresses == [f"10.0.0.{number}" for number in range(2, credential.MAX_ADDRESSES + 2)]


def test_a_pod_keeps_its_last_few_addresses():
    places = learned(credential.MAX_ADDRESSES + 2, owner_uid="uid-1").dump()[3]["uid-1"]
    assert places == [f"10.0.0.{number}" for number in range(2, credential.MAX_ADDRESSES + 2)]


DAY_S = 86_400.0


def pod(revision: str, *, day: float = 0.0, owner: str = "pod web/front-{}-x2k4p") -> credential.Use:
    return credential.Use(f"JTI={revision}", "token", owner.format(revision), "10.0.0.1", time_s=1e9 + day * DAY_S)


def lived(*revisions: tuple[str, float]) -> credential.Credential:
    model = credential.Credential()
    for revision, day in revisions:
        model.learn(pod(revision, day=day))
    return model


def test_a_deployment_is_renewed_for_a_day_after_another_template():
    model = lived(("7d4cbf5db4", 0.0))
    assert not model.renewed(pod("7d4cbf5db4", day=0.1))
    assert model.renewed(pod("569c7877fb", day=9.0))
    model.learn(pod("569c7877fb", day=9.0))
    assert model.renewed(pod("569c7877fb", day=9.9))
    assert not model.renewed(pod("569c7877fb", day=10.1))


def test_what_is_replaced_every_day_is_excused_by_nothing():
    hashes = ["7d4cbf5db4", "569c7877fb", "6cfb557657", "5f7d9c6b8d", "86d5f9c7b4"]
    model = lived(*((revision, float(day)) for day, revision in enumerate(hashes[:-1])))
    assert not model.renewed(pod(hashes[-1], day=4.0))


@pytest.mark.parametrize("owner", ["pod web/front-{}", "pod web/job-2968{}-x2k4p", "pod web/agent-twn52"])
def test_pods_of_anything_else_are_never_renewed(owner):
    model = credential.Credential()
    model.learn(pod("00037", owner=owner))
    assert not model.renewed(pod("00038", owner=owner))


def birth(uid: str, *, minute: float, owner: str = "pod web/front-7d4cbf5db4-x2k4p") -> credential.Use:
    time_s = 1e9 + 60 * minute
    return credential.Use(f"JTI={uid}", "token", owner, "10.0.0.1", owner_uid=uid, time_s=time_s)


def test_a_pod_has_only_just_started_for_minutes_where_its_deployment_is_known():
    model = credential.Credential()
    model.learn(birth("first", minute=0))
    assert not model.started(birth("first", minute=1))
    assert model.started(birth("second", minute=60))
    model.see(birth("second", minute=60))
    assert model.started(birth("second", minute=64))
    assert not model.started(birth("second", minute=65))
    assert not model.started(birth("first", minute=66))


def test_a_pod_that_nothing_was_learned_from_grows_old_too():
    model = credential.Credential()
    model.learn(birth("first", minute=0))
    for minute in (60, 70):
        model.see(birth("second", minute=minute))
    assert not model.started(birth("second", minute=71))


def test_pods_that_are_no_deployments_have_no_start():
    model = credential.Credential()
    model.learn(birth("first", minute=0, owner="pod ci/build-x2k4p"))
    assert not model.started(birth("second", minute=60, owner="pod ci/build-qqq4p"))


def test_births_survive_a_checkpoint_and_are_bounded():
    model, again = credential.Credential(max_credentials=2), credential.Credential()
    for number in range(3):
        model.learn(birth(f"u{number}", minute=number))
    again.load(model.dump())
    assert again.dump()[7] == {"u1": 1e9 + 60.0, "u2": 1e9 + 120.0}


def test_revisions_survive_a_checkpoint_and_older_ones_are_read():
    model, other = lived(("7d4cbf5db4", 0.0)), credential.Credential()
    other.load(model.dump())
    assert other.renewed(pod("569c7877fb", day=9.0))
    other.load(model.dump()[:4])
    assert not other.renewed(pod("569c7877fb", day=9.0))


def off_node(number: int, address: str = "10.0.0.1") -> credential.Use:
    return credential.Use(f"JTI={number}", "token", "pod web/front", address, node_addresses=("10.0.0.1",))


def test_a_first_use_off_its_node_is_theft_where_pods_call_from_their_nodes():
    model = credential.Credential()
    for number in range(200):
        model.learn(off_node(number))
    assert model.opinion(off_node(201)) is None
    carried = model.opinion(off_node(201, "10.0.0.2"))
    assert carried is not None
    assert (carried.nats > 7.0, carried.usual) == (True, (("10.0.0.1", 1),))
    other = credential.Credential()
    other.load(model.dump())
    assert other.opinion(off_node(201, "10.0.0.2")) == carried


def test_a_first_use_off_its_node_is_nothing_where_pods_have_addresses_of_their_own():
    model = credential.Credential()
    for number in range(200):
        model.learn(off_node(number, "10.0.0.1" if number % 10 else f"10.4.7.{number}"))
    assert model.opinion(off_node(201, "10.4.8.9")) is None


def test_a_token_of_an_unknown_node_is_not_compared():
    model = credential.Credential()
    for number in range(200):
        model.learn(off_node(number))
    unknown = credential.Use("JTI=201", "token", "pod web/front", "10.0.0.2")
    assert model.opinion(unknown) is None


def moved(pods: int, relay: str = "10.9.9.9") -> credential.Credential:
    """Pods that hand their token to one place each after having used it themselves."""
    model = credential.Credential()
    for number in range(pods):
        for address in (f"10.0.0.{number}", relay):
            model.learn(credential.Use(f"JTI={number}", "token", f"pod web/{number}", address, owner_uid=f"u{number}"))
    return model


def handed_on(address: str) -> credential.Use:
    return credential.Use("JTI=last", "token", "pod web/last", address, owner_uid="last")


def test_where_tokens_are_handed_on_is_learned_and_elsewhere_stays_theft():
    model = moved(credential.RELAY_OWNERS)
    model.learn(handed_on("10.0.1.1"))
    assert model.opinion(handed_on("10.9.9.9")) is None
    assert model.opinion(handed_on("10.9.9.8")).nats > credential.MISMATCH_NATS


def test_fewer_moves_make_no_relay():
    model = moved(credential.RELAY_OWNERS - 1)
    model.learn(handed_on("10.0.1.1"))
    assert model.opinion(handed_on("10.9.9.9")) is not None


def test_relays_survive_a_checkpoint_and_are_bounded(monkeypatch):
    monkeypatch.setattr(credential, "MAX_RELAYS", 1)
    model = moved(credential.RELAY_OWNERS)
    again = credential.Credential()
    again.load(model.dump())
    again.learn(handed_on("10.0.1.1"))
    assert again.opinion(handed_on("10.9.9.9")) is None
    for address in ("10.1.0.1", "10.1.0.2"):
        model.learn(handed_on(address))
    assert len(model.dump()[6]) == 1


NODE = "10.20.0.11"


def beside(number: int, address: str) -> credential.Use:
    return credential.Use(
        f"JTI={number}", "token", f"pod web/{number}", address, owner_uid=f"u{number}", node_addresses=(NODE,)
    )


def hosted(pods: int) -> credential.Credential:
    """Pods beside an API server, each of which calls from its node's address and from its own."""
    model = credential.Credential()
    for number in range(pods):
        for address in (NODE, f"10.0.0.{number}"):
            model.learn(beside(number, address))
    return model


@pytest.mark.parametrize("order", [(NODE, "10.0.0.77"), ("10.0.0.77", NODE)], ids=["node first", "own first"])
def test_where_pods_call_from_two_addresses_the_other_of_the_two_is_learned(order):
    model = hosted(credential.HOSTED_OWNERS)
    for address in (*order, *order):
        assert model.opinion(beside(99, address)) is None
        model.learn(beside(99, address))
    assert model.opinion(beside(99, "10.0.0.78")).nats > credential.MISMATCH_NATS


@pytest.mark.parametrize("address", ["10.0.0.1", "10.20.0.99", "203.0.113.7"], ids=["a pod", "a host", "outside"])
def test_a_token_at_its_node_may_not_move_to_another_pod_nor_where_no_pods_are(address):
    model = hosted(credential.HOSTED_OWNERS)
    model.learn(beside(99, NODE))
    assert model.opinion(beside(99, address)).nats > credential.MISMATCH_NATS


def test_where_few_pods_call_from_two_addresses_a_move_from_the_node_is_told():
    model = hosted(credential.HOSTED_OWNERS - 1)
    model.learn(beside(99, NODE))
    assert model.opinion(beside(99, "10.0.0.77")) is not None


def test_that_pods_call_from_two_addresses_survives_a_checkpoint():
    again = credential.Credential()
    again.load(hosted(credential.HOSTED_OWNERS).dump())
    again.learn(beside(99, NODE))
    assert again.opinion(beside(99, "10.0.0.77")) is None


def test_an_ended_pod_is_told_wherever_its_token_is_used():
    model = hosted(credential.HOSTED_OWNERS)
    model.learn(beside(99, NODE))
    ended = credential.Use(
        "JTI=99", "token", "pod web/99", NODE, owner_uid="u99", node_addresses=(NODE,), owner_gone=True
    )
    assert model.opinion(ended) is not None
