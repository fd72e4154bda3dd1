"""Benign but odd: what makes a naive detector shout although nothing is wrong."""

from __future__ import annotations

import msgspec

from riverwatch.lab.life import acts, rhythm, view


class Happening(msgspec.Struct, frozen=True):
    """One odd episode of a life."""

    id: str
    name: str
    summary: str
    acts: list[acts.Act]


def plan(seed: int, span: rhythm.Span, cluster: view.View, *, port: int, registry: object) -> list[Happening]:
    """Give the happenings of a recording."""
    return []
