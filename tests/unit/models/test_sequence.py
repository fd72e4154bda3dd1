"""Order of actions: what is known, what a pause does, how much memory it takes."""

from __future__ import annotations

import random

import pytest

from riverwatch.bench.models import footprint
from riverwatch.models import sequence

STEPS = ("list pods", "get configmaps", "patch deployments.apps", "get secrets")


def taught(rounds: int = 100, *, identity: str = "web", siblings: str = "") -> sequence.Sequence:
    model = sequence.Sequence()
    teach(model, rounds, identity=identity, siblings=siblings)
    return model


def teach(model: sequence.Sequence, rounds: int, *, identity: str, siblings: str = "") -> None:
    for number in range(rounds * len(STEPS)):
        model.learn(identity, siblings, STEPS[number % len(STEPS)], time_s=3.0 * number)


AFTER_S = 3.0 * 400


@pytest.mark.parametrize(
    ("action", "time_s", "surprising"),
    [
        pytest.param(STEPS[0], AFTER_S, False, id="the step that always follows"),
        pytest.param(STEPS[1], AFTER_S, True, id="a known step out of order"),
        pytest.param(STEPS[3], AFTER_S, False, id="a repeat of the last step"),
        pytest.param("delete nodes", AFTER_S, False, id="a new action is the novelty model's"),
        pytest.param("", AFTER_S, False, id="no action"),
    ],
)
def test_surprise_is_about_order(action, time_s, surprising):
    assert (taught().nats("web", action, time_s=time_s) > 1.0) is surprising


def test_a_pause_begins_a_new_sequence():
    model = taught()
    for day in range(1, 40):
        model.learn("web", "", STEPS[1], time_s=AFTER_S + 3600.0 * day)
    assert model.nats("web", STEPS[1], time_s=AFTER_S + 3600.0 * 50) == 0.0


def test_an_unknown_identity_surprises_nobody():
    assert taught().nats("other", STEPS[1], time_s=AFTER_S) == 0.0


def test_an_identity_without_order_is_less_surprising_than_one_with_it():
    rng, model = random.Random(1), taught()
    for number in range(150):
        model.learn("person", "", rng.choice([*STEPS, *(f"get thing-{n}" for n in range(30))]), time_s=5.0 * number)
    fresh = model.nats("person", "get thing-7", time_s=5.0 * 150)
    assert fresh < model.nats("web", STEPS[1], time_s=AFTER_S)


def test_a_step_that_siblings_know_is_less_surprising():
    alone, known = sequence.Sequence(), sequence.Sequence()
    for model in (alone, known):
        teach(model, 100, identity="web", siblings="chart")
        teach(model, 100, identity="web-2", siblings="chart")
    for number in range(60):
        known.learn("web-2", "chart", STEPS[(number * 3) % 4], time_s=AFTER_S + 3.0 * number)
    assert known.nats("web", STEPS[2], time_s=AFTER_S) < alone.nats("web", STEPS[2], time_s=AFTER_S)


def test_memory_of_an_identity_stays_below_two_kibibytes_whatever_it_does():
    model, count = sequence.Sequence(), 50
    empty = footprint.deep_size(model, set())
    rng = random.Random(2)
    for identity in range(count):
        for number in range(1_500):
            model.learn(f"id-{identity}", "", f"get thing-{rng.randrange(40)}", time_s=2.0 * number)
    grown = footprint.deep_size(model, set()) - empty
    assert 500 * count < grown <= 2_048 * count


def test_identities_seen_longest_ago_are_forgotten():
    model = sequence.Sequence(max_identities=3)
    for number in range(10):
        model.learn(f"id-{number}", "group", STEPS[0], time_s=float(number))
    assert model.identities == 3
    assert model.nats("id-0", STEPS[0], time_s=20.0) == 0.0


def test_filters_forget_after_two_generations():
    seen = sequence.Filter(64)
    seen.add(12345)
    assert seen.has(12345)
    rng = random.Random(3)
    for _ in range(1_000):
        seen.add(rng.getrandbits(64))
    known = sum(seen.has(rng.getrandbits(64)) for _ in range(2_000))
    assert known < 2_000 * 0.2
