"""Stage 4a words of the index: a rule in force (`Entry`), and what is left to ask of records of one shape (`Steps`).

Immutable but for what `ByNamespace` remembers, which is emptied by `rules.plans`. Made there, run by `rules.engine`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from riverwatch.activity import derived
from riverwatch.rules import correlation, nodes, rule

NAMESPACE_FIELDS = frozenset({"objectRef.namespace", "target.systemNamespace", "target.platform", "target.clusterWide"})
"""Fields that the namespace of the target decides."""


class Entry:
    """One rule in force, with the correlations that it feeds."""

    __slots__ = ("counters", "key", "place", "rule")

    def __init__(self, key: str, one: rule.Rule, place: int = 0) -> None:
        self.key = key
        self.rule = one
        self.place = place
        self.counters: list[tuple[Entry, correlation.Counter]] = []


class Task(enum.Enum):
    """Something else than a rule that the engine has to do with records of a shape."""

    OBSERVE = "observe"
    """Remember who wrote this workload."""
    ATTRIBUTE = "attribute"
    """Find whom a controller acts for."""


Left = list[tuple[Entry, nodes.Node]]
"""Rules with what is left to ask of each."""


class Steps:
    """What is left to do for records of one shape, client and namespace."""

    __slots__ = ("needing", "rules", "tasks")

    def __init__(self, tasks: tuple[Task, ...], left: Left) -> None:
        self.tasks = tasks
        words = [nodes.word(node) for _, node in left]
        rules = [(one, None if node is True else nodes.predicate(node)) for one, node in left]
        self.rules = tuple(one for one, word in zip(rules, words, strict=True) if not word)
        """Rules with the conditions that are left; None for one that holds already."""
        self.needing = tuple((word, *one) for one, word in zip(rules, words, strict=True) if word)
        """The same for rules that cannot hold unless the pod that is written has some key."""


class ByNamespace:
    """A plan that depends on the namespace."""

    __slots__ = ("_of_class", "left", "steps", "tasks", "tests")

    def __init__(self, tasks: tuple[Task, ...], left: Left) -> None:
        self.tasks = tasks
        self.left = left
        self.steps: dict[str, Steps | None] = {}
        self.tests = tuple(
            {
                leaf.test: None
                for _, node in left
                for leaf in nodes.leaves(node)
                if leaf.lone and leaf.field in NAMESPACE_FIELDS
            }
        )
        """What tells namespaces apart."""
        self._of_class: dict[tuple[bool | None, ...], Steps | None] = {}
        """What all of these tests say -> what is left to do; emptied with `steps`."""

    def work_out(self, facts: derived.Facts) -> Steps | None:
        """Return what to do with records of one namespace."""
        answers = tuple(_answer(test, facts) for test in self.tests)
        try:
            return self._of_class[answers]
        except KeyError:
            left = settled(self.left, facts, NAMESPACE_FIELDS.__contains__)
            steps = self._of_class[answers] = Steps(self.tasks, left) if left or self.tasks else None
            return steps

    def forget(self) -> None:
        """Forget all namespaces."""
        self.steps.clear()
        self._of_class.clear()


def _answer(test: nodes.Predicate, facts: derived.Facts) -> bool | None:
    """Return what a test says; None when it fails, which is left to the record, where its faults are counted."""
    try:
        return bool(test(facts))
    except Exception:  # noqa: BLE001 - see above
        return None


def settled(left: Left, facts: derived.Facts, known: Callable[[str], bool]) -> Left:
    """Return the rules that may still hold, with what is left of each when some fields are known."""
    found = ((one, nodes.settle(node, facts, known)) for one, node in left)
    return [(one, node) for one, node in found if node is not False]
