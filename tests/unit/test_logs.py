"""Log lines: JSON, allowed keys only, chatty libraries once in a while."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from riverwatch import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.set_up("info", stream=out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_holds_allowed_keys_only(stream):
    logging.getLogger("riverwatch.x").info("seen", extra={"object": "web/a", "token": "secret-token"})

    assert lines(stream)[0]["object"] == "web/a"
    assert "secret-token" not in stream.getvalue()


def test_long_values_are_cut(stream):
    logging.getLogger("riverwatch.x").info("seen", extra={"cause": "x" * 10_000})

    assert len(lines(stream)[0]["cause"]) == 2_000


def test_fault_carries_its_traceback(stream):
    try:
        {}["metadata"]
    except KeyError:
        logging.getLogger("riverwatch.x").exception("failed")

    assert "KeyError" in lines(stream)[0]["traceback"]


def test_library_repeats_itself_only_once_in_a_while(fake_clock):
    sparing = logs.Sparing(fake_clock)

    def passes(name: str, level: int) -> bool:
        return sparing.filter(logging.LogRecord(name, level, "", 0, "again", None, None))

    assert [passes("kopf.clients", logging.ERROR) for _ in range(5)] == [True, False, False, False, False]
    assert all(passes("riverwatch.x", logging.ERROR) for _ in range(5))
    fake_clock.advance(logs.SPARING_S)
    record = logging.LogRecord("kopf.clients", logging.ERROR, "", 0, "again", None, None)
    assert sparing.filter(record)
    assert record.left == 4
