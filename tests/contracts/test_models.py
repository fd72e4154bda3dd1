"""What every model promises; runs over all of them, from each model's card."""

from __future__ import annotations

import copy
import math
import random

import msgspec
import pytest
from river import base as river_base

from riverwatch import testing
from riverwatch.features import catalog
from riverwatch.models import BENCHED, CARDS, credential, novelty, ranker, sequence

SUBJECTS = {
    "novelty": lambda: novelty.Novelty(catalog.NAMES),
    "credential-binding": credential.Credential,
    "sequence": sequence.Sequence,
}
INTERFACES = {ranker.CARD.name}


def sample(seed: int, count: int = 400) -> list[dict[str, object]]:
    rng = random.Random(seed)
    return [
        {
            "identity": f"sa-{rng.randrange(5)}",
            "siblings": f"group-{rng.randrange(2)}",
            "time_s": testing.START_S + 30.0 * number,
            "credential": f"JTI={number % 20}",
            "kind": "token",
            "owner": "pod web/front",
            "address": f"10.0.0.{number % 20}",
        }
        | {name: f"{name}-{rng.randrange(4)}" for name in catalog.NAMES}
        for number in range(count)
    ]


@pytest.fixture(params=sorted(SUBJECTS))
def model(request):
    return SUBJECTS[request.param]()


def trained(model, seed: int = 1):
    for x in sample(seed):
        model.score_one(x)
        model.learn_one(x)
    return model


def test_every_card_has_a_subject():
    assert {card.name for card in (*CARDS, *BENCHED)} - INTERFACES == set(SUBJECTS)


def test_is_a_river_anomaly_detector(model):
    assert isinstance(model, river_base.AnomalyDetector)


def test_scores_stay_in_bounds_and_finite(model):
    for x in sample(2):
        score = model.score_one(x)
        assert 0.0 <= score <= 1.0
        assert math.isfinite(score)
        model.learn_one(x)


def test_works_before_the_first_learn(model):
    assert 0.0 <= model.score_one(sample(3)[0]) <= 1.0


def test_scoring_changes_nothing(model):
    trained(model)
    probe = sample(4, 50)
    before = [model.score_one(x) for x in probe]
    for x in sample(5):
        model.score_one(x)
    assert [model.score_one(x) for x in probe] == before


def test_key_order_is_irrelevant(model):
    trained(model)
    for x in sample(6, 50):
        assert model.score_one(dict(reversed(x.items()))) == model.score_one(x)


def test_vanished_and_unknown_keys_do_not_crash(model):
    trained(model)
    for x in sample(7, 20):
        model.learn_one({key: value for key, value in x.items() if key not in {"action", "address"}})
        assert 0.0 <= model.score_one(x | {"something-new": 1.0}) <= 1.0


def test_the_same_stream_gives_the_same_scores():
    for make in SUBJECTS.values():
        first, second = trained(make()), trained(make())
        assert [first.score_one(x) for x in sample(8)] == [second.score_one(x) for x in sample(8)]


def test_a_habit_is_less_strange_than_a_break_with_it(model):
    for x in habit():
        model.learn_one(x)
    usual, strange = BREAKS[model_name(model)]
    assert model.score_one(habit()[-1] | strange) > model.score_one(habit()[-1] | usual)


def habit() -> list[dict[str, object]]:
    """Four actions over and over, three seconds apart, from one place."""
    return [
        sample(1, 1)[0]
        | dict.fromkeys(catalog.NAMES, "usual")
        | {"action": f"action-{number % 4}", "time_s": testing.START_S + 3.0 * number}
        for number in range(400)
    ]


BREAKS = {
    "novelty": ({}, dict.fromkeys(catalog.NAMES, "never-seen")),
    "credential-binding": ({}, {"address": "203.0.113.9"}),
    "sequence": ({"action": "action-0"}, {"action": "action-1"}),
}
"""What goes on with the habit after its last record, and what breaks with it."""


def test_a_copy_goes_its_own_way(model):
    trained(model)
    probe = sample(9, 50)
    before = [model.score_one(x) for x in probe]
    other = copy.deepcopy(model)
    for x in sample(10):
        other.learn_one(x)
    assert [model.score_one(x) for x in probe] == before


def test_a_clone_starts_cold(model):
    trained(model)
    clone = model.clone()
    assert [clone.score_one(x) for x in sample(11, 20)] == [
        type(model)(**model._get_params()).score_one(x) for x in sample(11, 20)
    ]


def test_memory_is_bounded_under_ever_new_values(model):
    sizes = []
    template = sample(12, 1)[0]
    for block in range(3):
        for number in range(3_000):
            key = block * 3_000 + number
            x = template | {name: f"{name}-{key}" for name in catalog.NAMES}
            time_s = testing.START_S + 900.0 * key
            model.learn_one(x | {"time_s": time_s, "credential": f"JTI={key % 500}", "address": f"10.0.{key}"})
        sizes.append(len(msgspec.msgpack.encode(model.dump())))
    assert sizes[2] <= sizes[1] * 1.05


def test_state_survives_plain_data(model):
    trained(model)
    data = msgspec.msgpack.decode(msgspec.msgpack.encode(model.dump()), strict=False)
    restored = SUBJECTS[model_name(model)]()
    restored.load(data)
    assert [restored.score_one(x) for x in sample(13)] == [model.score_one(x) for x in sample(13)]


def model_name(model) -> str:
    return next(name for name, make in SUBJECTS.items() if type(make()) is type(model))
