"""Stage 5, comparison: what a shadow's models would have raised, beside what the models in force did.

A shadow is judged as the models in force are, by cases, damping, rules and the threshold, but raises nothing. It
counts once it has learned as long as the policy asks. Owned by `scoring.judge`; what belongs to a shadow that is gone
is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from riverwatch.activity import record
from riverwatch.models import base as models_base
from riverwatch.rules import base as rules_base
from riverwatch.scoring import cases

DAY_S = 86_400.0
"""Seconds."""

LEAST_DAYS = 0.25
"""Days of judging before a rate is told."""


class Tally(msgspec.Struct):
    """What one shadow did since it counts."""

    version: str
    from_s: float
    """Record time from which it counts; it only learns before."""
    raised: int = 0
    """Cases that it would have raised."""
    ours: int = 0
    """Cases that the models in force raised."""
    both: int = 0

    @property
    def agreement(self) -> float | None:
        """Share, 0..1, of the cases in force that it would have raised, too; None before there was one."""
        return self.both / self.ours if self.ours else None

    def per_day(self, now_s: float) -> float | None:
        """Return the cases a day that it would have raised until a record time; None before that can be told."""
        days = (now_s - self.from_s) / DAY_S
        return self.raised / days if days >= LEAST_DAYS else None


class Comparison:
    """All shadows' cases and tallies."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        """Home namespace -> tally of its shadow."""
        self._books: dict[str, cases.CaseBook] = {}
        self._ours: dict[str, set[str]] = {}
        """Home namespace -> actors with an open case that the models in force raised."""

    def see(  # noqa: PLR0913 - two verdicts side by side
        self,
        home: str,
        version: str,
        key: str,
        parts: list[models_base.Surprise],
        activity: record.Activity,
        *,
        hits: Sequence[rules_base.RuleHit],
        age_s: float,
        rule_nats: float,
        threshold: float,
        raised: bool,
        from_s: float,
    ) -> None:
        """Take over one activity that either side had something to say about.

        Parameters
        ----------
        home
            Home namespace.
        version
            Name of its shadow.
        key
            Actor, as `judge.case_key` has it.
        parts
            What was new to the shadow, damped.
        activity
            The activity.
        hits
            Its rule hits that may raise.
        age_s
            Seconds of record time since the first record.
        rule_nats
            Evidence of the rule hits of the case.
        threshold
            Evidence that a case needs, nats.
        raised
            Whether the models in force raised the case.
        from_s
            Record time from which the shadow counts.
        """
        tally, time_s = self.tallies.get(home), activity.time_s
        if tally is None or tally.version != version:
            self.drop(home)
            tally = self.tallies[home] = Tally(version, from_s)
        book, ours = self._books.setdefault(home, cases.CaseBook()), self._ours.setdefault(home, set())
        for ended in book.close_until(time_s, age_s=age_s):
            ours.discard(ended.key)
        case = book.touch(key, time_s)
        case.take(parts, activity, hits, age_s=age_s)
        would = case.raised or case.nats + rule_nats >= threshold
        if time_s >= from_s:
            _count(tally, before=(key in ours, case.raised), now=(raised or key in ours, would))
        case.raised = would
        if raised:
            ours.add(key)

    def drop(self, home: str) -> None:
        """Forget a shadow."""
        for held in (self.tallies, self._books, self._ours):
            held.pop(home, None)

    def keep(self, homes: frozenset[str]) -> None:
        """Forget all shadows but those of some namespaces."""
        for home in self.tallies.keys() - homes:
            self.drop(home)

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            home: [msgspec.to_builtins(tally), self._books[home].dump(), sorted(self._ours[home])]
            for home, tally in self.tallies.items()
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        for home, (tally, book, ours) in data.items():
            self.tallies[home] = msgspec.convert(tally, Tally)
            self._books[home] = cases.CaseBook()
            self._books[home].load(book)
            self._ours[home] = set(ours)


def _count(tally: Tally, *, before: tuple[bool, bool], now: tuple[bool, bool]) -> None:
    (ours_before, theirs_before), (ours, theirs) = before, now
    tally.ours += ours and not ours_before
    tally.raised += theirs and not theirs_before
    tally.both += (ours and theirs) and not (ours_before and theirs_before)
