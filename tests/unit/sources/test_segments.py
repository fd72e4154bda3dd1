"""A file that holds one server's hours after another's is read as the logs it is made of; every other one as it is."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import pathlib

import pytest

from riverwatch.activity import normalise
from riverwatch.sources import audit_file, base, merge, segments

START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


def stamp(second: float) -> str:
    return (START + dt.timedelta(seconds=second)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def line(name: str, second: float, *, began: float | None = None, prefix: str = "", padding: int = 0) -> str:
    fields = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": name,
        "stage": "ResponseComplete",
        "verb": "get",
        "user": {"username": "ana"},
        "userAgent": "x" * padding,
        "requestReceivedTimestamp": stamp(second if began is None else began),
        "stageTimestamp": stamp(second),
    }
    return f"{prefix}{json.dumps(fields)}\n"


def log(server: str, *, count: int = 300, step: float = 30.0, **more: object) -> list[str]:
    return [line(f"{server}-{number}", number * step, **more) for number in range(count)]  # type: ignore[arg-type]


def read(path: pathlib.Path) -> tuple[list[str], list[float]]:
    tally = base.Tally()
    records = [one for batch in audit_file.read_paths([path], tally=tally) for one in batch.records]
    assert tally.read == len(records)
    return [one.audit_id or "" for one in records], [normalise.parse_time(one.stage_timestamp or "") for one in records]


SHAPES: dict[str, tuple[list[str], int]] = {
    "one log": (log("a"), 1),
    "three logs in a row": (log("a") + log("b") + log("c"), 3),
    "three logs with the names of their nodes": (
        log("a", prefix="m-0 ") + log("b", prefix="m-1 ") + log("c", prefix="m-2 "),
        3,
    ),
    "a day after a day": ([*log("a"), line("late", 90000.0)], 1),
    "a later log whose start overlaps a little": ([*log("a"), line("b", 300 * 30 - 600.0)], 1),
    "a shell that was open for hours": (
        [*log("a", count=200), line("shell", 6_000, began=0), *[line(f"b-{n}", 6_000 + n) for n in range(200)]],
        1,
    ),
    "records over several chunks": (
        log("a", count=40, step=300, padding=40_000) + log("b", count=40, step=300, padding=40_000),
        2,
    ),
    "newest first": (log("a", count=200, step=1_000)[::-1], 1),
    "no records": (["text\n"] * 1_000, 1),
}


@pytest.mark.parametrize(("lines", "count"), SHAPES.values(), ids=SHAPES)
def test_parts(tmp_path: pathlib.Path, lines: list[str], count: int) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(lines))
    size = path.stat().st_size

    parts = segments.parts_of(path, size)

    assert len(parts) == count
    assert [parts[0].start, *(part.end for part in parts)] == [*(part.start for part in parts), size]
    assert all(path.read_bytes()[part.start - 1 : part.start] in (b"", b"\n") for part in parts)


def test_logs_in_a_row_are_read_side_by_side_and_each_record_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(log("a") + log("b") + log("c")))

    ids, times = read(path)

    assert sorted(ids) == sorted(f"{server}-{number}" for server in "abc" for number in range(300))
    assert max(earlier - later for earlier, later in itertools.pairwise(times)) <= merge.SLACK_S


def test_a_skip_says_at_which_byte_its_part_begins(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    first = "".join(log("a"))
    path.write_text(first + "".join(log("b")) + '{"kind": "broken\n')
    tally = base.Tally()

    assert sum(len(batch.records) for batch in audit_file.read_paths([path], tally=tally)) == 600
    assert [skip.where for skip in tally.recent] == [f"{path} from byte {len(first)}:301"]


def test_what_is_gone_is_one_part(tmp_path: pathlib.Path) -> None:
    assert segments.parts_of(tmp_path / "gone.log", 10) == [segments.Part(0, 10)]
