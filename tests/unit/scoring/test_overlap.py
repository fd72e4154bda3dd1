"""What one novelty implies about another is not counted twice."""

from __future__ import annotations

import pytest

from riverwatch.models import base
from riverwatch.scoring import overlap


def surprise(feature: str, nats: float) -> base.Surprise:
    return base.Surprise("novelty", feature, "x", nats, 10, 0.0, (), (), 0)


CASES = {
    "nothing": ({}, 0.0),
    "one": ({"action": 3.0}, 3.0),
    "a new action implies its pair": ({"action": 3.0, "scope": 2.0}, 3.0),
    "a pair that is rarer than its action tells more": ({"action": 3.0, "scope": 5.0}, 5.0),
    "a new namespace implies its objects": ({"namespace": 4.0, "object": 5.0}, 5.0),
    "action and namespace are two facts": ({"action": 3.0, "namespace": 4.0, "scope": 5.0, "object": 2.0}, 7.0),
    "place and client are facts of their own": ({"action": 3.0, "network": 6.0, "agent": 5.0, "hour": 2.0}, 16.0),
    "a new action implies its refusal and the rule about it": ({"action": 3.0, "outcome": 7.0, "rule": 5.0}, 7.0),
    "the internet implies a new network": ({"network": 6.0, "zone": 4.0, "agent": 1.0}, 7.0),
}


@pytest.mark.parametrize(("nats", "expected"), CASES.values(), ids=CASES)
def test_strength(nats: dict[str, float], expected: float) -> None:
    assert overlap.strength(surprise(name, value) for name, value in nats.items()) == expected
