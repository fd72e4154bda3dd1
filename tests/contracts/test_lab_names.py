"""No detector may know the lab: names that occur only there are looked for in everything that judges."""

from __future__ import annotations

import pathlib
import re

import pytest

import riverwatch
from riverwatch.lab import world
from riverwatch.lab.company import people, system, teams
from riverwatch.lab.recording import scene

JUDGES = ("activity", "features", "rules", "models", "scoring", "detections", "runtime", "outputs", "sources")
"""Packages that take part in a judgement."""

PACKAGE = pathlib.Path(riverwatch.__file__).parent


def words() -> set[str]:
    """Collect every name that only the recorded company has."""
    found = set(world.LAB_ONLY_NAMES) | set(scene.OUTSIDE)
    found |= {person.name for person in people.PEOPLE} | {one.account for one in people.PIPELINES}
    found |= {f"{one.namespace}/{one.name}" for one in teams.WORKLOADS} | {one.name for one in system.NODES}
    return found


@pytest.mark.parametrize("folder", JUDGES)
def test_no_judge_knows_a_name_of_the_lab(folder):
    pattern = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in sorted(words())), re.IGNORECASE)
    pages = [path for path in sorted((PACKAGE / folder).rglob("*")) if path.suffix in {".py", ".yml", ".yaml", ".json"}]
    guilty = [
        f"{page.relative_to(PACKAGE)}: {hit.group()}" for page in pages if (hit := pattern.search(page.read_text()))
    ]
    assert pages
    assert guilty == []


@pytest.mark.parametrize("folder", JUDGES)
def test_no_judge_imports_the_lab(folder):
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        assert "riverwatch.lab" not in path.read_text(), path
