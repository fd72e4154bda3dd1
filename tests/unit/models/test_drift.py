"""When a namespace drifts, when it does not, and when it comes to rest."""

from __future__ import annotations

import random

import msgspec
import pytest

from riverwatch.features import catalog
from riverwatch.models import base, drift


def part(feature: str) -> base.Surprise:
    return base.Surprise("novelty", feature, "x", 3.0, 1, 0.0, (), (), 1)


def live(subject: drift.Drift, shares: dict[str, float], *, batches: int, home: str = "web", seed: int = 1) -> None:
    rng = random.Random(seed)
    for number in range(batches * drift.BATCH):
        parts = [part(feature) for feature, share in shares.items() if rng.random() < share]
        subject.feed(home, parts, time_s=1_000.0 + number)


@pytest.mark.parametrize(
    ("before", "after", "features"),
    [
        pytest.param({"agent": 0.01}, {"agent": 0.01}, (), id="nothing changes"),
        pytest.param({"agent": 0.01}, {"agent": 0.25}, ("agent",), id="new client software everywhere"),
        pytest.param({"agent": 0.3}, {"agent": 0.02}, (), id="it becomes calmer"),
        pytest.param({"action": 0.2}, {"action": 0.22}, (), id="a lively namespace stays lively"),
        pytest.param(
            {}, {"action": 0.2, "network": 0.3}, ("action", "network"), id="a move to another network and other work"
        ),
        pytest.param({"agent": 0.3}, {"agent": 0.9}, ("agent",), id="a lively attribute becomes all new"),
    ],
)
def test_drift_is_a_lasting_rise_of_what_is_new(before, after, features):
    subject = drift.Drift()
    live(subject, before, batches=20)
    assert not subject.of("web").drifted
    live(subject, after, batches=4, seed=2)
    assert subject.of("web").features == features
    assert subject.drifted() == (["web"] if features else [])


def test_a_young_namespace_does_not_drift():
    subject = drift.Drift()
    live(subject, {}, batches=2)
    live(subject, {"agent": 0.9}, batches=drift.MIN_BATCHES - 3)
    assert not subject.of("web").drifted


def test_an_hour_that_is_new_to_everybody_is_no_drift():
    subject = drift.Drift()
    live(subject, {}, batches=30)
    live(subject, {"hour": 0.9}, batches=8)
    assert not subject.of("web").drifted


def test_one_burst_is_no_drift():
    subject = drift.Drift()
    live(subject, {"agent": 0.01}, batches=30)
    live(subject, {"agent": 0.1}, batches=1)
    live(subject, {"agent": 0.01}, batches=3)
    assert not subject.of("web").drifted


def test_a_lasting_change_is_relearned_and_comes_to_rest():
    subject = drift.Drift()
    live(subject, {"network": 0.01}, batches=20)
    live(subject, {"network": 0.3}, batches=5)
    noticed = subject.of("web")
    assert noticed.drifted
    assert noticed.since_s is not None
    live(subject, {"network": 0.3}, batches=200)
    assert subject.of("web") == drift.State(batches=225)


def test_namespaces_are_apart():
    subject = drift.Drift()
    for home in ("web", "shop"):
        live(subject, {"agent": 0.01}, batches=20, home=home)
    live(subject, {"agent": 0.5}, batches=4, home="shop")
    assert subject.drifted() == ["shop"]


def test_nothing_is_judged_inside_a_batch():
    subject = drift.Drift()
    live(subject, {}, batches=20)
    for _ in range(drift.BATCH - 1):
        subject.feed("web", [part("agent")], time_s=1.0)
    assert subject.of("web") == drift.State(batches=20)


def test_what_is_not_an_attribute_is_passed_over():
    subject = drift.Drift()
    subject.feed("web", [part("credential")], time_s=1.0)
    assert subject.of("web") == drift.State()


def test_state_survives_plain_data_in_mid_batch():
    first, second = drift.Drift(), drift.Drift()
    live(first, {"agent": 0.02}, batches=20)
    first.feed("web", [part("agent")], time_s=5.0)
    second.load(msgspec.msgpack.decode(msgspec.msgpack.encode(first.dump())))
    for subject in (first, second):
        live(subject, {"agent": 0.3}, batches=4)
    assert first.dump() == second.dump()
    assert second.of("web").drifted


def test_figures_of_other_attributes_are_dropped():
    subject = drift.Drift()
    live(subject, {}, batches=3)
    stored = subject.dump()
    for watch in stored.values():
        for name in ("fresh", "recent", "usual", "over"):
            watch[name] = watch[name][: len(catalog.NAMES) - 1]
    subject.load(stored)
    assert subject.of("web") == drift.State()


def test_memory_is_bounded():
    subject = drift.Drift()
    for number in range(drift.MAX_NAMESPACES + 5):
        subject.feed(f"ns-{number}", (), time_s=1.0)
    assert len(subject.dump()) == drift.MAX_NAMESPACES
    assert "ns-0" not in subject.dump()
