"""Replays every folder beside this file and compares what is printed with `expect.yaml`."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml

HERE = pathlib.Path(__file__).parent
FOLDERS = sorted(path for path in HERE.iterdir() if (path / "expect.yaml").exists())


def matches(expected, got) -> bool:
    if expected == "<ANY>":
        return True
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(matches(value, got.get(key)) for key, value in expected.items())
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(matches(one, other) for one, other in zip(expected, got, strict=True))
        )
    return expected == got


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder, riverwatch):
    assert (folder / "README.md").read_text(encoding="utf-8").strip()
    command = ["replay", folder / "input.jsonl", "-o", "jsonl"]
    for option, file in (("--policy", "policy.yaml"), ("--objects", "objects.yaml")):
        if (folder / file).exists():
            command += [option, folder / file]
    if (folder / "learn_until").exists():
        command += ["--learn-until", (folder / "learn_until").read_text(encoding="utf-8").strip()]
    ran = riverwatch(*command)
    assert ran.returncode == 0, ran.stderr.decode()
    got = [json.loads(line) for line in ran.stdout.splitlines()]
    expected = yaml.safe_load((folder / "expect.yaml").read_text(encoding="utf-8")) or []
    told = f"expected\n{yaml.safe_dump(expected)}\ngot\n{yaml.safe_dump(got)}\n{ran.stderr.decode()}"
    assert matches(expected, got), told


def test_there_are_scenarios():
    assert len(FOLDERS) >= 4
