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
