"""The README is true: its demo block is what the demo prints, its links lead somewhere, its commands exist."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

from riverwatch.cli import main

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("demo")
    ran = subprocess.run(
        [sys.executable, "-m", "riverwatch.demo"], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    return ran.stdout, (folder / "demo-report.html").read_text(encoding="utf-8")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.slow
def test_demo_block_is_what_the_demo_prints(demo):
    block = README.split("$ make demo\n", 1)[1].split("```", 1)[0]
    printed = squeezed(demo[0])
    for line in block.strip().splitlines():
        assert squeezed(line).strip() in printed


@pytest.mark.slow
def test_demo_page_names_the_stolen_credential(demo):
    assert "databases/postgres-operator" in demo[1]


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_commands_exist():
    for command in set(re.findall(r"^riverwatch ([a-z]+)", README, re.MULTILINE)):
        assert command in main.HELP
