"""Fan-out: detections -> every output's lane; one counter for all, so that no output counts under another's name.

Called by the worker's thread for each detection that is new or has changed; never blocks. What cannot be delivered
waits in the lane's bounded map, keyed by the detection's uid, newest revision only: an API server that is away loses
nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

import msgspec

from riverwatch import clock, errors
from riverwatch.detections import finding
from riverwatch.outputs import base, lane, pending, threat_detection

Count = Callable[[str, str], None]
"""Told output id and outcome."""

ATTEMPTS = 5
"""Attempts of an output whose retry class is LIMITED."""


SHOWN_S = 30.0
"""Seconds between two writes of what became of one detection at the outputs; folded, because nobody waits for it."""

PATIENT = frozenset({403, 404})
"""Refusals that an output of retry class UNTIL_DELIVERED does not take for an answer."""


class Dispatcher:
    """Owns one lane per output.

    Parameters
    ----------
    outputs
        In the order of delivery preference; ids must differ.
    capacity
        Detections that wait per output at most.
    bucket
        Rate limit shared by outputs whose card asks for it.
    count
        Counts outcomes.
    time
        Clock.
    """

    def __init__(
        self,
        outputs: Sequence[base.Output],
        *,
        capacity: int,
        bucket: pending.TokenBucket,
        count: Count,
        time: clock.Clock,
    ) -> None:
        self._time = time
        self._keeper = next((one for one in outputs if isinstance(one, threat_detection.ThreatDetectionOutput)), None)
        self._shown: lane.Lane[finding.Detection] | None = None
        if self._keeper is not None:
            plan = lane.Plan(capacity=capacity, spacing_s=SHOWN_S, attempts=ATTEMPTS)
            report = functools.partial(_report, count, "status")
            self._shown = lane.Lane(
                "outputs", self._keeper.show_outputs, plan=plan, bucket=bucket, report=report, time=time
            )
        self._pairs = [(output, self._lane(output, capacity, bucket, count)) for output in outputs]

    def start(self) -> None:
        """Start all lanes."""
        for _, one in self._pairs:
            one.start()
        if self._shown is not None:
            self._shown.start()

    def submit(self, detections: Iterable[finding.Detection]) -> None:
        """Hand detections to every output that wants them; a detection may change afterwards."""
        for detection in detections:
            copy: finding.Detection | None = None
            for output, one in self._pairs:
                if output.wants(detection):
                    copy = copy or frozen_copy(detection)
                    one.submit(detection.uid, copy, rank=detection.severity.rank)

    def depths(self) -> dict[str, int]:
        """Return how many detections wait, by output id."""
        return {output.card.id: one.depth for output, one in self._pairs}

    def waiting(self) -> set[str]:
        """Return the uids of detections that some output has not confirmed."""
        return {uid for _, one in self._pairs for uid in one.waiting()}

    def failing(self) -> list[str]:
        """Ids of outputs whose last attempts failed."""
        return [output.card.id for output, one in self._pairs if one.failing]

    def stop(self, *, within_s: float) -> int:
        """Deliver what waits within a time, close the outputs and return how many deliveries were left."""
        deadline_s = self._time.monotonic_s() + within_s
        left = 0
        for output, one in self._pairs:
            left += one.stop(within_s=max(0.1, deadline_s - self._time.monotonic_s()))
            output.close()
        if self._shown is not None:
            self._shown.stop(within_s=max(0.1, deadline_s - self._time.monotonic_s()))
        return left

    def _lane(
        self, output: base.Output, capacity: int, bucket: pending.TokenBucket, count: Count
    ) -> lane.Lane[finding.Detection]:
        card = output.card
        plan = lane.Plan(
            capacity=capacity,
            spacing_s=card.spacing_s,
            attempts=ATTEMPTS if card.retry is base.RetryClass.LIMITED else None,
            patient=PATIENT if card.retry is base.RetryClass.UNTIL_DELIVERED else frozenset(),
        )
        return lane.Lane(
            card.id,
            output.deliver if self._keeper in (None, output) else functools.partial(self._noted, output),
            plan=plan,
            bucket=bucket if card.rate_limited else None,
            report=functools.partial(_report, count, card.id),
            time=self._time,
        )

    def _noted(self, output: base.Output, detection: finding.Detection) -> None:
        """Deliver, and have the outcome shown in the status of the detection's object when it is news."""
        try:
            output.deliver(detection)
        except errors.PermanentError as error:
            self._note(output, detection, str(error) or "refused")
            raise
        self._note(output, detection, "")

    def _note(self, output: base.Output, detection: finding.Detection, trouble: str) -> None:
        assert self._keeper is not None
        assert self._shown is not None
        now_s = self._time.now_s()
        if self._keeper.deliveries.note(detection.uid, output.card.id, now_s=now_s, trouble=trouble):
            self._shown.submit(detection.uid, detection)


def frozen_copy(detection: finding.Detection) -> finding.Detection:
    """Copy a detection with its lists; their items never change.

    The pipeline goes on growing the original while a lane renders the copy on another thread.
    """
    lists = {
        field: list(value) for field, value in msgspec.structs.asdict(detection).items() if isinstance(value, list)
    }
    return msgspec.structs.replace(detection, **lists)


def _report(count: Count, output_id: str, outcome: lane.Outcome) -> None:
    count(output_id, outcome.value)
