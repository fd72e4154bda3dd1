"""Stage 4a: Sigma YAML -> compiled `Rule`s.

pySigma parses (detections, modifiers, conditions, correlations); this module turns its objects into closures and cards.
Nothing is fetched: ATT&CK names come from `rules.attack`. Every fault is a `BadRuleError` with file, field and reason.
Called by `rules.loading` for the catalogue and by `control` for `DetectionRule`s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sigma import correlations as sigma_correlations
from sigma import exceptions as sigma_exceptions
from sigma.rule import SigmaRule
from sigma.rule import base as sigma_base

from riverwatch import errors, vocabulary
from riverwatch.api import yaml_text
from riverwatch.rules import attack, base, conditions, fields, matching, rule

MAX_RULE_CHARS = 262_144
"""Characters of one rule text: far above any public rule, far below what would hurt."""

MAX_WINDOW_S = 7 * 86_400
"""Longest timespan of a correlation, seconds: longer memory belongs to the models."""

MAX_COUNT = 10_000
"""Highest count of a correlation: its memory per group is bounded by it."""

_SEVERITIES = {
    "informational": vocabulary.Severity.INFO,
    "low": vocabulary.Severity.LOW,
    "medium": vocabulary.Severity.MEDIUM,
    "high": vocabulary.Severity.HIGH,
    "critical": vocabulary.Severity.CRITICAL,
}

_LEVELS = {"Metadata": 0, "Request": 1, "RequestResponse": 2}

_CARD_KEYS = frozenset(
    {
        "id", "useCase", "covers", "maturity", "auditLevel", "blindSpots", "recommendations", "raises", "detail",
        "awayFromNodes",
    }
)  # fmt: skip


def compile_text(text: str, *, origin: str, default_id: str = "") -> tuple[rule.Rule, ...]:
    """Compile one YAML text: a rule, or several documents of which some are correlations over the others.

    Parameters
    ----------
    text
        Sigma YAML.
    origin
        File, or ``DetectionRule/NAME``, for messages and cards.
    default_id
        Id of the rule that raises when it gives no name itself.

    Raises
    ------
    BadRuleError
        When anything in the text cannot be compiled; no rule of the text is then usable.
    """
    if len(text) > MAX_RULE_CHARS:
        raise errors.BadRuleError(
            f"the rule has {len(text)} characters, at most {MAX_RULE_CHARS} allowed", where=origin
        )
    documents = _documents(text, origin=origin)
    try:
        return _compile_documents(documents, origin=origin, default_id=default_id)
    except RecursionError as error:
        raise errors.BadRuleError("the rule is nested too deeply", where=origin) from error
    except (TypeError, AttributeError, LookupError, ValueError) as error:
        raise errors.BadRuleError(f"a field has the wrong shape: {error}", where=origin) from error


def _documents(text: str, *, origin: str) -> list[dict[str, Any]]:
    try:
        documents = [document for document in yaml_text.read(text, where=origin) if document is not None]
    except errors.BadInputError as error:
        raise errors.BadRuleError(error.detail, where=origin) from error
    if not documents:
        raise errors.BadRuleError("the text holds no rule", where=origin)
    for document in documents:
        if not isinstance(document, dict):
            raise errors.BadRuleError("a rule is a YAML mapping with title, logsource and detection", where=origin)
        try:
            sigma_base.check_alias_expansion(document, sigma_exceptions.SigmaCollectionError, None)
        except sigma_exceptions.SigmaError as error:
            raise errors.BadRuleError(str(error), where=origin) from error
        if "action" in document or "filter" in document:
            raise errors.BadRuleError(
                "Sigma collections (action) and filters are not supported; write one rule per document", where=origin
            )
    return documents


def _compile_documents(documents: list[dict[str, Any]], *, origin: str, default_id: str) -> tuple[rule.Rule, ...]:
    main = len(documents) - 1
    keys = [
        _key(document, default_id=default_id if index == main else "", origin=origin)
        for index, document in enumerate(documents)
    ]
    names: dict[str, str] = {}
    for key, document in zip(keys, documents, strict=True):
        for name in {key, str(document.get("name") or ""), str(document.get("id") or "")} - {""}:
            if names.setdefault(name, key) != key:
                raise errors.BadRuleError(f"two documents are called {name!r}", where=origin)
    feeds = {
        names.get(reference, "")
        for document in documents
        if "correlation" in document
        for reference in _references(document)
    }
    generating = {
        names.get(reference, "")
        for document in documents
        if isinstance(body := document.get("correlation"), dict) and body.get("generate") is True
        for reference in _references(document)
    }
    return tuple(
        _compile_one(document, key=key, names=names, origin=origin, output=key not in feeds or key in generating)
        for key, document in zip(keys, documents, strict=True)
    )


def _references(document: dict[str, Any]) -> list[str]:
    body = document["correlation"]
    named = body.get("rules") if isinstance(body, dict) else None
    return [named] if isinstance(named, str) else [str(one) for one in named or ()]


def _key(document: dict[str, Any], *, default_id: str, origin: str) -> str:
    custom = document.get("custom")
    for candidate in (
        custom.get("id") if isinstance(custom, dict) else None,
        default_id,
        document.get("name"),
        document.get("id"),
    ):
        if isinstance(candidate, str) and candidate:
            return candidate
    title = document.get("title")
    if isinstance(title, str) and title:
        return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
    raise errors.BadRuleError("field 'title' is missing", where=origin)


def _compile_one(
    document: dict[str, Any], *, key: str, names: Mapping[str, str], origin: str, output: bool
) -> rule.Rule:
    where = f"{origin} ({key})" if key not in origin else origin
    text = json.dumps(document, sort_keys=True, default=str)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
    custom = document.get("custom") or {}
    if not isinstance(custom, dict):
        raise errors.BadRuleError("field 'custom' must be a mapping", where=where)
    unknown = sorted(set(custom) - _CARD_KEYS)
    if unknown:
        raise errors.BadRuleError(
            f"field 'custom.{unknown[0]}' is unknown; known are {sorted(_CARD_KEYS)}", where=where
        )
    if "correlation" in document:
        correlation = _correlation(document, names=names, where=where)
        used = frozenset(fields.canonical(name) for name in correlation.group_by)
        return rule.Rule(
            key=key,
            card=_card(document, custom, key=key, used=used, sequence=True, origin=origin, where=where),
            correlation=correlation,
            detail=str(custom.get("detail") or ""),
            output=output,
            fingerprint=fingerprint,
        )
    compiled = _condition(document, where=where)
    return rule.Rule(
        key=key,
        card=_card(document, custom, key=key, used=compiled.fields, sequence=False, origin=origin, where=where),
        condition=compiled,
        detail=str(custom.get("detail") or ""),
        output=output,
        fingerprint=fingerprint,
    )


def _condition(document: dict[str, Any], *, where: str) -> conditions.Compiled:
    _check_regexes(document.get("detection"), where=where)
    try:
        parsed = SigmaRule.from_dict(document)
        _check_logsource(parsed, where=where)
        trees = [condition.parse() for condition in parsed.detection.parsed_condition]
    except sigma_exceptions.SigmaError as error:
        raise errors.BadRuleError(_reason(error), where=where) from error
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise errors.BadRuleError(f"a field has the wrong shape: {error}", where=where) from error
    return conditions.any_compiled([conditions.compile_tree(tree, where=where) for tree in trees])


def _check_logsource(parsed: SigmaRule, *, where: str) -> None:
    source = parsed.logsource
    if source.product not in (None, "kubernetes") or source.service not in (None, "audit"):
        raise errors.BadRuleError(
            f"field 'logsource': {source.product}/{source.service} is not kube-apiserver audit; "
            "write product: kubernetes, service: audit",
            where=where,
        )


def _check_regexes(detection: object, *, where: str) -> None:
    """Compile regular expressions before pySigma does, for a message that names the field."""
    if isinstance(detection, list):
        for item in detection:
            _check_regexes(item, where=where)
    if not isinstance(detection, dict):
        return
    for name, value in detection.items():
        field, *modifiers = str(name).split("|")
        if "re" in modifiers:
            for pattern in value if isinstance(value, list) else [value]:
                matching.compile_regex(str(pattern), where=where, field=field)
        else:
            _check_regexes(value, where=where)


def _correlation(document: dict[str, Any], *, names: Mapping[str, str], where: str) -> rule.Correlation:
    try:
        parsed = sigma_correlations.SigmaCorrelationRule.from_dict(document)
    except sigma_exceptions.SigmaError as error:
        raise errors.BadRuleError(_reason(error), where=where) from error
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise errors.BadRuleError(f"field 'correlation' has the wrong shape: {error}", where=where) from error
    kinds = {kind.value: kind for kind in rule.CorrelationKind}
    kind = kinds.get(parsed.type.name.lower())
    if kind is None:
        raise errors.BadRuleError(
            f"field 'correlation.type': {parsed.type.name.lower()} is not supported; use one of {sorted(kinds)}",
            where=where,
        )
    references = [reference.reference for reference in parsed.rules or ()]
    missing = [name for name in references if name not in names]
    if missing or not references:
        raise errors.BadRuleError(
            f"field 'correlation.rules': {missing[0] if missing else 'nothing'} is not a rule of the same text",
            where=where,
        )
    if parsed.timespan.seconds > MAX_WINDOW_S:
        raise errors.BadRuleError(f"field 'correlation.timespan': at most {MAX_WINDOW_S // 86_400} days", where=where)
    feeds = tuple(names[name] for name in references)
    group_by = tuple(parsed.group_by or ())
    operator, count, values = _count(parsed, kind=kind, feeds=len(feeds), where=where)
    return rule.Correlation(
        kind=kind,
        feeds=feeds,
        window_s=float(parsed.timespan.seconds),
        group_by=group_by,
        group_getters=_group_getters(parsed, group_by, references=references, names=names, where=where),
        operator=operator,
        count=count,
        value_getters=tuple(fields.getter(name, where=where) for name in values),
    )


def _count(
    parsed: sigma_correlations.SigmaCorrelationRule, *, kind: rule.CorrelationKind, feeds: int, where: str
) -> tuple[rule.Operator, int, list[str]]:
    condition = parsed.condition
    if not isinstance(condition, sigma_correlations.SigmaCorrelationCondition):
        raise errors.BadRuleError(
            "field 'correlation.condition': expressions over rule names are not supported; list the rules", where=where
        )
    if kind in (rule.CorrelationKind.TEMPORAL, rule.CorrelationKind.ORDERED):
        return rule.Operator.GTE, feeds, []
    operators = {operator.value: operator for operator in rule.Operator}
    operator = operators.get(condition.op.name.lower())
    if operator is None:
        raise errors.BadRuleError(
            f"field 'correlation.condition.{condition.op.name.lower()}': only the end of a window could answer it; "
            f"use one of {sorted(operators)}",
            where=where,
        )
    if not isinstance(condition.count, int) or not 1 <= condition.count <= MAX_COUNT:
        raise errors.BadRuleError(f"field 'correlation.condition': a whole number from 1 to {MAX_COUNT}", where=where)
    reference = condition.fieldref
    values = [reference] if isinstance(reference, str) else list(reference or ())
    if kind is rule.CorrelationKind.VALUES and not values:
        raise errors.BadRuleError(
            "field 'correlation.condition.field' is missing: whose values are counted?", where=where
        )
    return operator, condition.count, values


def _group_getters(
    parsed: sigma_correlations.SigmaCorrelationRule,
    group_by: Iterable[str],
    *,
    references: list[str],
    names: Mapping[str, str],
    where: str,
) -> dict[str, tuple[fields.Getter, ...]]:
    aliases = {
        alias.alias: {reference.reference: name for reference, name in alias.mapping.items()}
        for alias in parsed.aliases.aliases.values()
    }
    return {
        names[reference]: tuple(
            fields.getter(aliases.get(field, {}).get(reference, field), where=where) for field in group_by
        )
        for reference in references
    }


def _card(  # noqa: PLR0913 - everything a card is printed from
    document: dict[str, Any],
    custom: dict[str, Any],
    *,
    key: str,
    used: frozenset[str],
    sequence: bool,
    origin: str,
    where: str,
) -> base.RuleCard:
    tags = [str(tag).removeprefix("attack.") for tag in document.get("tags") or () if str(tag).startswith("attack.")]
    level = str(document.get("level") or "medium").lower()
    if level not in _SEVERITIES:
        raise errors.BadRuleError(f"field 'level': {level!r} is not one of {sorted(_SEVERITIES)}", where=where)
    needed = max((fields.needed_level(name) for name in used), key=_LEVELS.__getitem__, default="Metadata")
    return base.RuleCard(
        id=key,
        title=str(document.get("title") or key),
        description=" ".join(str(document.get("description") or "").split()),
        severity=_SEVERITIES[level],
        use_case=_enum(custom, "useCase", vocabulary.UseCase, attack.use_case(tags), where=where),
        techniques=attack.techniques(tags),
        maturity=_enum(custom, "maturity", base.Maturity, base.Maturity.SANDBOX, where=where),
        audit_level=_enum(custom, "auditLevel", base.AuditLevel, base.AuditLevel(needed), where=where),
        covers=_texts(custom, "covers", where=where),
        false_positives=_texts(document, "falsepositives", where=where),
        blind_spots=_texts(custom, "blindSpots", where=where),
        recommendations=_texts(custom, "recommendations", where=where),
        raises=bool(custom.get("raises", True)),
        away=bool(custom.get("awayFromNodes", False)),
        sequence=sequence,
        origin=origin,
    )


def _enum(custom: Mapping[str, Any], name: str, kind: Any, default: Any, *, where: str) -> Any:
    value = custom.get(name)
    if value is None:
        return default
    try:
        return kind(value)
    except ValueError:
        raise errors.BadRuleError(
            f"field 'custom.{name}': {value!r} is not one of {[one.value for one in kind]}", where=where
        ) from None


def _texts(mapping: Mapping[str, Any], name: str, *, where: str) -> tuple[str, ...]:
    value = mapping.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise errors.BadRuleError(f"field {name!r} must be a list of texts", where=where)
    return tuple(str(item) for item in value)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
