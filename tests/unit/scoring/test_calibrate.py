from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverwatch.scoring import calibrate

DAY_S = 86_400.0


def filled(*, days: int = 14, per_day: int = 40, scale: float = 2.0, seed: int = 1) -> calibrate.Calibrator:
    rng = random.Random(seed)
    calibrator = calibrate.Calibrator()
    for number in range(days * per_day):
        calibrator.add(rng.expovariate(1 / scale), time_s=number * DAY_S / per_day)
    return calibrator


def test_threshold_is_near_the_true_quantile_of_an_exponential_life():
    tail = filled(days=28).tail()
    true = 2.0 * math.log(40 / 0.2)
    assert tail.nats_at(0.2) == pytest.approx(true, rel=0.35)


def test_a_few_attacks_do_not_move_the_threshold_much():
    calm, attacked = filled(), filled()
    for number in range(4):
        attacked.add(60.0, time_s=14 * DAY_S + number)
    assert attacked.tail().nats_at(0.2) < calm.tail().nats_at(0.2) * 1.3


def test_ten_times_the_traffic_of_the_same_kind_raises_the_threshold_only_by_its_logarithm():
    calm, busy = filled(per_day=40).tail(), filled(per_day=400).tail()
    assert busy.nats_at(0.2) - calm.nats_at(0.2) < 2.0 * math.log(10) + 3.0


def test_prior_speaks_before_enough_cases():
    tail = calibrate.Calibrator().tail()
    assert tail.level == calibrate.PRIOR_LEVEL_NATS


def test_old_life_is_forgotten():
    calibrator = calibrate.Calibrator()
    for number in range(400):
        calibrator.add(30.0, time_s=number * 3_600.0)
    wild = calibrator.tail().nats_at(0.2)
    for number in range(400, 4_000):
        calibrator.add(1.0 + (number % 7) / 7, time_s=number * 3_600.0)
    assert calibrator.tail().nats_at(0.2) < wild / 2


@given(st.lists(st.floats(0, 1e6), max_size=200), st.floats(0.01, 100))
def test_threshold_is_finite_and_falls_with_the_rate(values, rate):
    calibrator = calibrate.Calibrator()
    for number, value in enumerate(values):
        calibrator.add(value, time_s=number * 60.0)
    tail = calibrator.tail()
    assert math.isfinite(tail.nats_at(rate))
    assert tail.nats_at(rate) >= tail.nats_at(rate * 2)


def test_state_survives_plain_data():
    calibrator, restored = filled(), calibrate.Calibrator()
    restored.load(calibrator.dump())
    assert restored.tail() == calibrator.tail()


def test_an_actors_cases_of_one_day_count_once_like_its_alert():
    calm, noisy = filled(), filled()
    for number in range(40):
        noisy.add(15.0 + number % 5, time_s=14 * DAY_S + number * 60.0, actor="one")
    calm.add(19.0, time_s=14 * DAY_S, actor="one")
    assert noisy.tail().nats_at(0.2) == pytest.approx(calm.tail().nats_at(0.2), rel=0.01)


def test_an_actor_that_is_odd_daily_counts_once_like_its_alert():
    epoch = calibrate.Epoch(0.0)
    for day in range(6):
        epoch.add(40.0 + day, "proxy", day * 0.9 * DAY_S)
    assert epoch.top == [45.0]


def test_the_same_actor_counts_again_after_a_quiet_day():
    epoch = calibrate.Epoch(0.0)
    for number in range(3):
        epoch.add(4.0 + number, "one", number * 1.5 * DAY_S)
    assert epoch.top == [4.0, 5.0, 6.0]


def test_the_same_actor_counts_again_after_a_week():
    epoch = calibrate.Epoch(0.0)
    for hour in range(10 * 24):
        epoch.add(5.0, "one", hour * 3_600.0)
    assert epoch.top == [5.0, 5.0]


def test_few_actors_are_no_tail():
    calibrator = calibrate.Calibrator()
    for number in range(400):
        calibrator.add(3.0, time_s=number * 10.0, actor=f"actor-{number % 3}")
    assert calibrator.tail().scale == calibrate.PRIOR_SCALE_NATS


def test_the_scale_of_an_exponential_is_found_however_large_its_largest_values_are():
    rng = random.Random(3)
    excesses = sorted((rng.expovariate(0.5) for _ in range(2_000)), reverse=True)
    assert calibrate._scale(excesses) == pytest.approx(2.0, rel=0.1)
    assert calibrate._scale([1e6] * 300 + excesses[300:]) == pytest.approx(calibrate._scale(excesses))


def test_ten_thousand_actors_are_bounded_and_none_is_counted_twice():
    rng = random.Random(5)
    calibrator = calibrate.Calibrator()
    strongest = {}
    for number in range(10_000):
        actor, nats = f"actor-{rng.randrange(4_000)}", rng.expovariate(0.5)
        strongest[actor] = max(nats, strongest.get(actor, 0.0))
        calibrator.add(nats, time_s=number / 1_000.0, actor=actor)
    epochs = calibrator._epochs
    assert all(len(epoch.top) <= calibrate.KEEP and len(epoch.actors) <= 2 * calibrate.KEEP for epoch in epochs)
    assert epochs[0].top == sorted(strongest.values())[-calibrate.KEEP :]


@pytest.mark.parametrize(("born_days", "least", "most"), [(0.0, 0.0, 0.8), (40.0, 0.9, 1.0)], ids=["young", "old"])
def test_what_was_new_to_a_young_cluster_counts_less_later(born_days, least, most):
    subject = calibrate.Calibrator()
    subject.advance(0.0)
    subject.advance(born_days / 2 * calibrate.SECONDS_PER_DAY)
    for number in range(100):
        subject.add(4.0 + number % 8, time_s=(born_days + 0.02 * number) * calibrate.SECONDS_PER_DAY)
    counted = min(calibrate.TAIL, int(subject.cases * calibrate.TAIL_SHARE)) / subject.days
    assert least <= subject.tail().rate_at_level / counted <= most


def test_looking_at_the_threshold_changes_nothing():
    watched, alone = calibrate.Calibrator(), calibrate.Calibrator()
    for number in range(200):
        for subject in (watched, alone):
            subject.add(float(number % 9), time_s=number * 3_600.0)
            subject.advance(number * 3_600.0 + 60.0)
        if number % 3:
            watched.tail()
    assert watched.tail() == alone.tail()
