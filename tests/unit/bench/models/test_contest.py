"""A tiny labelled load through the whole contest."""

from __future__ import annotations

import csv
import json

import msgspec
import pytest

from riverwatch import clock, errors, testing
from riverwatch.activity import sample
from riverwatch.bench.models import candidates, contest, counters, page, peer, stream

RECORDS = 600
STOLEN = frozenset(range(400, 600, 25))


def fields(number: int) -> dict[str, object]:
    stolen = number in STOLEN
    return sample.audit_record(
        verb="list" if stolen else "get",
        resource="secrets" if stolen else "configmaps",
        namespace=f"team-{number % 3}",
        name="" if stolen else "settings",
        username=f"system:serviceaccount:team-{number % 3}:app",
        source_ip="198.51.100.7" if stolen else f"10.0.{number % 3}.9",
        user_agent="curl/8.5.0" if stolen else "app/1.0",
        time=clock.rfc3339(testing.START_S + 20.0 * number),
        audit_id=f"id-{number}",
    )


@pytest.fixture
def load(tmp_path):
    lines = [json.dumps(fields(number)) for number in range(RECORDS)]
    (tmp_path / "audit.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [["auditID", "scenario"], *([f"id-{number}", "stolen"] for number in sorted(STOLEN))]
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return tmp_path


def figures(outcome):
    return [(row.name, row.auc, row.average_precision, row.flags, row.beats) for row in outcome.rows]


@pytest.mark.slow
def test_every_candidate_is_measured_and_repeats(load):
    first = contest.run(load, with_peer=False)
    again = contest.run(load, with_peer=False)
    assert [row.name for row in first.rows] == [entry.name for entry in candidates.ENTRIES]
    assert figures(first) == figures(again)
    assert (first.records, first.counted, first.suspicious) == (RECORDS, RECORDS * 4 // 5, len(STOLEN))


@pytest.mark.slow
def test_plain_sum_ranks_theft_first_and_novelty_the_first_theft_of_each(load):
    by_name = {row.name: row for row in contest.run(load, with_peer=False).rows}
    assert by_name["plain-sum"].auc > 0.99
    assert by_name["novelty"].average_precision >= 3 / len(STOLEN)
    assert by_name["hst-windows"].auc < by_name["plain-sum"].auc


def test_plain_sum_equals_the_formula():
    points = stream_points(2)
    counted = candidates.PlainSum(bonus=1.0)
    assert counted.score(points[0]) == pytest.approx(5.0)
    counted.learn(points[0])
    # Seen once: a half for each of the four, no rarity left for the only action there is.
    assert counted.score(points[0]) == pytest.approx(4 * 0.5)


def stream_points(count):
    made = [sample.activity_of(fields(number)) for number in range(count)]
    return [stream.point_of(one, stream.measured_of(one), suspicious=False) for one in made]


def test_scores_come_before_learning():
    points = stream_points(1) * 2
    scores, _ = contest.judge(candidates.PlainSum(), points)
    assert scores[0] > scores[1] > 0


def test_numbers_lie_in_bounds():
    counted = counters.Counters()
    for point in stream_points(200):
        numbers = counted.numbers(point)
        assert len(numbers) == len(counters.NAMES)
        assert all(0.0 <= one <= 1.0 for one in numbers)
        counted.count_all(point)


def test_rows_are_read_from_the_beginning(load):
    assert contest.run(load, rows=450, with_peer=False, entries=candidates.ENTRIES[:1]).records == 450


def test_happenings_of_a_recording_are_quiet(load):
    rows = [["auditID", "kind"], ["id-500", "happening"], ["id-525", "attack"]]
    with (load / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    assert contest.run(load, with_peer=False, entries=candidates.ENTRIES[:1]).suspicious == 1


def test_labels_are_read_from_a_tree_where_there_is_no_table(load):
    (load / "labels.csv").unlink()
    episodes = [{"kind": "attack", "auditIds": ["id-500", "id-525"]}, {"kind": "happening", "auditIds": ["id-550"]}]
    (load / "labels.json").write_text(json.dumps({"episodes": episodes}), encoding="utf-8")
    assert contest.run(load, with_peer=False, entries=candidates.ENTRIES[:1]).suspicious == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda folder: (folder / "audit.jsonl").unlink(), "audit.jsonl", id="no records"),
        pytest.param(lambda folder: (folder / "labels.csv").unlink(), "labels.json", id="no labels"),
        pytest.param(
            lambda folder: (folder / "labels.csv").write_text("name\nx\n", encoding="utf-8"),
            "no column auditID",
            id="a table of something else",
        ),
        pytest.param(
            lambda folder: (folder / "labels.csv").write_text("auditID\nother\n", encoding="utf-8"),
            "belong together",
            id="labels of other records",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_said_why(load, spoil, said):
    spoil(load)
    with pytest.raises(errors.BadInputError, match=said):
        contest.run(load, with_peer=False)


def test_a_missing_peer_is_one_line(load, monkeypatch):
    monkeypatch.setenv("PATH", "")
    outcome = contest.run(load, entries=candidates.ENTRIES[:1])
    assert [row.name for row in outcome.rows] == ["plain-sum"]
    assert outcome.notes == [f"{peer.NAME}: not installed: there is no java"]
    assert page.table(outcome).splitlines()[-1] == outcome.notes[0]


def test_outcome_is_plain_data(load):
    outcome = contest.run(load, with_peer=False, entries=candidates.ENTRIES[:2])
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=contest.Outcome) == outcome
