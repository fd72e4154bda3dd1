"""Run one attack, step by step, at times the caller decides; what was sent becomes its `Label`.

``Attack + AttackContext -> Run``. A recorder weaves a run into its schedule::

    run = run.Run(attack, context)
    while not run.done:
        at_s += run.delay_s          # simulated time of the next request
        run.advance(now_s=at_s)      # sends it (blocking: use a thread beside an event loop)
    run.clean_up(now_s=at_s)         # the director's requests: drop them from the recording
    label = run.label()

`live` does the same on today's clock. A script that fails is an error of the lab and is raised, after cleaning up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from riverwatch import clock, errors
from riverwatch.lab.attacks import base, context

LIVE_PAUSE_S = 0.05
"""Longest pause between two steps of an attack run live without pacing, seconds."""


class Label(msgspec.Struct, frozen=True):
    """The truth about one attack that was run."""

    attack: str
    title: str
    use_case: str
    subtlety: str
    technique: str
    actors: tuple[str, ...]
    """User names that authenticated or were impersonated during the attack."""
    start_s: float
    end_s: float
    audit_ids: tuple[str, ...]
    """Ids of the attack's own requests, in order."""
    other_ids: tuple[str, ...]
    """Ids of the director's preparing and cleaning requests: no part of the story."""


class Run:
    """One attack under way.

    Parameters
    ----------
    attack
        What to run.
    given
        What it may use.
    """

    def __init__(self, attack: base.Attack, given: context.AttackContext) -> None:
        self.attack = attack
        self.context = given
        self._script = attack.script(given)
        self._next: base.Step | None = self._first()

    @property
    def done(self) -> bool:
        """Whether no step is left."""
        return self._next is None

    @property
    def pending(self) -> base.Step | None:
        """The next step, not sent yet."""
        return self._next

    @property
    def delay_s(self) -> float:
        """Seconds between the step before and the next one; 0 when done."""
        return self._next.after_s if self._next is not None else 0.0

    def advance(self, *, now_s: float) -> base.Answer:
        """Send the next request and learn what follows.

        Parameters
        ----------
        now_s
            Scheduled time of the request, epoch seconds.

        Raises
        ------
        ApiTemporaryError
            When the API server gives no answer.
        """
        if self._next is None:
            raise ValueError(f"{self.attack.card.id}: no step is left")
        self.context.now_s = now_s
        answer = self._next.action()
        try:
            self._next = self._script.send(answer)
        except StopIteration:
            self._next = None
        return answer

    def clean_up(self, *, now_s: float) -> list[str]:
        """Undo what the attack left, and say what could not be undone.

        Parameters
        ----------
        now_s
            Scheduled time for the labels, epoch seconds.
        """
        self.context.now_s = now_s
        left: list[str] = []
        for step in self.context.cleanup_steps():
            try:
                answer = step.action()
            except errors.RiverwatchError as problem:
                left.append(str(problem))
                continue
            last = self.context.sent[-1]
            gone = answer.status in {404, 409} and last.method in {"DELETE", "POST", "PATCH"}
            if not answer.ok and not gone:
                left.append(f"{last.method} {last.path}: {answer.status}")
        self.context.close()
        return left

    def label(self) -> Label:
        """Give the truth about what was run."""
        own = [sent for sent in self.context.sent if sent.purpose is base.Purpose.ATTACK]
        others = [sent.audit_id for sent in self.context.sent if sent.purpose is not base.Purpose.ATTACK]
        card = self.attack.card
        names = [name for sent in own for name in (sent.username, sent.impersonated) if name]
        return Label(
            attack=card.id,
            title=card.title,
            use_case=card.use_case.value,
            subtlety=card.subtlety.value,
            technique=card.technique.id,
            actors=tuple(dict.fromkeys(names)),
            start_s=min((sent.time_s for sent in own), default=0.0),
            end_s=max((sent.time_s for sent in own), default=0.0),
            audit_ids=tuple(sent.audit_id for sent in own),
            other_ids=tuple(others),
        )

    def _first(self) -> base.Step | None:
        """Ask the script for its first step."""
        try:
            return next(self._script)
        except StopIteration:
            return None


def live(
    attack: base.Attack,
    given: context.AttackContext,
    *,
    today: clock.Clock,
    pause: Callable[[float], None] = time.sleep,
    longest_pause_s: float = LIVE_PAUSE_S,
) -> Label:
    """Run an attack on a cluster now, clean up, and give its label.

    Parameters
    ----------
    attack
        What to run.
    given
        What it may use.
    today
        Where the time of labels comes from.
    pause
        Waits that many seconds.
    longest_pause_s
        Seconds to which the script's pauses are cut; infinity keeps the script's own pace.

    Raises
    ------
    RiverwatchError
        When the script fails or something could not be cleaned up.
    """
    run = Run(attack, given)
    try:
        while not run.done:
            pause(min(run.delay_s, longest_pause_s))
            run.advance(now_s=today.now_s())
    finally:
        left = run.clean_up(now_s=today.now_s())
    if left:
        raise errors.PermanentError(f"{attack.card.id}: not cleaned up: {'; '.join(left)}")
    return run.label()
