"""Stage 4b interface: a supervised re-ranker, which would learn the order of findings from people's verdicts.

Only the promise is here. A re-ranker sees the same surprises as the judge and the verdicts of triage; it may reorder
weak findings, never raise or silence one by itself, and never touch rule hits of severity High or Critical. It is off
unless a policy names it and at least `LEAST_LABELS` verdicts of both kinds were given: below that a linear model on
ten attributes mostly learns who works at the triage desk. `Silent` is what runs today.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from riverwatch.models import base

CARD = base.ModelCard(
    name="re-ranker",
    summary="Order of weak findings, learned from verdicts of triage; an interface, off.",
    inputs=("surprises", "verdicts"),
    warm_up="at least 50 verdicts of each kind",
    memory="one weight per attribute",
    blind_spots=("Kinds of attack that nobody has judged yet.", "Verdicts given without looking."),
)

LEAST_LABELS = 50
"""Verdicts of each kind, true and false, below which a re-ranker keeps silent: five for each of ten attributes."""

MAX_SHIFT_NATS = 2.0
"""Most that a re-ranker may add or take, in nats: enough to reorder weak findings, too little to make or hide one."""


class Reranker(Protocol):
    """Shifts the evidence of a finding by what people said about findings like it."""

    @property
    def labels(self) -> tuple[int, int]:
        """Number of true and of false verdicts learned."""
        ...

    def shift(self, parts: Sequence[base.Surprise]) -> float:
        """Return what to add to the evidence in nats, within `MAX_SHIFT_NATS` either way; changes nothing."""
        ...

    def learn(self, parts: Sequence[base.Surprise], *, is_attack: bool, weight: float) -> None:
        """Learn one verdict.

        Parameters
        ----------
        parts
            What was surprising in the finding.
        is_attack
            Whether a person called it a true positive.
        weight
            0 to 1. How much the verdict counts, so that one person's long list cannot outweigh all others.
        """
        ...

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        ...

    def load(self, data: dict[str, object]) -> None:
        """Take over what `dump` returned."""
        ...


class Silent:
    """The re-ranker that is off: counts verdicts, shifts nothing."""

    def __init__(self) -> None:
        self._true = 0
        self._false = 0

    @property
    def labels(self) -> tuple[int, int]:
        """Number of true and of false verdicts counted."""
        return self._true, self._false

    def shift(self, parts: Sequence[base.Surprise]) -> float:  # noqa: ARG002 - the protocol's signature
        """Return 0."""
        return 0.0

    def learn(
        self,
        parts: Sequence[base.Surprise],  # noqa: ARG002 - the protocol's signature
        *,
        is_attack: bool,
        weight: float,  # noqa: ARG002 - the protocol's signature
    ) -> None:
        """Count a verdict, so that people can see when there would be enough."""
        self._true += is_attack
        self._false += not is_attack

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {"true": self._true, "false": self._false}

    def load(self, data: dict[str, object]) -> None:
        """Take over what `dump` returned."""
        self._true, self._false = int(str(data["true"])), int(str(data["false"]))
