"""Stage 4a words: `Rule`, one compiled Sigma rule or correlation, as plain immutable data.

Made by `rules.sigma`, run by `rules.engine`.
"""

from __future__ import annotations

import enum

import msgspec

from riverwatch.rules import base, conditions, fields


class CorrelationKind(enum.StrEnum):
    """The Sigma correlation types that can be judged on a stream."""

    COUNT = "event_count"
    VALUES = "value_count"
    TEMPORAL = "temporal"
    ORDERED = "temporal_ordered"


class Operator(enum.StrEnum):
    """Comparisons of a count; those that only the end of a window could answer are refused."""

    GTE = "gte"
    GT = "gt"
    EQ = "eq"


class Correlation(msgspec.Struct, frozen=True):
    """What has to come together, in which time, per which group."""

    kind: CorrelationKind
    feeds: tuple[str, ...]
    """Keys of the rules that are counted, in the order that `temporal_ordered` demands."""
    window_s: float
    """Seconds of record time."""
    group_by: tuple[str, ...]
    """Names of the fields, as written, that say what belongs together."""
    group_getters: dict[str, tuple[fields.Getter, ...]]
    """Feed key -> how to read the group-by fields from a record that this feed matched."""
    operator: Operator = Operator.GTE
    count: int = 1
    value_getters: tuple[fields.Getter, ...] = ()
    """Fields whose distinct values are counted by `value_count`."""


class Rule(msgspec.Struct, frozen=True):
    """One rule, ready to run. Exactly one of `condition` and `correlation` is set."""

    key: str
    """Unique within one source: the card's id, or the name that correlations use."""
    card: base.RuleCard
    condition: conditions.Compiled | None = None
    correlation: Correlation | None = None
    detail: str = ""
    """Ending of the summary sentence; may hold derived fields in braces."""
    output: bool = True
    """False for rules that only feed a correlation."""
    fingerprint: str = ""
    """Hash of the text; state counted under another text is dropped."""
