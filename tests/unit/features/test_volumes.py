"""Counts in windows: powers of two are told once, different things are counted once, late records change nothing."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import normalise, record
from riverwatch.features import volumes

DAY_S = 86_400.0
START_S = 20_000 * DAY_S


def secret_read(time_s: float, name: str) -> record.Activity:
    return normalise.from_audit(testing.audit_record(time_s=time_s, resource="secrets", name=name))


def settled() -> volumes.Volumes:
    """Counts that are four days old, so that every window length may be told."""
    counts = volumes.Volumes()
    counts.count(secret_read(START_S - 4 * DAY_S, "old"))
    return counts


def said(counts: volumes.Volumes, times_s: list[float], *, same: bool = False) -> list[str]:
    told = [
        counts.count(secret_read(time_s, "one" if same else f"secret-{number}"))
        for number, time_s in enumerate(times_s)
    ]
    return [amount.text for amount in told if amount]


def test_a_burst_is_told_by_its_shortest_window() -> None:
    assert said(settled(), [START_S + second for second in range(16)]) == [
        "8 or more different secrets read in 1 minute",
        "16 or more different secrets read in 1 minute",
    ]


def test_a_trickle_is_told_by_the_window_that_it_fills() -> None:
    assert said(settled(), [START_S + 600.0 * number for number in range(8)]) == [
        "8 or more different secrets read in 1 day",
    ]


def test_the_same_secret_counts_once_as_a_different_one() -> None:
    assert said(settled(), [START_S + second for second in range(8)], same=True) == [
        "8 or more secret reads in 1 minute",
    ]


def log_read(time_s: float, namespace: str) -> record.Activity:
    log = testing.audit_record(time_s=time_s, resource="pods", subresource="log", namespace=namespace, name="a-b")
    return normalise.from_audit(log)


@pytest.mark.parametrize(("namespaces", "kind"), [(8, "namespaces whose logs were read"), (1, "logs read")])
def test_logs_of_many_namespaces_are_told_apart_from_many_of_one(namespaces, kind) -> None:
    counts, habit_s = settled(), START_S - DAY_S
    for number in range(4):
        counts.count(log_read(habit_s + number, "n0"))
    for number in range(40):
        listed = testing.audit_record(time_s=habit_s + number, verb="list", namespace=f"n{number}", name="")
        counts.count(normalise.from_audit(listed))
    told = [counts.count(log_read(START_S + 9.0 * number, f"n{number % namespaces}")) for number in range(8)]
    assert [amount.text for amount in told if amount] == [f"8 or more {kind} in 10 minutes"]


def test_a_thing_counts_again_in_the_next_window() -> None:
    windows = volumes.Windows(distinct=True)
    assert windows.add(START_S, "a") == 0b1111
    assert windows.add(START_S + 1.0, "a") == 0
    assert windows.add(START_S + 60.0, "a") == 0b0001
    assert windows.counts == [1, 1, 1, 1]


def test_a_late_record_changes_no_window_that_is_gone() -> None:
    windows = volumes.Windows(distinct=False)
    windows.add(START_S + 120.0, "")
    windows.add(START_S, "")
    assert windows.counts == [1, 2, 2, 2]


def test_things_of_yesterday_make_room() -> None:
    windows = volumes.Windows(distinct=True)
    for number in range(volumes.MAX_DISTINCT):
        windows.add(START_S, f"thing-{number}")
    assert windows.add(START_S + 1.0, "one more") == 0
    assert windows.add(START_S + DAY_S, "one more")
    assert len(windows.things or ()) == 1


def test_nothing_is_told_before_there_is_something_to_compare_with() -> None:
    counts = volumes.Volumes()
    assert said(counts, [START_S + second for second in range(16)]) == []


def test_the_identity_counted_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "MAX_IDENTITIES", 2)
    counts = volumes.Volumes()
    for name in ("a", "b", "a", "c"):
        counts.count(
            normalise.from_audit(testing.audit_record(user=f"system:serviceaccount:web:{name}", resource="secrets"))
        )
    stored = counts.dump()[1]
    assert isinstance(stored, dict)
    assert list(stored) == ["system:serviceaccount:web:a", "system:serviceaccount:web:c"]
