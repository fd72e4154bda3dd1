"""Stage 4a words: what a rule is to the rest of riverwatch (`RuleCard`) and what it says about an activity (`RuleHit`).

A rule answers one question about one `Activity` (or, for correlations, about several): does the written condition hold?
It knows nothing of budgets, policies or folding. `rules.engine` produces hits; `scoring` consumes them.
"""

from __future__ import annotations

import enum

import msgspec

from riverwatch import vocabulary


class Maturity(enum.StrEnum):
    """How much a rule, model or other plug has been proven."""

    SANDBOX = "sandbox"
    INCUBATING = "incubating"
    STABLE = "stable"


class AuditLevel(enum.StrEnum):
    """The least audit level at which a rule can work."""

    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"


class RuleCard(msgspec.Struct, frozen=True):
    """Everything about a rule but its condition; documents and tables are printed from it."""

    id: str
    """Stable id in kebab case, the file name without ending."""
    title: str
    description: str
    severity: vocabulary.Severity
    use_case: vocabulary.UseCase
    techniques: tuple[vocabulary.Technique, ...]
    maturity: Maturity
    audit_level: AuditLevel
    covers: tuple[str, ...]
    """Rows of the detection checklist (A1 ... H7) that the rule covers."""
    false_positives: tuple[str, ...]
    blind_spots: tuple[str, ...]
    recommendations: tuple[str, ...]
    """What a responder should run or check, one step each: one exact command that starts with ``kubectl``, perhaps with
    a comment behind it, or a sentence; may name ``{namespace}``, ``{kind}``, ``{name}`` and ``{actor}``."""
    raises: bool = True
    """False for informational rows: they feed models and context and never raise a detection alone."""
    away: bool = False
    """Whether it tells of use from outside the cluster, and so says nothing where the nodes themselves call from."""
    sequence: bool = False
    """Whether the rule is a correlation over several activities."""
    origin: str = ""
    """File the rule was read from, or ``DetectionRule/NAME``."""


class RuleHit(msgspec.Struct, frozen=True):
    """One rule's opinion about one activity."""

    card: RuleCard
    summary: str
    """One sentence of facts: who did what to which object; safe to show (no control characters, no secrets). Only the
    title for rules that raise nothing: nobody reads more of those."""
    matched: tuple[tuple[str, str], ...] = ()
    """Field and value pairs that made the condition true, at most 8, values cut at 200 characters."""
    group: str = ""
    """For correlations: the value of the group-by fields that reached the count."""
    author: str = ""
    """User name of the one for whom a controller acted; empty when the actor of the record answers for it."""
    author_audit_id: str = ""
    """Audit id of the request by which he had it act; empty when that is not known."""
    author_time_s: float = 0.0
    """Record time of that request."""
