"""State lives where it is told to: in one folder, or checkpoints in another place and waiting batches on disk."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest

from riverwatch import errors, testing
from riverwatch.control import durable
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base


class Life:
    """One life of the durable part, without a worker."""

    def __init__(self, folder: pathlib.Path, checkpoints: str | None) -> None:
        self.memory = pipeline.Pipeline(rules=engine.RuleEngine(()))
        self.kept = durable.Durable(
            folder, checkpoints=checkpoints, every_s=300.0, memory=self.memory, time=testing.FakeClock()
        )
        self.kept.follow(unfinished=list)

    def judge(self, number: int) -> None:
        assert self.kept.queue.offer(base.Delivery(b"%d" % number, "sender", 1.0))
        taken = self.kept.queue.take(wait_s=0.0).delivery
        assert taken is not None
        assert taken.body == b"%d" % number
        one = testing.audit_record(time_s=testing.START_S + number, audit_id=f"a-{number}")
        self.memory.process([one], tally=base.Tally())

    def end(self) -> None:
        self.kept.duty().at_end()
        assert self.kept.close(within_s=60.0)


@pytest.fixture
def begin(tmp_path) -> Iterator[Callable[..., Life]]:
    lives: list[Life] = []

    def start(checkpoints: str | None = None) -> Life:
        lives.append(Life(tmp_path / "state", checkpoints))
        return lives[-1]

    yield start
    for one in lives:
        one.kept.close(within_s=60.0)


def test_without_a_place_of_their_own_checkpoints_are_in_the_folder(begin, tmp_path):
    begin().end()
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["checkpoints", "spool"]
    assert list((tmp_path / "state" / "checkpoints").glob("*.rw"))


@pytest.mark.parametrize("scheme", ["", "file://"], ids=["a folder", "a URL"])
def test_checkpoints_elsewhere_outlive_the_folder(begin, tmp_path, scheme):
    """As on another node: what was learned comes back, and what is taken from now on is judged."""
    place = f"{scheme}{tmp_path}/elsewhere"
    first = begin(place)
    for number in range(3):
        first.judge(number)
    first.end()
    assert not (tmp_path / "state" / "checkpoints").exists()
    shutil.rmtree(tmp_path / "state")
    second = begin(place)
    assert second.memory.used == 3
    second.judge(3)
    assert second.memory.used == 4
    second.end()
    third = begin(place)
    assert third.memory.used == 4
    assert third.kept.queue.take(wait_s=0.0).delivery is None


def test_a_place_of_an_unknown_kind_is_refused(begin):
    with pytest.raises(errors.BadInputError, match=r"ftp://x/y.*s3://"):
        begin("ftp://x/y")
