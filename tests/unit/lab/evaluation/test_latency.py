"""Timing detections of a running operator."""

import material as m
import msgspec
import pytest

from riverwatch import errors
from riverwatch.lab.attacks import base
from riverwatch.lab.evaluation import latency


class Hands:
    """A clock that moves when it is looked at by a list."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def now_s(self) -> float:
        return self.time_s

    def monotonic_s(self) -> float:
        return self.time_s


def sent(audit_id: str, time_s: float, purpose: base.Purpose = base.Purpose.ATTACK) -> base.Sent:
    return base.Sent(audit_id, purpose, m.BOT, "", "10.0.0.1", "x", time_s, "GET", "/api", 200)


def sighting(*looks, requests) -> latency.Sighting:
    """Each look shows the next list, and the last one for ever; every look takes a second."""
    hands = Hands()
    shown = list(looks)

    def look():
        hands.time_s += 1.0
        return shown.pop(0) if len(shown) > 1 else shown[0]

    return latency.Sighting(look, requests, today=hands)


def test_times_from_the_first_request_shown_as_evidence():
    seen = m.alert("new", 1.0, ids=(("a2", 0.0), ("a3", 0.0)))
    found = sighting([], [], [seen], requests=[sent("a1", 100.0), sent("a2", 101.0), sent("a3", 102.0)])
    assert found.wait(5.0) == pytest.approx(103.0 - 101.0)


def test_sees_a_known_object_that_grew():
    old = m.alert("old", 1.0, ids=(("z", 0.0),))
    grown = msgspec.structs.replace(old, evidence=(*old.evidence, ("a1", 0.0)))
    assert sighting([old], [old], [grown], requests=[sent("a1", 100.0)]).wait(5.0) == pytest.approx(3.0)


def test_takes_a_new_object_about_the_identity_when_no_evidence_is_shown():
    assert sighting([], [m.alert("new", 1.0)], requests=[sent("a1", 100.0)]).wait(5.0) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("before", "after", "requests"),
    [
        pytest.param(
            [m.alert("old", 1.0)], [m.alert("old", 1.0)], [sent("a1", 100.0)], id="an object that was there before"
        ),
        pytest.param([], [m.alert("x", 1.0, who=m.APP)], [sent("a1", 100.0)], id="another identity"),
        pytest.param(
            [], [m.alert("x", 1.0)], [sent("a1", 100.0, base.Purpose.PREPARE)], id="nothing sent by the attack yet"
        ),
    ],
)
def test_does_not_take_anything_else(before, after, requests):
    assert sighting(before, after, requests=requests).wait(0.3) is None


def test_says_when_nothing_can_be_listed():
    looks = iter([[]])

    def look():
        for each in looks:
            return each
        raise errors.BadInputError("cannot be listed")

    found = latency.Sighting(look, [], today=Hands())
    with pytest.raises(errors.BadInputError, match="cannot be listed"):
        found.wait(5.0)


def test_summarises_what_was_seen_and_names_what_was_not():
    told = latency.summarise({"a": 1.0, "b": 3.0, "c": None})
    assert (told.attacks, told.seen, told.median_s, told.p95_s, told.missed) == (3, 2, 2.0, 3.0, ["c"])
