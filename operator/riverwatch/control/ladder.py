"""The ladder of degradation: models and rules -> rules only -> count and drop; sets the pipeline and says so.

In: the worker's pressure step, and whether rules only were asked for. Out: `Pipeline.models_rest`, and the condition
``KeepingUp``, of which `stream_health` makes status and Events. Called on the worker's thread (`climb`) and on the
control thread (`observation`).
"""

from __future__ import annotations

from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.runtime import pipeline, pressure, worker

_TOLD = {
    pressure.Step.EASY: ("ModelsAndRules", "rules and models judge every record"),
    pressure.Step.BUSY: (
        "RulesOnly",
        "the queue is long or old: rules alone judge and nothing is learned until it is short",
    ),
    pressure.Step.REFUSING: (
        "Refusing",
        "the queue is full: senders are told to come again, and what cannot wait is counted and dropped",
    ),
}
"""Step -> reason and message."""

ASKED = ("RulesOnlyAsked", "rules alone judge and nothing is learned, because the setting rules_only asks for it")
"""Reason and message at ease when rules only were asked for."""


class Ladder:
    """Remembers the step.

    Parameters
    ----------
    rules_only
        Whether models rest at every step.
    """

    def __init__(self, *, rules_only: bool = False) -> None:
        self._rules_only = rules_only
        self._step = pressure.Step.EASY

    def climb(self, through: pipeline.Pipeline, step: pressure.Step) -> None:
        """Put models to rest, or wake them, as a step asks; on the worker's thread."""
        self._step = step
        through.models_rest = self._rules_only or step >= pressure.Step.BUSY

    def observation(self) -> conditions.Observation:
        """Return the condition as it stands."""
        reason, message = _TOLD[self._step]
        if self._rules_only and self._step is pressure.Step.EASY:
            reason, message = ASKED
        easy = self._step is pressure.Step.EASY
        status = words.ConditionStatus.TRUE if easy else words.ConditionStatus.FALSE
        return conditions.Observation(conditions.KEEPING_UP, status, reason, message)


def install(through: pipeline.Pipeline, judging: worker.Worker[pipeline.Pipeline], *, rules_only: bool) -> Ladder:
    """Let models rest while the worker is behind, or always when asked to; before the worker starts."""
    made = Ladder(rules_only=rules_only)
    made.climb(through, judging.step)
    judging.on_step(made.climb)
    return made
