"""Stage 4a: the folder of built-in rules -> compiled `Rule`s, once at start, in a fixed order.

The folder is the list: ``catalog/<tactic>/<what>.yml``, with its cases in ``<what>.cases.yml``. A built-in rule that
does not compile stops the start and fails the tests; user rules are loaded by `control`, where a broken one is off
alone. Called by `runtime`, `cli.rules` and tests.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterator
from importlib.resources import abc as resources_abc

from riverwatch import errors
from riverwatch.rules import rule, sigma

RULE_ENDING = ".yml"
"""Ending of a rule file."""

CASES_ENDING = ".cases.yml"
"""Ending of the file with a rule's cases."""


def catalog_folder() -> resources_abc.Traversable:
    """Return the folder of built-in rules inside the package."""
    return importlib.resources.files("riverwatch.rules").joinpath("catalog")


def rule_files() -> Iterator[tuple[str, resources_abc.Traversable]]:
    """Yield ``<tactic>/<what>`` and the file of every built-in rule, sorted."""
    for tactic in sorted(catalog_folder().iterdir(), key=lambda item: item.name):
        if tactic.is_dir():
            for file in sorted(tactic.iterdir(), key=lambda item: item.name):
                if file.name.endswith(RULE_ENDING) and not file.name.endswith(CASES_ENDING):
                    yield f"{tactic.name}/{file.name.removesuffix(RULE_ENDING)}", file


@functools.cache
def load_catalog() -> tuple[rule.Rule, ...]:
    """Compile every built-in rule, once per process: rules never change, and what is counted for them is the engine's.

    Raises
    ------
    BadRuleError
        When one does not compile or two have the same id.
    """
    rules: list[rule.Rule] = []
    seen: dict[str, str] = {}
    for path, file in rule_files():
        compiled = sigma.compile_text(
            file.read_text(encoding="utf-8"), origin=f"{path}{RULE_ENDING}", default_id=path.rpartition("/")[2]
        )
        for one in compiled:
            if one.key in seen:
                raise errors.BadRuleError(f"the id {one.key!r} is taken by {seen[one.key]}", where=path)
            seen[one.key] = path
        rules += compiled
    return tuple(rules)
