"""A process that is killed while it appends loses nothing that it took, and doubles nothing."""

import pathlib
import random
import signal
import subprocess
import sys

import pytest
import spool_writer

from riverwatch.state import spool

KILLS = 10
"""Per durability."""


def numbers_in(folder: pathlib.Path) -> tuple[list[int], spool.Counts]:
    one = spool.Spool(folder)
    found = []
    for _, payload in one.read_from():
        number = int.from_bytes(payload[:8], "big")
        assert payload == spool_writer.batch(number)
        found.append(number)
    one.close()
    return found, one.counts


def append_until_killed(folder: pathlib.Path, durability: str, *, first: int, batches: int) -> int:
    """Return the last number that was taken, as far as the writer could say."""
    with subprocess.Popen(
        [sys.executable, str(pathlib.Path(spool_writer.__file__)), str(folder), durability, str(first)],
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        for _ in range(batches):
            assert writer.stdout.readline(), "the writer ended by itself"
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
    whole = rest[: rest.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else first + batches - 1


@pytest.mark.parametrize("durability", ["process", "machine"])
def test_nothing_taken_is_lost_or_doubled(tmp_path: pathlib.Path, durability: str) -> None:
    rng = random.Random(5)
    first = 0
    for _ in range(KILLS):
        taken = append_until_killed(tmp_path, durability, first=first, batches=rng.randrange(1, 60))
        found, counts = numbers_in(tmp_path)
        assert found[: taken + 1] == list(range(taken + 1))
        assert len(found) <= taken + 2, "at most the batch that was being taken"
        assert (counts.damaged_frames, counts.damaged_segments) == (0, 0)
        assert counts.torn_tails <= KILLS
        first = len(found)
