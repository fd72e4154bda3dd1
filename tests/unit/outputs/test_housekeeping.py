"""Ages of ThreatDetections: expire, delete, leave alone."""

from __future__ import annotations

import pytest

from riverwatch import clock
from riverwatch.outputs import housekeeping, ledger

DAY_S = 86_400.0
AGES = housekeeping.Ages(open_s=14 * DAY_S, closed_s=7 * DAY_S)


def row(phase: str, age_days: float) -> ledger.Row:
    return ledger.Row("web", "a", 2, 50.0, 100 * DAY_S - age_days * DAY_S, phase, "")


@pytest.mark.parametrize(
    ("phase", "age_days", "chore"),
    [
        pytest.param("Open", 13.9, None, id="open and seen lately"),
        pytest.param("Open", 14.1, housekeeping.Chore.EXPIRE, id="open and silent"),
        pytest.param("Acknowledged", 300, None, id="acknowledged is a person's business"),
        pytest.param("Resolved", 6.9, None, id="closed lately"),
        pytest.param("Resolved", 7.1, housekeeping.Chore.DELETE, id="closed long ago"),
        pytest.param("Expired", 22, housekeeping.Chore.DELETE, id="expired long ago"),
    ],
)
def test_chore_follows_phase_and_age(phase, age_days, chore):
    found = housekeeping.chores([row(phase, age_days)], ages=AGES, now_s=100 * DAY_S)

    assert [one for one, _ in found] == ([chore] if chore else [])


def test_one_round_is_bounded():
    rows = [row("Resolved", 30)] * 1_000

    assert len(housekeeping.chores(rows, ages=AGES, now_s=100 * DAY_S)) == housekeeping.PER_ROUND


@pytest.fixture
def keeper(api_client, fake_clock) -> housekeeping.Housekeeper:
    return housekeeping.Housekeeper(api_client, ledger.Ledger(cap=10), ages=AGES, time=fake_clock)


def store(memory_api, fake_clock, name: str, phase: str, age_days: float, *, ours: bool = True) -> str:
    path = f"/apis/riverwatch.dev/v1alpha1/namespaces/web/threatdetections/{name}"
    labels = {"app.kubernetes.io/managed-by": "riverwatch"} if ours else {}
    memory_api.objects[path] = {
        "metadata": {"name": name, "namespace": "web", "labels": labels},
        "spec": {"severity": "Low", "lastSeen": clock.rfc3339(fake_clock.now_s() - age_days * DAY_S)},
        "status": {"phase": phase, "count": 3},
    }
    return path


def test_tidy_expires_and_deletes(keeper, memory_api, fake_clock):
    silent = store(memory_api, fake_clock, "rw-silent", "Open", 20)
    old = store(memory_api, fake_clock, "rw-old", "Resolved", 20)
    fresh = store(memory_api, fake_clock, "rw-fresh", "Open", 1)
    foreign = store(memory_api, fake_clock, "other", "Resolved", 500, ours=False)

    assert keeper.tidy() == 2
    assert memory_api.objects[silent]["status"] == {"phase": "Expired", "count": 3}
    assert old not in memory_api.objects
    assert memory_api.objects[fresh]["status"]["phase"] == "Open"
    assert foreign in memory_api.objects


def test_refused_chore_does_not_stop_the_others(keeper, memory_api, fake_clock):
    store(memory_api, fake_clock, "rw-a", "Resolved", 30)
    gone = store(memory_api, fake_clock, "rw-b", "Resolved", 20)
    memory_api.fail(403, "Forbidden", when=lambda method, path: path.endswith("rw-a") and method == "DELETE")

    assert keeper.tidy() == 1
    assert gone not in memory_api.objects


def test_only_detections_that_had_time_for_their_event_count_as_announced(keeper, memory_api, fake_clock):
    store(memory_api, fake_clock, "rw-old", "Open", 1)
    store(memory_api, fake_clock, "rw-new", "Open", 0)

    assert keeper.announced(keeper.refresh()) == ["old"]
