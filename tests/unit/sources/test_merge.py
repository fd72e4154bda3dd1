"""Files that cover the same hours are read side by side, in the order of time, and no more of them than need be."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import pathlib
from collections.abc import Iterator

import pytest

from riverwatch.activity import normalise
from riverwatch.sources import audit_file, base, decode, merge

START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


def line(server: str, second: float) -> str:
    time = (START + dt.timedelta(seconds=second)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    fields = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"{server}@{second}",
        "stage": "ResponseComplete",
        "verb": "get",
        "user": {"username": "ana"},
        "requestReceivedTimestamp": time,
    }
    return json.dumps(fields) + "\n"


def must_gather(folder: pathlib.Path) -> pathlib.Path:
    """Write what `oc adm must-gather` leaves: per server and master a current file and packed old ones."""
    for server in ("kube-apiserver", "openshift-apiserver", "oauth-apiserver"):
        place = folder / "audit_logs" / server
        place.mkdir(parents=True)
        for number in range(3):
            lines = [line(f"{server}-{number}", 30 * step + number) for step in range(120)]
            old = place / f"master-{number}-audit-2026-03-02T09-30-00.000.log.gz"
            old.write_bytes(gzip.compress("".join(lines[:60]).encode()))
            (place / f"master-{number}-audit.log.gz").write_bytes(gzip.compress("".join(lines[60:]).encode()))
        (place.parent / f"{server}.audit_logs_listing").write_text("master-0 audit.log\n")
    return folder


def read(*paths: pathlib.Path) -> tuple[list[str], list[float], base.Tally]:
    tally = base.Tally()
    records = [one for batch in audit_file.read_paths(paths, tally=tally) for one in batch.records]
    return [one.audit_id or "" for one in records], [normalise.time_of(one) for one in records], tally


def test_a_gathered_folder_is_read_once_in_the_order_of_time(tmp_path: pathlib.Path) -> None:
    ids, times, _ = read(must_gather(tmp_path))

    assert len(ids) == len(set(ids)) == 3 * 3 * 120
    assert all(later > earlier - 2 * merge.SLACK_S for earlier, later in itertools.pairwise(times))


def test_lines_with_the_name_of_their_node_are_read(tmp_path: pathlib.Path) -> None:
    lines = [f"master-{number % 3} {line('kube', number)}" for number in range(30)]
    (tmp_path / "node-logs.txt").write_text("".join(lines))

    ids, _, tally = read(tmp_path / "node-logs.txt")

    assert len(ids) == 30
    assert not tally.skipped


def series(*files: list[float], opened: list[int] | None = None) -> list[merge.Series]:
    def batches(number: int, seconds: list[float]) -> Iterator[base.Batch]:
        if opened is not None:
            opened.append(number)
        decoder = decode.RecordDecoder(tally=base.Tally())
        for start in range(0, len(seconds), 3):
            text = "".join(line(f"f{number}", second) for second in seconds[start : start + 3])
            yield base.Batch(decoder.body(text.encode(), where=""), f"f{number}:{start + 1}")

    first = START.timestamp()
    return [
        merge.Series(first + seconds[0] if seconds else float("inf"), batches(number, seconds))
        for number, seconds in enumerate(files)
    ]


def ids_of(batches: Iterator[base.Batch]) -> list[str]:
    return [one.audit_id or "" for batch in batches for one in batch.records]


CASES: dict[str, tuple[list[list[float]], str]] = {
    "side by side": ([[0, 10, 20], [5, 15, 25]], "f0@0 f1@5 f0@10 f1@15 f0@20 f1@25"),
    "one after the other": ([[100, 110], [0, 10]], "f1@0 f1@10 f0@100 f0@110"),
    "one within another": ([[0, 100, 200, 300], [120, 130]], "f0@0 f0@100 f1@120 f1@130 f0@200 f0@300"),
    "same time": ([[0, 10], [0, 10]], "f0@0 f1@0 f1@10 f0@10"),
    "an empty one": ([[], [0, 10]], "f1@0 f1@10"),
    "out of order within a batch": ([[0, 30, 10], [20]], "f0@0 f0@30 f0@10 f1@20"),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES)
def test_order(files: list[list[float]], expected: str) -> None:
    assert ids_of(merge.by_time(series(*files))) == expected.split()


def test_a_file_is_opened_when_the_others_have_come_to_it() -> None:
    opened: list[int] = []
    batches = merge.by_time(series([0.0, 1.0, 2.0], [500.0], opened=opened))

    next(batches)
    assert opened == [0]
    assert ids_of(batches) == ["f1@500.0"]
    assert opened == [0, 1]


def test_more_files_than_may_be_open_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "MAX_OPEN", 2)

    found = ids_of(merge.by_time(series(*[[float(number), 100.0] for number in range(7)])))

    assert sorted(found) == sorted(f"f{number}@{second}" for number in range(7) for second in (float(number), 100.0))


def test_batches_of_one_file_go_on_as_they_are() -> None:
    wheres = [batch.where for batch in merge.by_time(series([float(number) for number in range(9)]))]

    assert wheres == ["f0:1", "f0:4", "f0:7"]


def test_no_batch_is_empty_and_long_runs_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "BATCH_RECORDS", 4)
    sizes = [len(batch.records) for batch in merge.by_time(series([0, 10, 20, 30, 40], [5, 15, 25, 35, 45]))]

    assert sum(sizes) == 10
    assert all(1 <= size <= 6 for size in sizes)
