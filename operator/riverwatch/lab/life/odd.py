"""The words of benign but odd happenings: what a kind of them is, what it is given, what it gives.

Plain data and protocols. Read by `happenings` and by the modules that play its kinds.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Protocol

import msgspec

from riverwatch.lab.company import model
from riverwatch.lab.life import acts, rhythm, view


class Hours(enum.Enum):
    """When a happening may start, by the company's clock."""

    OFFICE = "office"
    NIGHT = "night"
    ANY = "any"


class Registry(Protocol):
    """Takes in those who come later."""

    def know_workload(self, workload: model.Workload) -> None:
        """Let a workload's pods act."""
        ...


class Happening(msgspec.Struct, frozen=True):
    """One odd episode of a life."""

    id: str
    name: str
    summary: str
    start_s: float
    acts: list[acts.Act]


class Given(msgspec.Struct, frozen=True):
    """What a kind of happening may use."""

    rng: random.Random
    seed: int
    start_s: float
    """When it starts, epoch seconds."""
    span: rhythm.Span
    """The recording."""
    cluster: view.View
    company: Registry
    episode: str
    """Id that labelled acts carry."""
    port: int
    """Where the lab's kubelets answer."""

    def act(self, after_s: float, who: str, write: acts.Writer) -> acts.Act:
        """Give a labelled act so many seconds after the start."""
        return acts.Act(self.start_s + after_s, who, write, episode=self.episode)

    def until(self, lasts_s: float) -> rhythm.Span:
        """Give the interval that starts with the happening, cut at the recording's end."""
        return rhythm.Span(self.start_s, min(self.start_s + lasts_s, self.span.end_s))

    def labelled(self, everyday: list[acts.Act], *, lasts_s: float) -> list[acts.Act]:
        """Label the acts of the first so many seconds."""
        return [
            msgspec.structs.replace(act, episode=self.episode) if act.time_s < self.start_s + lasts_s else act
            for act in everyday
        ]


class Kind(msgspec.Struct, frozen=True):
    """One kind of happening."""

    name: str
    summary: str
    hours: Hours
    play: Callable[[Given], list[acts.Act]]
