"""Stage 4a words: a condition as a tree of tests -> one predicate, or what is left of it when some fields are known.

`settle` evaluates the parts that only depend on known fields, once for all records that agree in them; what is left is
usually nothing. Trees are immutable. Made by `rules.conditions`, run by `rules.plans` and `rules.engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from riverwatch.activity import derived
from riverwatch.rules import fields

Predicate = Callable[[derived.Facts], bool]
"""Whether a condition holds for one record."""


class Leaf(msgspec.Struct, frozen=True, eq=False):
    """One test of one field; of two for field references, of none in particular for keywords."""

    field: str
    """Full name; empty for keywords."""
    get: fields.Getter
    test: Predicate
    cost: int = 0
    """Rough price, so that cheap tests run first."""
    lone: bool = True
    """Whether `field` is all that the test reads."""
    word: str = ""
    """Key without which the test fails, one of `derived_pod.WORDS`; empty when there is none."""


class All(msgspec.Struct, frozen=True, eq=False):
    """Holds when every part does."""

    parts: tuple[Node, ...]


class Some(msgspec.Struct, frozen=True, eq=False):
    """Holds when any part does."""

    parts: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True, eq=False):
    """Holds when the part does not."""

    part: Node


Node: TypeAlias = "Leaf | All | Some | Not | bool"
"""A condition, or its outcome where that is known."""


def cost(node: Node) -> int:
    """Return the price of the dearest test."""
    return max((leaf.cost for leaf in leaves(node)), default=0)


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield every test."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Not):
        yield from leaves(node.part)
    elif isinstance(node, (All, Some)):
        for part in node.parts:
            yield from leaves(part)


def word(node: Node) -> str:
    """Return a key without which the condition cannot hold; empty when none is known."""
    parts = node.parts if isinstance(node, All) else (node,)
    return next((part.word for part in parts if isinstance(part, Leaf) and part.word), "")


def settle(node: Node, facts: derived.Facts, known: Callable[[str], bool]) -> Node:
    """Return what is left of a condition when some fields are known.

    Parameters
    ----------
    node
        The condition.
    facts
        Any of the records that agree in the known fields.
    known
        Whether a field, by its full name, is one of them.
    """
    if isinstance(node, Leaf):
        if not (node.lone and known(node.field)):
            return node
        try:
            return bool(node.test(facts))
        except Exception:  # noqa: BLE001 - a faulty test is left for the engine, which counts its faults
            return node
    if isinstance(node, Not):
        part = settle(node.part, facts, known)
        return not part if isinstance(part, bool) else Not(part)
    if isinstance(node, (All, Some)):
        return _settle_parts(node, facts, known)
    return node


def _settle_parts(node: All | Some, facts: derived.Facts, known: Callable[[str], bool]) -> Node:
    ends = isinstance(node, Some)
    left: list[Node] = []
    for part in node.parts:
        settled = settle(part, facts, known)
        if settled is ends:
            return ends
        if not isinstance(settled, bool):
            left.append(settled)
    if len(left) < 2:
        return left[0] if left else not ends
    return Some(tuple(left)) if ends else All(tuple(left))


def predicate(node: Node) -> Predicate:
    """Compile a condition: cheap tests first, each only as far as needed."""
    if isinstance(node, bool):
        return lambda _facts: node
    if isinstance(node, Leaf):
        return node.test
    if isinstance(node, Not):
        inner = predicate(node.part)
        return lambda facts: not inner(facts)
    tests = tuple(predicate(part) for part in sorted(node.parts, key=cost))
    if len(tests) == 2:
        first, second = tests
        if isinstance(node, All):
            return lambda facts: first(facts) and second(facts)
        return lambda facts: first(facts) or second(facts)
    return _all(tests) if isinstance(node, All) else _any(tests)


def _all(tests: tuple[Predicate, ...]) -> Predicate:
    def test(facts: derived.Facts) -> bool:
        for one in tests:  # noqa: SIM110 - a generator costs three times as much on the hot path
            if not one(facts):
                return False
        return True

    return test


def _any(tests: tuple[Predicate, ...]) -> Predicate:
    def test(facts: derived.Facts) -> bool:
        for one in tests:  # noqa: SIM110 - see above
            if one(facts):
                return True
        return False

    return test
