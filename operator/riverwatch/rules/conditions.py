"""Stage 4a: a Sigma condition tree -> one predicate over `Facts`, its boxes for the index, and its evidence fields.

Semantics are Sigma's: a list means any, ``|all`` all; an absent field matches nothing but null; ``not`` of an absent
field is true. A field with several values in the record matches when any of them does. Called by `rules.sigma`.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from sigma import conditions as sigma_conditions
from sigma import types as sigma_types

from riverwatch import errors
from riverwatch.activity import derived, derived_pod
from riverwatch.rules import bounds, fields, matching, nodes

Predicate = nodes.Predicate
"""Whether the condition holds for one record."""

Leaf = nodes.Leaf
"""One test; those outside any ``not`` may be shown as the reason for a hit."""

MAX_DEPTH = 60
"""Nesting of a condition that is compiled; deeper ones are refused (people write 3 levels)."""

MEMORY_SIZE = 2_048
"""Distinct values per remembered test; user agents and user names of a large cluster fit."""

_REMEMBERED_FIELDS = frozenset({"userAgent", "user.username", "sourceIPs", "user.groups"})
_WHOLE_RECORD = (sigma_types.SigmaNull, sigma_types.SigmaExists, sigma_types.SigmaFieldReference)

_SCALAR_COST = 0
_DERIVED_COST = 1
_BODY_COST = 2
_KEYWORD_COST = 3


class Compiled(msgspec.Struct, frozen=True):
    """A compiled condition."""

    node: nodes.Node
    boxes: bounds.Boxes
    leaves: tuple[Leaf, ...]
    """Tests outside any ``not``."""
    fields: frozenset[str]
    """Full names of all fields the condition reads."""
    negated: bounds.Boxes = bounds.ANYTHING
    """Boxes of the opposite."""

    @property
    def test(self) -> Predicate:
        """The whole condition as one predicate."""
        return nodes.predicate(self.node)


def compile_tree(node: object, *, where: str) -> Compiled:
    """Compile a condition tree as pySigma gives it after parsing.

    Raises
    ------
    BadRuleError
        When a field or a value cannot be judged record by record.
    """
    return _node(node, where=where, depth=0)


def any_compiled(parts: list[Compiled]) -> Compiled:
    """Join the conditions of a rule that has several: any of them."""
    if len(parts) == 1:
        return parts[0]
    return _join(parts, require_all=False)


def _node(node: object, *, where: str, depth: int) -> Compiled:
    if depth > MAX_DEPTH:
        raise errors.BadRuleError(f"the condition is nested deeper than {MAX_DEPTH} levels", where=where)
    if isinstance(node, sigma_conditions.ConditionAND):
        args = [part for arg in node.args for part in _flat(arg)]
        return _join([_node(arg, where=where, depth=depth + 1) for arg in args], require_all=True)
    if isinstance(node, sigma_conditions.ConditionOR):
        return _join(
            [_alternative(part, where=where, depth=depth + 1) for part in _alternatives(node)], require_all=False
        )
    if isinstance(node, sigma_conditions.ConditionNOT):
        inner = _node(node.args[0], where=where, depth=depth + 1)
        return Compiled(nodes.Not(inner.node), inner.negated, (), inner.fields, inner.boxes)
    if isinstance(node, sigma_conditions.ConditionFieldEqualsValueExpression):
        return _field(node.field, node.value, where=where)
    if isinstance(node, sigma_conditions.ConditionValueExpression):
        return _keyword(node.value, where=where)
    raise errors.BadRuleError("the condition is empty", where=where)


def _alternatives(node: object) -> list[list[object]]:
    """Open nested alternatives, and put those that read the same field together, which makes them one test."""
    flat: list[object] = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, sigma_conditions.ConditionOR):
            waiting.extend(reversed(one.args))
        else:
            flat.append(one)
    groups: dict[object, list[object]] = {}
    for place, one in enumerate(flat):
        alike = isinstance(one, sigma_conditions.ConditionFieldEqualsValueExpression)
        groups.setdefault(one.field if alike else place, []).append(one)  # type: ignore[attr-defined]  # `alike` says so
    return list(groups.values())


def _alternative(group: list[object], *, where: str, depth: int) -> Compiled:
    if len(group) > 1:
        joined = _same_field_texts(group)
        if joined is not None:
            return _texts(*joined, where=where)
        values = _same_field_values(group)
        if values is not None:
            return _values(*values, where=where)
    return _join([_node(one, where=where, depth=depth) for one in group], require_all=False)


def _flat(node: object) -> list[object]:
    """Open nested conjunctions, so that all their parts are put into one order by price."""
    if isinstance(node, sigma_conditions.ConditionAND):
        return [part for arg in node.args for part in _flat(arg)]
    return [node]


def _join(parts: list[Compiled], *, require_all: bool) -> Compiled:
    if len(parts) == 1:
        return parts[0]
    return Compiled(
        (nodes.All if require_all else nodes.Some)(tuple(part.node for part in parts)),
        (bounds.intersection if require_all else bounds.union)(part.boxes for part in parts),
        tuple(leaf for part in parts for leaf in part.leaves),
        frozenset().union(*(part.fields for part in parts)),
        (bounds.union if require_all else bounds.intersection)(part.negated for part in parts),
    )


def _same_field_texts(group: list[object]) -> tuple[str, list[str]] | None:
    """Recognise ``field: [a, b, c]`` with plain values, which is one set lookup."""
    name, texts = "", []
    for one in group:
        if not isinstance(one, sigma_conditions.ConditionFieldEqualsValueExpression):
            return None
        text = matching.plain_text(one.value)
        if text is None:
            return None
        name = one.field
        texts.append(text)
    return name, texts


def _same_field_values(group: list[object]) -> tuple[str, list[sigma_types.SigmaType]] | None:
    """Recognise ``field|contains: [a, b, c]`` and the like, which is one test of one value."""
    leaves = [one for one in group if isinstance(one, sigma_conditions.ConditionFieldEqualsValueExpression)]
    if len(leaves) != len(group) or any(isinstance(leaf.value, _WHOLE_RECORD) for leaf in leaves):
        return None
    return leaves[0].field, [leaf.value for leaf in leaves]


def _values(name: str, values: list[sigma_types.SigmaType], *, where: str) -> Compiled:
    full = fields.canonical(name)
    if full == "responseStatus.code" and len(values) > 1:
        # Among them may be ALLOW or FORBID, which mean another field.
        return _join([_field(name, value, where=where) for value in values], require_all=False)
    get = fields.getter(name, where=where)
    if all(type(value) is sigma_types.SigmaString and _is_plain(value) for value in values):
        return _shared_values(full, tuple(tuple(value.s) for value in values))  # type: ignore[attr-defined]  # as just asked
    return _compared(full, get, matching.any_value(values, where=where, field=name))


def _is_plain(value: sigma_types.SigmaString) -> bool:
    return all(isinstance(part, (str, sigma_types.SpecialChars)) for part in value.s)


@functools.lru_cache(maxsize=MEMORY_SIZE)
def _shared_values(full: str, wanted: tuple[tuple[sigma_types.SigmaStringPartType, ...], ...]) -> Compiled:
    """Compile texts with wildcards, of a field that exists; shared for the same reason as `_shared_texts`."""
    values: list[sigma_types.SigmaType] = []
    for parts in wanted:
        value = sigma_types.SigmaString()
        value.s = list(parts)
        values.append(value)
    return _compared(full, fields.getter(full, where=""), matching.any_value(values, where="", field=full))


def _compared(full: str, get: fields.Getter, matcher: matching.Matcher) -> Compiled:
    if full in _REMEMBERED_FIELDS:
        matcher = matching.remembered(matcher, size=MEMORY_SIZE)
    boxes = (bounds.Box(agents=(matcher,)),) if full == "userAgent" else bounds.present(full)
    return _needing(_leaf(full, get, _over(get, matcher), boxes), full)


def _texts(name: str, texts: list[str], *, where: str) -> Compiled:
    full = fields.canonical(name)
    if full == "responseStatus.code" and not all(text.isdigit() for text in texts):
        return _decision(texts, where=where)
    fields.getter(name, where=where)
    return _shared_texts(full, tuple(texts))


@functools.lru_cache(maxsize=MEMORY_SIZE)
def _shared_texts(full: str, texts: tuple[str, ...]) -> Compiled:
    """Compile plain texts of a field that exists; rules that ask the same share one test, which is then asked once."""
    get = fields.getter(full, where="")
    if full in fields.SCALARS and full != "responseStatus.code":
        wanted = frozenset(texts)
        if len(wanted) == 1:
            only = next(iter(wanted))
            return _leaf(full, get, lambda facts: get(facts).lower() == only, bounds.of_texts(full, texts))
        return _leaf(full, get, lambda facts: get(facts).lower() in wanted, bounds.of_texts(full, texts))
    boxes, negated = bounds.of_texts(full, texts), bounds.of_texts_negated(full, texts)
    if full in derived.REGISTRY and derived.REGISTRY[full].type == "bool" and texts in (("true",), ("false",)):
        if texts == ("true",):
            return _needing(_leaf(full, get, lambda facts: get(facts) is True, boxes, negated), full, flag=True)
        return _leaf(full, get, lambda facts: get(facts) is False, boxes, negated)
    test = _over(get, matching.any_text(texts))
    return _needing(_leaf(full, get, test, boxes, negated), full)


def _decision(texts: list[str], *, where: str) -> Compiled:
    """Read ``responseStatus.code: ALLOW`` as public rules mean it: the decision of the authorizer."""
    wanted = {"allow": True, "allowed": True, "forbid": False, "deny": False}
    unknown = [text for text in texts if text not in wanted and not text.isdigit()]
    if unknown:
        raise errors.BadRuleError(
            f"field 'responseStatus.code': {unknown[0]!r} is no HTTP status; write a number, ALLOW or FORBID",
            where=where,
        )
    parts = [
        _texts("request.allowed", ["true" if wanted[text] else "false"], where=where)
        if text in wanted
        else _texts("responseStatus.code", [text], where=where)
        for text in texts
    ]
    return any_compiled(parts)


def _field(name: str, value: sigma_types.SigmaType, *, where: str) -> Compiled:
    full = fields.canonical(name)
    get = fields.getter(name, where=where)
    if isinstance(value, sigma_types.SigmaNull):
        return _leaf(full, get, lambda facts: _is_absent(get(facts)), bounds.absent(full))
    if isinstance(value, sigma_types.SigmaExists):
        if value.exists:
            return _needing(_leaf(full, get, lambda facts: not _is_absent(get(facts)), bounds.present(full)), full)
        return _leaf(full, get, lambda facts: _is_absent(get(facts)), bounds.absent(full))
    if isinstance(value, sigma_types.SigmaFieldReference):
        return _reference(full, get, value, where=where)
    text = matching.plain_text(value)
    if text is not None and text != "" and not isinstance(value, sigma_types.SigmaNumber):
        return _texts(name, [text], where=where)
    return _values(name, [value], where=where)


def _leaf(  # noqa: PLR0913 - what a leaf and its boxes are made of
    full: str,
    get: fields.Getter,
    test: Predicate,
    boxes: bounds.Boxes,
    negated: bounds.Boxes = bounds.ANYTHING,
    *,
    lone: bool = True,
) -> Compiled:
    if full in fields.SCALARS:
        cost = _SCALAR_COST
    else:
        cost = _DERIVED_COST if fields.needed_level(full) == "Metadata" else _BODY_COST
    leaf = Leaf(full, get, test, cost, lone=lone)
    return Compiled(leaf, boxes, (leaf,), frozenset({full}), negated)


def _needing(compiled: Compiled, full: str, *, flag: bool = False) -> Compiled:
    """Note the key without which a test fails, for tests that an absent value fails.

    Of flags that is only the test for true (`flag`): false may be said by leaving the key out.
    """
    key = derived_pod.WORDS.get(full, "")
    if not key or (derived.REGISTRY[full].type == "bool" and not flag):
        return compiled
    leaf = msgspec.structs.replace(compiled.leaves[0], word=key)
    return msgspec.structs.replace(compiled, node=leaf, leaves=(leaf,))


def _over(get: fields.Getter, matcher: matching.Matcher) -> Predicate:
    def test(facts: derived.Facts) -> bool:
        got = get(facts)
        if got is None:
            return False
        if isinstance(got, (list, tuple)):
            return any(matcher(one) for one in got if not isinstance(one, (dict, list)))
        return not isinstance(got, dict) and matcher(got)

    return test


def _is_absent(got: Any) -> bool:
    return got is None or (isinstance(got, (str, list, tuple)) and not got)


def _reference(full: str, get: fields.Getter, value: sigma_types.SigmaFieldReference, *, where: str) -> Compiled:
    other = fields.getter(value.field, where=where)

    def agree(left: str, right: str) -> bool:
        if value.starts_with and value.ends_with:
            return right in left
        if value.starts_with:
            return left.startswith(right)
        return left.endswith(right) if value.ends_with else left == right

    def test(facts: derived.Facts) -> bool:
        lefts, rights = _folded(get(facts)), _folded(other(facts))
        return any(agree(left, right) for left in lefts for right in rights)

    leaf = _leaf(full, get, test, bounds.ANYTHING, lone=False)
    return msgspec.structs.replace(leaf, fields=leaf.fields | {fields.canonical(value.field)})


def _folded(got: Any) -> list[str]:
    if _is_absent(got):
        return []
    values = got if isinstance(got, (list, tuple)) else [got]
    return [matching.text_of(one).lower() for one in values if not isinstance(one, (dict, list))]


def _keyword(value: sigma_types.SigmaType, *, where: str) -> Compiled:
    """Compile a value without a field: anywhere in the record."""
    if isinstance(value, sigma_types.SigmaString) and all(isinstance(part, str) for part in value.s):
        wanted = "".join(str(part) for part in value.s).lower()
        return _anywhere(lambda facts: wanted in _whole_text(facts).lower())
    if isinstance(value, sigma_types.SigmaNumber):
        wanted = str(value.number)
        return _anywhere(lambda facts: wanted in _whole_text(facts))
    if isinstance(value, sigma_types.SigmaString):
        multi = sigma_types.SpecialChars.WILDCARD_MULTI
        value = multi + value if not value.startswith(multi) else value
        value = value + multi if not value.endswith(multi) else value
    matcher = matching.value_matcher(value, where=where, field="(keyword)")
    return _anywhere(lambda facts: matcher(_whole_text(facts)))


def _anywhere(test: Predicate) -> Compiled:
    leaf = Leaf("", lambda _facts: None, test, _KEYWORD_COST, lone=False)
    return Compiled(leaf, bounds.ANYTHING, (), frozenset())


def _whole_text(facts: derived.Facts) -> str:
    activity = facts.activity
    source = activity.record
    bodies = (
        bytes(raw).decode(errors="replace")
        for raw in (source.request_object, source.response_object, source.annotations)
    )
    parts = (
        activity.verb,
        activity.principal.username,
        activity.api_group,
        activity.resource,
        activity.subresource,
        activity.namespace,
        activity.name,
        activity.request_uri,
        activity.user_agent,
        *(source.source_ips or ()),
    )
    return "\n".join((*parts, *bodies))
