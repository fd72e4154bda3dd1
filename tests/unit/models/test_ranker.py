"""The re-ranker that is off."""

from __future__ import annotations

from riverwatch.models import ranker


def test_silent_counts_verdicts_and_shifts_nothing():
    silent: ranker.Reranker = ranker.Silent()
    for is_attack in (True, False, False):
        silent.learn([], is_attack=is_attack, weight=1.0)
    assert silent.labels == (1, 2)
    assert silent.shift([]) == 0.0
    again = ranker.Silent()
    again.load(silent.dump())
    assert again.labels == silent.labels
