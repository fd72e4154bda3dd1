"""Software that calls itself by another version does new things, and so does nobody else."""

from __future__ import annotations

import json

import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.scoring import upgrades

DAY_S = 86_400.0
OPERATOR = "system:serviceaccount:kafka:operator"


def call(day: float, version: str, *, user: str = OPERATOR, product: str = "operator", code: int = 200):
    agent = f"{product}/{version} (linux/amd64)" if version else product
    one = testing.audit_record(time_s=testing.START_S + day * DAY_S, user=user, user_agent=agent, code=code)
    return normalise.from_audit(one)


def seen(*activities) -> upgrades.Upgrades:
    found = upgrades.Upgrades()
    for activity in activities:
        found.see(activity)
    return found


def test_another_version_explains_for_a_day():
    found = seen(call(0, "v1.0"), call(9, "v1.1"))
    assert found.explains(call(9.9, "v1.1")) == upgrades.ANOTHER_VERSION
    assert not found.explains(call(10.1, "v1.1"))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param([call(0, "v1.0")], call(9, "v1.0"), id="the same version"),
        pytest.param([call(9, "v1.1")], call(9, "v1.1"), id="the first version seen"),
        pytest.param([call(0, "v1.0"), call(9, "v1.1")], call(9.1, "v1.0"), id="the version of before"),
        pytest.param([call(0, "v1.0"), call(9, "v1.1")], call(9.1, "v2.0", product="curl"), id="another client"),
        pytest.param([call(0, "v1.0"), call(9, "v1.1", code=403)], call(9.1, "v1.1"), id="a version that was refused"),
        pytest.param([call(0, ""), call(9, "")], call(9.1, ""), id="no version"),
        pytest.param([call(day, f"v1.{day}") for day in range(9)], call(8.1, "v1.8"), id="replaced every day"),
    ],
)
def test_nothing_else_explains(before, now):
    assert not seen(*before).explains(now)


@pytest.mark.parametrize("user", ["mei@example.com", "system:kube-controller-manager", "system:node:n1"])
def test_people_and_the_control_plane_have_versions_of_their_own(user):
    assert not seen(call(0, "v1.0", user=user), call(9, "v1.1", user=user)).explains(call(9.1, "v1.1", user=user))


def test_two_versions_side_by_side_are_one_roll_out():
    found = seen(call(0, "v1.0"), call(9, "v1.1"), call(9.01, "v1.0"), call(9.02, "v1.1"))
    assert found.explains(call(9.1, "v1.1"))
    assert len(found.dump()) == 1


def test_state_survives_plain_data_and_is_bounded(monkeypatch):
    monkeypatch.setattr(upgrades, "MAX_CLIENTS", 2)
    found, again = seen(call(0, "v1.0"), call(9, "v1.1")), upgrades.Upgrades()
    again.load(json.loads(json.dumps(found.dump())))
    assert again.explains(call(9.1, "v1.1"))
    for number in range(3):
        again.see(call(9, "v1", user=f"{OPERATOR}-{number}"))
    assert len(again.dump()) == 2
