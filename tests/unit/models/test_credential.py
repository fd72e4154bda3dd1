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
