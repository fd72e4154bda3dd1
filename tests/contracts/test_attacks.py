"""What holds for every attack simulation; a new file in the folder is checked by being there.

What needs a real API server (rights held, cleanup, labels against the audit log) is in `tests/e2e/test_attacks.py`.
"""

import ast
import importlib
import inspect
import re

import pytest

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, catalog

ATTACKS = catalog.load()
EACH = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)

LEAST = 30
LEAST_SUBTLE = 0.4

MARKS = re.compile(r"riverwatch|attack|evil|malicious|hacker|simulat|\blab\b", re.IGNORECASE)
"""Words that would give an attack away to a detector that knows the lab."""


def tree_of(attack: base.Attack) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(attack.script.__module__)))


def test_are_many_and_subtle_enough():
    subtle = [attack for attack in ATTACKS.values() if attack.card.subtlety is base.Subtlety.SUBTLE]
    assert len(ATTACKS) >= LEAST
    assert len(subtle) / len(ATTACKS) >= LEAST_SUBTLE


def test_cover_every_use_case():
    assert {attack.card.use_case for attack in ATTACKS.values()} == set(vocabulary.UseCase)


def test_misuse_every_part():
    assert {attack.card.victim for attack in ATTACKS.values()} == set(base.Part)


@EACH
def test_has_a_complete_card(attack):
    card = attack.card
    for text in (card.title, card.does, card.seen_by, card.cleans_up):
        assert len(text) > 10, f"{card.id}: say it in a sentence"
    assert re.fullmatch(r"T\d{4}(\.\d{3})?", card.technique.id)
    assert card.technique.name
    assert card.technique.tactic
    assert card.technique.version == vocabulary.ATTACK_VERSION
    assert card.lasts_s > 0


@EACH
def test_uses_nothing_but_its_context(attack):
    """A script that sleeps, reads a clock or draws its own chance cannot be replayed at simulated times."""
    imported = {
        alias.name
        for node in ast.walk(tree_of(attack))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & {"time", "random", "datetime", "secrets", "uuid", "requests", "kubernetes", "socket"}


@EACH
def test_leaves_no_mark_of_the_lab(attack):
    """Names, agents and bodies that an attack sends must not tell that it is one."""
    script = next(node for node in tree_of(attack).body if isinstance(node, ast.FunctionDef) and node.name == "script")
    texts = [
        node.value
        for statement in script.body[1:]
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [text for text in texts if MARKS.search(text)]


def test_share_no_title():
    titles = [attack.card.title for attack in ATTACKS.values()]
    assert len(set(titles)) == len(titles)
