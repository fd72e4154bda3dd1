"""The pipeline's memory as plain data, part by part: what a checkpoint stores and what a start may take over.

Whatever remembers anything between two records is a part with ``dump`` and ``load``. All parts together, loaded into
fresh objects, judge the next record as if nothing had been between. Pure. Called by `runtime.pipeline` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from riverwatch import errors
from riverwatch.models import bank
from riverwatch.rules import engine

VERSION = 4
"""Version of the plain data as a whole; counts up when old data can no longer be read. A part that only gets a new
field with a default keeps it."""

LEARNED = frozenset({"models", "judge", "learning"})
"""Parts that mean nothing without each other: with empty models, a finished learning period would raise alarm after
alarm."""


class Part(Protocol):
    """Something that remembers."""

    def dump(self) -> Any:
        """Return plain data, in an order that depends on the stream alone."""
        ...

    def load(self, data: Any, /) -> None:
        """Take over what ``dump`` returned."""
        ...


class RuleMemory:
    """The counting state of the rules as a part.

    Parameters
    ----------
    rules
        The engine in force; its rules stay, only what they count is taken over.
    """

    def __init__(self, rules: engine.RuleEngine) -> None:
        self._rules = rules

    def dump(self) -> Any:
        """Return plain data."""
        return self._rules.snapshot()

    def load(self, data: Any, /) -> None:
        """Take over what `dump` returned."""
        self._rules.restore(data)


def dump(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return all parts as plain data that they still share: encode it before the next record."""
    return {
        "version": VERSION,
        "model_version": bank.MODEL_VERSION,
        **{name: part.dump() for name, part in parts.items()},
    }


def load(parts: Mapping[str, Part], data: Mapping[str, Any], *, partial: bool) -> dict[str, str]:
    """Load parts in order.

    Parameters
    ----------
    parts
        Fresh ones; those that could not be loaded must be thrown away.
    data
        As `dump` returned it.
    partial
        Whether parts that cannot be loaded may be left out, as long as any can.

    Returns
    -------
    dict
        The parts that were not loaded -> why.

    Raises
    ------
    StateError
        When something could not be loaded that had to be.
    """
    if data.get("version") != VERSION:
        raise errors.StateError(f"the state has version {data.get('version')!r}, this program reads {VERSION}")
    lost: dict[str, str] = {}
    if data.get("model_version") != bank.MODEL_VERSION:
        stored = data.get("model_version")
        lost = dict.fromkeys(sorted(LEARNED), f"stored by models {stored!r}, this program has {bank.MODEL_VERSION!r}")
    for name, part in parts.items():
        if lost and not partial:
            break
        if name in lost:
            continue
        try:
            part.load(data[name])
        except KeyError as error:
            lost[name] = f"without {error}"
        except (errors.StateError, LookupError, TypeError, ValueError, AttributeError) as error:
            lost[name] = f"of another shape: {error}"
    cause = sorted(LEARNED & lost.keys())
    if cause:
        lost = dict.fromkeys(sorted(LEARNED - lost.keys()), f"means nothing without {cause[0]}") | lost
    if lost and (not partial or len(lost) == len(parts)):
        raise errors.StateError("the state cannot be taken over: " + "; ".join(told(lost)))
    return lost


def told(lost: Mapping[str, str]) -> list[str]:
    """Return what was lost in sentences."""
    return [f"{name} {why}" for name, why in sorted(lost.items())]
