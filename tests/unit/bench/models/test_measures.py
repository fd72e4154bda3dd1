"""Figures of a ranking against values worked out by hand and against their definitions."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from riverwatch.bench.models import measures

CASES = [
    pytest.param([0.9, 0.8, 0.3, 0.1], [True, True, False, False], 1.0, 1.0, 2, id="perfect order"),
    pytest.param([0.1, 0.3, 0.8, 0.9], [True, True, False, False], 0.0, 5 / 12, 4, id="order upside down"),
    pytest.param([0.5, 0.5, 0.5, 0.5], [True, False, False, False], 0.5, 0.25, 4, id="all alike"),
    pytest.param([3.0, 2.0, 1.0, 0.0], [True, False, True, False], 0.75, 5 / 6, 3, id="one quiet record between"),
    pytest.param([2.0, 2.0, 1.0], [True, False, True], 0.25, 7 / 12, 3, id="a tie at the top"),
]


@pytest.mark.parametrize(("scores", "labels", "auc", "precision", "flags"), CASES)
def test_figures_equal_values_by_hand(scores, labels, auc, precision, flags):
    ranked = measures.steps(scores, labels)
    assert measures.auc(ranked) == pytest.approx(auc)
    assert measures.average_precision(ranked) == pytest.approx(precision)
    assert measures.flags_for(ranked) == flags


def test_auc_is_the_share_of_pairs_in_the_right_order():
    rng = random.Random(3)
    scores = [rng.randrange(20) / 4 for _ in range(200)]
    labels = [rng.random() < 0.2 for _ in scores]
    suspicious = [score for score, label in zip(scores, labels, strict=True) if label]
    quiet = [score for score, label in zip(scores, labels, strict=True) if not label]
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(suspicious, quiet)]
    assert measures.auc(measures.steps(scores, labels)) == pytest.approx(sum(pairs) / len(pairs))


def test_average_precision_of_different_scores_is_the_mean_precision_at_each_suspicious_record():
    rng = random.Random(4)
    labels = [rng.random() < 0.1 for _ in range(300)]
    scores = [rng.random() for _ in labels]
    ranked = [label for _, label in sorted(zip(scores, labels, strict=True), reverse=True)]
    at_each = [sum(ranked[: place + 1]) / (place + 1) for place, label in enumerate(ranked) if label]
    expected = sum(at_each) / len(at_each)
    assert measures.average_precision(measures.steps(scores, labels)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("recall", "flags"),
    [
        pytest.param(0.5, 1, id="half of two is the first"),
        pytest.param(0.51, 4, id="more than half of two is both"),
        pytest.param(0.0, 0, id="nothing asked, nothing flagged"),
    ],
)
def test_flags_are_counted_up_to_the_recall_asked(recall, flags):
    ranked = measures.steps([4.0, 3.0, 2.0, 1.0], [True, False, False, True])
    assert measures.flags_for(ranked, recall) == flags


def test_figures_without_suspicious_records_are_not_numbers():
    ranked = measures.steps([1.0, 2.0], [False, False])
    assert math.isnan(measures.auc(ranked))
    assert math.isnan(measures.average_precision(ranked))
