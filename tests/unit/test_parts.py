"""``make test-fast`` runs every file exactly once, in parts of about the same length, and fails when one part does."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def parts():
    spec = importlib.util.spec_from_file_location("parts", ROOT / "tests" / "parts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def names(parts):
    return parts.files()


@pytest.fixture(scope="module")
def weights(parts):
    return json.loads(parts.WEIGHTS.read_text(encoding="utf-8"))


def test_every_file_with_a_test_is_found(names):
    found = set(names)
    tests = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
    examples = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "operator" / "riverwatch").rglob("*.py")
        if ">>>" in file.read_text(encoding="utf-8")
    }
    assert found >= examples
    assert {name for name in tests - found if not name.startswith("tests/perf/")} == set()
    assert {name for name in found - tests if not name.startswith("operator/")} == set()


@pytest.mark.parametrize("count", [1, 2, 3, 64], ids=lambda count: f"{count} parts")
def test_every_file_is_in_exactly_one_part(parts, names, weights, count):
    split = parts.split(names, weights=weights, count=count)
    assert len(split) == count
    assert all(split)
    assert sorted(name for part in split for name in part) == names


def test_parts_take_about_the_same_time(parts, names, weights):
    split = parts.split(names, weights=weights, count=2)
    sums = [sum(weights.get(name, parts.UNKNOWN_S) for name in part) for part in split]
    assert max(sums) - min(sums) <= 1.0


def test_weights_are_of_files_that_exist(names, weights):
    assert set(weights) <= set(names)


@pytest.mark.parametrize("ends", [(0, 0), (5, 0), (0, 1), (0, -9)], ids=["both", "first none", "second", "killed"])
def test_one_that_fails_or_has_no_test_fails_the_whole(parts, ends, capfdbinary):
    commands = [
        [sys.executable, "-S", "-c", f"import os; os.write(1, b'{number}\\n'); " + end_with(end)]
        for number, end in enumerate(ends)
    ]
    assert parts.run(commands) == int(any(ends))
    assert sorted(capfdbinary.readouterr().out.split()) == [b"0", b"1"]


def end_with(status: int) -> str:
    return f"os.kill(os.getpid(), {-status})" if status < 0 else f"os._exit({status})"
