"""The weights of a case: which circumstances hold, what they make of it, and what is said about them."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.models import base
from riverwatch.scoring import cases, circumstances

DAY_S = 86_400.0
PROGRAM = "system:serviceaccount:web:front"
PERSON = "ann@example.com"
NODE = "system:node:worker-1"
CLOUD = "deployer@project.iam.gserviceaccount.com"


def part(feature: str, observed: str = "x", nats: float = 5.0, **changes) -> base.Surprise:
    fields = {"model": "novelty", "bursts": 9, "age_s": DAY_S, "usual": (), "unseen_in": (), "siblings": 0}
    return base.Surprise(feature=feature, observed=observed, nats=nats, **{**fields, **changes})


def weigh(*parts: base.Surprise, strange=(), age_s: float = DAY_S, **record) -> circumstances.Weight:
    activity = normalise.from_audit(testing.audit_record(**record))
    held = {one.feature: one.nats for one in parts} | dict.fromkeys(strange, 5.0)
    return circumstances.weigh(activity, held, parts, (), age_s=age_s)


def factor(**given) -> float:
    return weigh(**given).factor


LIKE_THE_OTHERS = part("object", "secrets web/a-tls", usual=(("secrets shop/b-tls", 5), ("secrets blog/c-tls", 2)))
OTHERWISE = part("object", "secrets web/a-key", usual=(("secrets shop/b-tls", 5), ("secrets blog/c-tls", 2)))

MORE = {
    "a program, not a person": ({"user": PROGRAM}, {"user": PERSON}),
    "a cloud's account is a program": ({"user": CLOUD}, {"user": PERSON}),
    "read, not refused": ({"user": PROGRAM}, {"user": PROGRAM, "code": 403}),
    "read, not written": ({"user": PROGRAM}, {"user": PROGRAM, "verb": "patch"}),
    "there, not missing": ({"user": PERSON}, {"user": PERSON, "code": 404}),
    "patched, not made": ({"user": PERSON, "verb": "patch"}, {"user": PERSON, "verb": "create"}),
    "a person elsewhere": ({"user": PERSON, "strange": ("network",)}, {"user": PERSON}),
    "a person with the usual client": ({"user": PERSON}, {"user": PERSON, "strange": ("agent",)}),
    "a program with another client": ({"user": PROGRAM, "strange": ("agent",)}, {"user": PROGRAM}),
    "a program on its node": ({"user": PROGRAM}, {"user": PROGRAM, "strange": ("network",)}),
    "an unusual hour": ({"user": PERSON, "strange": ("hour",)}, {"user": PERSON}),
    "a person's logs": (
        {"user": PERSON, "resource": "pods", "subresource": "log"},
        {"user": PERSON, "resource": "pods"},
    ),
    "a program with a script": (
        {"user": PROGRAM, "user_agent": "python-requests/2.32"},
        {"user": PROGRAM, "user_agent": "front/v1.2 (linux/amd64)"},
    ),
    "a program that asks what it may do": (
        {"user": PROGRAM, "verb": "create", "resource": "selfsubjectrulesreviews"},
        {"user": PROGRAM, "verb": "create", "resource": "subjectaccessreviews"},
    ),
    "a program in another's namespace": ({"user": PROGRAM, "namespace": "shop"}, {"user": PROGRAM, "namespace": "web"}),
    "a program in a namespace, not in all": (
        {"user": PROGRAM, "verb": "list", "namespace": "shop"},
        {"user": PROGRAM, "verb": "list", "namespace": None},
    ),
    "a program that keeps no Secrets": (
        {"user": PROGRAM, "verb": "patch", "resource": "configmaps"},
        {"user": PROGRAM, "verb": "patch", "resource": "secrets"},
    ),
    "a program with an object of its own": ({"user": PROGRAM, "strange": ("object",)}, {"user": PROGRAM}),
    "a person who was let in": ({"user": PERSON, "verb": "patch"}, {"user": PERSON, "verb": "patch", "code": 403}),
    "a person elsewhere with another client": (
        {"user": PERSON, "strange": ("network", "agent")},
        {"user": PERSON, "strange": ("agent",)},
    ),
    "a program in a pod, not a person": (
        {"user": PROGRAM, "resource": "pods", "subresource": "exec", "verb": "create"},
        {"user": PERSON, "resource": "pods", "subresource": "exec", "verb": "create"},
    ),
}


@pytest.mark.parametrize(("heavy", "light"), MORE.values(), ids=MORE)
def test_what_weighs_more(heavy, light):
    assert factor(**heavy) > factor(**light)


def test_a_credential_that_left_its_place_is_no_move_of_its_pod():
    moved = factor(user=NODE, strange=("network",))
    assert factor(user=NODE, strange=("network", "credential")) > moved
    assert factor(user=NODE, strange=("network", "zone")) > moved


def test_a_name_that_ends_like_the_usual_ones_weighs_less():
    assert weigh(LIKE_THE_OTHERS, user=PROGRAM).factor < weigh(OTHERWISE, user=PROGRAM).factor
    assert weigh(LIKE_THE_OTHERS, user=PERSON).factor == weigh(OTHERWISE, user=PERSON).factor


def test_much_at_once_is_less_strange_of_programs_still_than_of_people():
    much = part("volume", "64 or more writes in 1 hour")
    program, person = (weigh(much, user=user).factor / weigh(user=user).factor for user in (PROGRAM, PERSON))
    assert program < person < 1.0


@pytest.mark.parametrize("subresource", ["log", "portforward"])
def test_much_of_what_gathers_data_is_no_less_strange_of_people(subresource):
    much = part("volume", "16 or more in 10 minutes")
    inside = {"user": PERSON, "resource": "pods", "subresource": subresource}
    assert weigh(much, **inside).factor >= weigh(**inside).factor


@pytest.mark.parametrize("record", [{"user": PROGRAM}, {"user": PERSON, "verb": "create"}])
def test_at_first_nobody_knows_what_is_seldom(record):
    first, half, known = (factor(age_s=age_s, **record) for age_s in (0.0, DAY_S / 2, DAY_S))
    assert first == 1.0
    assert half == pytest.approx(known**0.5)
    assert known == factor(age_s=9 * DAY_S, **record)


def test_only_what_speaks_for_the_outcome_is_told():
    told = weigh(user=PROGRAM, namespace="blog", strange=("network", "hour")).because
    assert told == (
        "a program read other things or more than ever",
        "it was an unusual hour",
        "programs seldom do anything new",
    )
    assert weigh(user=PERSON, verb="create", strange=("hour",)).because == ("something was made, as every day",)


def test_every_weight_is_bounded():
    least = factor(user=PERSON, verb="create", code=404, strange=("agent",))
    assert least >= circumstances.LEAST_WEIGHT
    assert all(0.2 < one.weight < 5.0 and one.weight != 1.0 for one in circumstances.TABLE)


def test_the_ordinary_makes_a_case_neither_lighter_nor_heavier():
    """What was made counts as what was made, also when something harmless is read after it."""
    case, made, read = cases.Case("someone", 0.0, 0.0), circumstances.Weight(0.5, ("made",)), circumstances.Weight(2.0)
    strong, weak = part("action", "create roles", 12.0), part("object", "secrets web/tls", 0.5)
    assert case.count([strong], 1.0, made) == pytest.approx(6.0)
    assert case.count([weak], 1.0, read) == pytest.approx(1.0)
    assert case.nats == pytest.approx(6.0 + cases.FADE * 1.0)
    assert case.weight == made


@pytest.mark.parametrize(
    ("who", "strange", "whole"),
    [
        (PERSON, ("network", "hour"), circumstances.ALONE),
        (PERSON, ("network", "hour", "object"), 1.0),
        (PERSON, ("network", "zone"), 1.0),
        (PROGRAM, ("network",), 1.0),
    ],
    ids=["place and hour", "an object, too", "from outside", "a program"],
)
def test_a_persons_case_is_lighter_while_only_where_and_when_are_new(who, strange, whole):
    assert weigh(user=who, strange=strange).whole == whole


def test_a_case_grows_by_what_was_done_in_another_place():
    case = cases.Case(PERSON, 0.0, 0.0)
    activity = normalise.from_audit(testing.audit_record(user=PERSON))
    case.take([part("network", nats=4.0)], activity, (), age_s=DAY_S)
    alone = case.nats
    case.take([part("object", nats=2.0)], activity, (), age_s=DAY_S)
    assert case.nats > alone / circumstances.ALONE
