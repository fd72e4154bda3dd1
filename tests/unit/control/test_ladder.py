"""The ladder: a slow pipeline makes models rest, a short queue wakes them, and each step is a condition."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.control import ladder
from riverwatch.rules import engine
from riverwatch.runtime import pipeline, pressure, worker, worker_queue
from riverwatch.sources import base


@pytest.fixture
def through():
    return pipeline.Pipeline(rules=engine.RuleEngine(()))


@pytest.mark.parametrize(
    ("asked", "step", "rest", "told"),
    [
        pytest.param(False, pressure.Step.EASY, False, ("True", "ModelsAndRules"), id="at ease"),
        pytest.param(False, pressure.Step.BUSY, True, ("False", "RulesOnly"), id="behind"),
        pytest.param(False, pressure.Step.REFUSING, True, ("False", "Refusing"), id="full"),
        pytest.param(True, pressure.Step.EASY, True, ("True", "RulesOnlyAsked"), id="asked for"),
        pytest.param(True, pressure.Step.BUSY, True, ("False", "RulesOnly"), id="asked for and behind"),
    ],
)
def test_a_step_sets_the_pipeline_and_the_condition(through, asked, step, rest, told):
    one = ladder.Ladder(rules_only=asked)
    one.climb(through, step)
    assert through.models_rest is rest
    seen = one.observation()
    assert (seen.status.value, seen.reason) == told


def test_a_worker_that_falls_behind_rests_models_until_the_queue_is_young(through):
    time = testing.FakeClock()
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=1_000, octets=1_000_000))
    slow = worker.Worker(through, lambda _: None, queue=queue, time=time)
    one = ladder.Ladder()
    slow.on_step(one.climb)
    seen = []
    for _ in range(40):
        slow.offer(base.Delivery(b"{}\n", "sender", time.now_s()))
        slow.offer(base.Delivery(b"{}\n", "sender", time.now_s()))
        time.advance(2.0)
        slow.turn(queue.take(wait_s=0.0))
        seen.append(through.models_rest)
    assert not seen[0]
    assert seen[-1]
    while queue.depth:
        slow.turn(queue.take(wait_s=0.0))
    assert not through.models_rest
    assert one.observation().reason == "ModelsAndRules"
