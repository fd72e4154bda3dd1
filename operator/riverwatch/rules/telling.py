"""Stage 4a, last step: a rule that holds and the facts that it held for -> `RuleHit`, fit to be shown to people.

No value of a secret, nor anything a person could mistake for our own words, gets into a hit. Called by `rules.engine`.
"""

from __future__ import annotations

from typing import Any

from riverwatch.activity import derived
from riverwatch.rules import base, fields, rule, summary

MAX_MATCHED = 8
"""Field and value pairs kept in a hit."""

_HIDDEN = ("data", "stringdata", "token", "password", "binarydata", "value")


def hit(one: rule.Rule, facts: derived.Facts, *, group: str) -> base.RuleHit:
    """Return the hit of a rule.

    Parameters
    ----------
    one
        The rule.
    facts
        What it held for.
    group
        Group of a correlation whose count was reached; empty for a rule about one record.
    """
    if not one.card.raises:
        # Nobody reads more of a context hit, and these are most hits.
        return base.RuleHit(one.card, one.card.title)
    return base.RuleHit(
        card=one.card,
        summary=summary.sentence(facts, one.detail),
        matched=_matched(one, facts),
        group=summary.neutral(group, limit=summary.MAX_VALUE_CHARS),
        author=facts.author if facts.through else "",
        author_audit_id=facts.author_request[0] if facts.through else "",
        author_time_s=facts.author_request[1] if facts.through else 0.0,
    )


def _matched(one: rule.Rule, facts: derived.Facts) -> tuple[tuple[str, str], ...]:
    if one.condition is None:
        return ()
    pairs: dict[str, str] = {}
    for leaf in one.condition.leaves:
        if len(pairs) >= MAX_MATCHED:
            break
        if leaf.field not in pairs and leaf.test(facts):
            pairs[leaf.field] = _shown(leaf.field, leaf.get(facts))
    return tuple(pairs.items())


def _shown(field: str, value: Any) -> str:
    if value is None:
        return ""
    if fields.is_body(field) and any(part in _HIDDEN for part in field.lower().split(".")):
        return "(not shown)"
    values = value if isinstance(value, (list, tuple)) else (value,)
    text = ", ".join(str(one) for one in values[:16] if not isinstance(one, (dict, list)))
    return summary.neutral(text, limit=summary.MAX_VALUE_CHARS)
