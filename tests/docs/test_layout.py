"""The tree keeps its promises: no module shadows the standard library, none is too long, the words hold."""

from __future__ import annotations

import ast
import importlib.metadata
import pathlib
import re
import statistics
from collections.abc import Iterator

import riverwatch
from riverwatch.lab import world

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "riverwatch"
MODULES = sorted(PACKAGE.rglob("*.py"))
TOP = {
    "pyproject.toml",
    "README.md",
    "operator",
    "crds",
    "manifests",
    "tests",
    "kind-config.yaml",
    "Makefile",
    "LICENSE",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "constraints.txt",
    "changelog.d",
    "docs",
}
DETECTORS = ("rules", "models", "features", "scoring", "detections", "activity")


def test_operator_holds_no_python_file():
    assert not list((ROOT / "operator").glob("*.py"))


def test_top_level_is_what_was_agreed():
    listed = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert listed >= TOP
    assert listed - TOP <= {"build", "dist", "demo-report.html"}


def test_modules_are_short():
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES]
    assert max(lengths) <= 400
    assert statistics.median(lengths) <= 150


def test_functions_are_short():
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in functions(path.read_text(encoding="utf-8"))
        if node.end_lineno - node.lineno >= 80
    ]
    assert not too_long


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Find all functions without a look at expressions, which hold none and are most of a tree."""
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        waiting += [one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.expr)]


def test_version_is_written_once():
    assert importlib.metadata.version("riverwatch") == riverwatch.__version__


def test_no_detector_knows_the_lab():
    names = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in world.LAB_ONLY_NAMES))
    for part in DETECTORS:
        for path in (PACKAGE / part).rglob("*"):
            if path.suffix in {".py", ".yml"} and not path.name.endswith(".cases.yml"):
                found = names.search(path.read_text(encoding="utf-8"))
                assert found is None, f"{path}: {found}"
