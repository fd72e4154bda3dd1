"""A restart in mid-stream changes nothing: the same detections byte for byte, and the same state."""

import dataclasses
import itertools
import os
import pathlib
import random
import subprocess
import sys

import checkpoint_stream
import pytest

from riverwatch import errors
from riverwatch.rules import engine, sigma
from riverwatch.runtime import memory
from riverwatch.scoring import budget
from riverwatch.state import snapshot

RULES = engine.load_catalog()
BURST = """
title: Any read of settings
id: 5c4ef8b2-8f5f-4c4c-9a43-3f1d5a2f9d01
name: settings-read
status: experimental
level: low
logsource: {product: kubernetes, service: audit}
detection: {selection: {objectRef.resource: configmaps}, condition: selection}
---
title: Many reads of settings
id: 5c4ef8b2-8f5f-4c4c-9a43-3f1d5a2f9d02
name: settings-burst
status: experimental
level: low
correlation:
  type: event_count
  rules: [settings-read]
  group-by: [user.username]
  timespan: 2d
  condition: {gte: 500}
"""
STREAM = checkpoint_stream.records()
CUTS = sorted(random.Random(11).sample(range(1, len(STREAM)), 10))


@pytest.fixture(scope="module")
def whole() -> checkpoint_stream.Run:
    run = checkpoint_stream.Run(RULES)
    run.feed(STREAM)
    return run


@dataclasses.dataclass
class Half:
    """A part of the stream that ends while something is held back from learning."""

    place: int
    raised: list[bytes]
    state: bytes


@pytest.fixture(scope="module")
def half() -> Half:
    run = checkpoint_stream.Run(RULES)
    place = CUTS[5]
    run.feed(STREAM[:place])
    while not any(case.held for case in run.pipeline.judge.cases.open.values()):
        assert place < len(STREAM), "nothing is ever held back in this stream"
        run.feed(STREAM[place : place + 1])
        place += 1
    return Half(place, run.raised, run.state())


def pieces(cuts: list[int]):
    borders = [0, *cuts, len(STREAM)]
    return [STREAM[start:end] for start, end in itertools.pairwise(borders)]


def test_the_stream_exercises_what_is_stored(whole: checkpoint_stream.Run, half: Half) -> None:
    """Otherwise the comparison below would compare nothing with nothing."""
    state = whole.pipeline.snapshot()
    assert len(whole.last) >= 10
    assert len(whole.raised) > len(whole.last)
    assert any(b"Anomaly" in one for one in whole.last.values())
    assert any(b"cluster-admin" in one for one in whole.last.values())
    assert any(case["held"] for case in snapshot.unpack(half.state)["judge"]["cases"])
    assert any(case["pairs"] for case in state["judge"]["cases"])
    assert state["judge"]["calibrator"][2]
    assert state["judge"]["budget"]["raised"]
    assert state["rules"]["seen"]
    assert state["rules"]["authors"]["writers"]
    assert any(b"carol@example.com (through kube-system/daemon-set-controller)" in one for one in whole.last.values())
    assert any(counter["groups"] for counter in state["rules"]["counters"].values())
    assert state["models"]["credentials"][0]
    assert all(home["siblings"] for name, home in state["models"]["homes"].items() if name)
    assert state["folder"]["open"]
    assert state["folder"]["links"]
    assert any(b"Correlated" in one for one in whole.last.values())
    assert state["folder"]["homes"]
    assert state["triage"]["material"]
    assert state["dedupe"][0]


def test_ten_restarts_change_nothing(whole: checkpoint_stream.Run) -> None:
    run = checkpoint_stream.Run(RULES)
    for number, piece in enumerate(pieces(CUTS)):
        if number:
            run.restart()
        run.feed(piece)
    assert run.raised == whole.raised
    assert run.last == whole.last
    assert run.state() == whole.state()


def test_a_restart_while_something_is_held_back_changes_nothing(whole: checkpoint_stream.Run, half: Half) -> None:
    run = checkpoint_stream.Run(RULES)
    run.raised = list(half.raised)
    run.pipeline.restore(snapshot.unpack(half.state))
    run.feed(STREAM[half.place :])
    assert run.raised == whole.raised
    assert run.state() == whole.state()


def test_writing_a_checkpoint_changes_nothing(whole: checkpoint_stream.Run) -> None:
    run = checkpoint_stream.Run(RULES)
    for piece in pieces(CUTS):
        run.feed(piece)
        assert run.state() == run.state()
    assert run.raised == whole.raised
    assert run.state() == whole.state()


PARTS = [part for part in checkpoint_stream.Run(RULES).pipeline._memory() if part != "inventory"]
"""The stream tells the inventory nothing; it has a test of its own below."""


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_needed(whole: checkpoint_stream.Run, half: Half, part: str) -> None:
    """Leaving out any one part is noticed, so none can be forgotten silently."""
    run = checkpoint_stream.Run(RULES)
    nothing = run.pipeline.snapshot()
    run.raised = list(half.raised)
    run.pipeline.restore({**snapshot.unpack(half.state), part: nothing[part]})
    run.feed(STREAM[half.place :])
    assert (run.raised, run.state()) != (whole.raised, whole.state())


def test_the_seed_of_hashing_changes_nothing(whole: checkpoint_stream.Run) -> None:
    """This process hashes with a seed of its own, drawn at its start unless it was told one."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "4242"
    done = subprocess.run(
        [sys.executable, str(pathlib.Path(checkpoint_stream.__file__))],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == whole.digest()


WRONG = {
    "another version": {"version": 99},
    "other models": {"model_version": "novelty-0"},
    "a missing part": {"judge": None},
    "a part of another shape": {"folder": [["key", {"uid": 3}]]},
    "models with other attributes": {"models": {"attributes": ["action"]}},
    "rules of another version": {"rules": {"version": 99}},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_state_that_cannot_be_used_is_refused_and_changes_nothing(half: Half, case: str) -> None:
    run = checkpoint_stream.Run(RULES)
    run.feed(STREAM[:500])
    before = run.state()
    with pytest.raises(errors.StateError):
        run.pipeline.restore({**snapshot.unpack(half.state), **WRONG[case]})
    assert run.state() == before


def test_parts_that_cannot_be_used_may_start_empty_alone(half: Half) -> None:
    run = checkpoint_stream.Run(RULES)
    stored = snapshot.unpack(half.state)
    empty = run.pipeline.snapshot()
    lost = run.pipeline.restore({**stored, "folder": [["key", {"uid": 3}]]}, partial=True)
    assert len(lost) == 1
    assert lost[0].startswith("folder of another shape: ")
    after = run.pipeline.snapshot()
    assert after["folder"] == empty["folder"]
    assert snapshot.pack({**after, "folder": 0}) == snapshot.pack({**stored, "folder": 0})


def test_what_was_learned_starts_empty_as_a_whole(half: Half) -> None:
    run = checkpoint_stream.Run(RULES)
    stored = snapshot.unpack(half.state)
    empty = run.pipeline.snapshot()
    lost = run.pipeline.restore({**stored, "model_version": "novelty-0"}, partial=True)
    assert [text.split()[0] for text in lost] == ["judge", "learning", "models"]
    after = run.pipeline.snapshot()
    assert {name: after[name] for name in memory.LEARNED} == {name: empty[name] for name in memory.LEARNED}
    assert after["folder"] == stored["folder"]


def test_nothing_at_all_is_refused_even_in_parts(half: Half) -> None:
    run = checkpoint_stream.Run(RULES)
    for data in ({}, {"version": memory.VERSION}, {**snapshot.unpack(half.state), "version": 99}):
        with pytest.raises(errors.StateError):
            run.pipeline.restore(data, partial=True)


def test_what_was_shed_is_remembered() -> None:
    run, other = checkpoint_stream.Run(RULES), checkpoint_stream.Run(RULES)
    for number in range(budget.MAX_SHED + 3):
        run.pipeline.judge.budget.drop(budget.Shed(1000.0 + number, "someone", 9.5, "did something"))
        run.pipeline.judge.budget.spend("built-in", f"actor {number}", nats=10.0, time_s=1000.0 + number)
    other.pipeline.restore(snapshot.unpack(run.state()))
    assert other.state() == run.state()
    assert other.pipeline.judge.budget.shed == run.pipeline.judge.budget.shed
    assert other.pipeline.judge.budget.shed_total == budget.MAX_SHED + 3
    assert not other.pipeline.judge.budget.admits("built-in", "another", nats=9.0, per_day=5.0, time_s=1100.0)


def test_counters_of_a_users_rule_wait_for_it() -> None:
    """Rules from the cluster come after the checkpoint was read."""
    mine = sigma.compile_text(BURST, origin="burst.yml")
    run = checkpoint_stream.Run(RULES)
    run.pipeline.rules.replace_user_rules("DetectionRule/burst", mine)
    run.feed(STREAM[:300])
    state = run.pipeline.rules.snapshot()
    counting = [name for name, counter in state["counters"].items() if "burst" in name and counter["groups"]]
    assert counting
    other = checkpoint_stream.Run(RULES)
    other.pipeline.restore(snapshot.unpack(run.state()))
    other.pipeline.rules.replace_user_rules("DetectionRule/burst", mine)
    assert other.pipeline.rules.snapshot() == state


def test_an_ended_pod_stays_ended_unless_it_runs() -> None:
    run = checkpoint_stream.Run(RULES)
    for name in ("gone", "back"):
        run.pipeline.inventory.remove("Pod", "web", name)
    state = run.pipeline.snapshot()
    other = checkpoint_stream.Run(RULES)
    other.pipeline.inventory.upsert("Pod", {"metadata": {"namespace": "web", "name": "back"}})
    other.pipeline.restore(snapshot.unpack(snapshot.pack(state)))
    assert other.pipeline.inventory.ended("web", "gone")
    assert not other.pipeline.inventory.ended("web", "back")
