"""Find the attacks: every module of this folder that defines ``ATTACK`` is one.

Out: a mapping from id to `Attack`, sorted by id. A module whose card's id is not its file name refuses to load.
Called by `lab record`, `lab attack` and the contract suite.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence

from riverwatch import errors
from riverwatch.lab import attacks as folder
from riverwatch.lab.attacks import base


@functools.cache
def load() -> Mapping[str, base.Attack]:
    """Give every attack by its id.

    Raises
    ------
    BadInputError
        When a file's name and its card's id differ.
    """
    found: dict[str, base.Attack] = {}
    for module in sorted(pkgutil.iter_modules(folder.__path__), key=lambda entry: entry.name):
        attack = getattr(importlib.import_module(f"{folder.__name__}.{module.name}"), "ATTACK", None)
        if attack is None:
            continue
        if attack.card.id != module.name.replace("_", "-"):
            raise errors.BadInputError(
                f"the card's id is {attack.card.id!r}; name it like the file, {module.name.replace('_', '-')!r}",
                where=f"{module.name}.py",
            )
        found[attack.card.id] = attack
    return dict(sorted(found.items()))


def named(names: Sequence[str]) -> list[base.Attack]:
    """Give the attacks with these ids, all of them for no names.

    Raises
    ------
    BadInputError
        When an id is unknown; the message lists the known ones.
    """
    known = load()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise errors.BadInputError(f"unknown attack {', '.join(unknown)}; known are: {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())
