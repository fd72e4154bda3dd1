"""Fan-out: every output gets its copy, on its own, and every outcome is counted under its own name."""

from __future__ import annotations

import collections

import pytest

from riverwatch import errors
from riverwatch.detections import finding
from riverwatch.outputs import base, dispatch, pending


class Output:
    """Remembers what it was given."""

    def __init__(self, name: str, *, raises: Exception | None = None, wanted: bool = True) -> None:
        self.card = base.OutputCard(id=name, summary="for tests", retry=base.RetryClass.UNTIL_DELIVERED)
        self.got: list[finding.Detection] = []
        self.raises = raises
        self.wanted = wanted
        self.closed = 0

    def wants(self, _: finding.Detection) -> bool:
        return self.wanted

    def deliver(self, detection: finding.Detection) -> None:
        if self.raises is not None:
            raise self.raises
        self.got.append(detection)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def counts() -> collections.Counter:
    return collections.Counter()


def make(outputs, counts, clock) -> dispatch.Dispatcher:
    return dispatch.Dispatcher(
        outputs,
        capacity=10,
        bucket=pending.TokenBucket(rate_per_s=100, burst=100),
        count=lambda output, outcome: counts.update([(output, outcome)]),
        time=clock,
    )


def run(one: dispatch.Dispatcher) -> None:
    for _, lane in one._pairs:
        lane.step()


def test_failing_output_does_not_keep_others_from_theirs(counts, fake_clock, detection):
    good, bad = Output("good"), Output("bad", raises=errors.ApiTemporaryError("away"))
    one = make([bad, good], counts, fake_clock)
    one.submit([detection()])
    run(one)

    assert len(good.got) == 1
    assert counts == {("good", "delivered"): 1, ("bad", "retried"): 1}
    assert one.depths() == {"bad": 1, "good": 0}


def test_detection_may_grow_after_it_was_handed_over(counts, fake_clock, detection):
    output = Output("one")
    one = make([output], counts, fake_clock)
    growing = detection()
    one.submit([growing])
    growing.evidence.append(finding.Evidence("later", 0.0, "later"))
    growing.evidence_count += 1
    run(one)

    assert [item.audit_id for item in output.got[0].evidence] == ["a-1"]
    assert output.got[0].evidence_count == 212


def test_output_gets_only_what_it_wants(counts, fake_clock, detection):
    output = Output("one", wanted=False)
    one = make([output], counts, fake_clock)
    one.submit([detection()])
    run(one)

    assert output.got == []


def test_stop_delivers_what_waits_and_closes(counts, fake_clock, detection):
    output = Output("one")
    one = make([output], counts, fake_clock)
    one.submit([detection()])
    run(one)

    assert one.stop(within_s=1.0) == 0
    assert output.closed == 1
    assert one.failing() == []
