"""The command line's promises: formats, exit states, and errors that say what, where and what to do."""

from __future__ import annotations

import gzip
import json
import pathlib
import subprocess
import sys

import pytest
import yaml

SCENARIO = pathlib.Path(__file__).parents[2] / "scenarios" / "cluster-admin-without-history" / "input.jsonl"


def test_a_process_of_its_own_prints_the_same(riverwatch):
    """The other tests stay in this process; the program as installed must do as they do."""
    arguments = ["replay", "-", "-o", "jsonl"]
    ran = subprocess.run(
        [sys.executable, "-m", "riverwatch", *arguments],
        input=SCENARIO.read_bytes(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    here = riverwatch(*arguments, stdin=SCENARIO.read_bytes())
    assert ran.stdout == here.stdout != b""
    assert ran.stderr == here.stderr


def test_jsonl_is_one_whole_object_a_line(riverwatch):
    ran = riverwatch("replay", SCENARIO, "-o", "jsonl")
    (line,) = ran.stdout.splitlines()
    assert json.loads(line)["kind"] == "ThreatDetection"
    assert b"read 1, used 1, skipped 0; 1 detection" in ran.stderr
    assert ran.returncode == 0


def test_standard_input_and_gzip_give_the_same(riverwatch):
    plain = riverwatch("replay", SCENARIO, "-o", "jsonl").stdout
    assert riverwatch("replay", "-", "-o", "jsonl", stdin=SCENARIO.read_bytes()).stdout == plain
    assert riverwatch("replay", "-", "-o", "jsonl", stdin=gzip.compress(SCENARIO.read_bytes())).stdout == plain


def test_every_format_can_be_read_back(riverwatch, tmp_path):
    assert json.loads(riverwatch("replay", SCENARIO, "-o", "json").stdout)["items"]
    assert next(yaml.safe_load_all(riverwatch("replay", SCENARIO, "-o", "yaml").stdout))["spec"]
    assert json.loads(riverwatch("replay", SCENARIO, "-o", "ocsf").stdout)["class_uid"] == 2004
    page = tmp_path / "page.html"
    table = riverwatch("replay", SCENARIO, "--report", page).stdout
    assert b"mallory@example.com" in table
    assert "mallory@example.com" in page.read_text(encoding="utf-8")


def test_a_bad_line_is_named_and_the_rest_is_used(riverwatch, tmp_path):
    log = tmp_path / "audit.log"
    log.write_bytes(b'{"broken\n' + SCENARIO.read_bytes())
    ran = riverwatch("replay", log, "-o", "jsonl")
    assert ran.returncode == 0
    assert f"{log}:1: malformed_json".encode() in ran.stderr
    assert len(ran.stdout.splitlines()) == 1


def test_state_goes_on_where_it_ended(riverwatch, tmp_path):
    first = riverwatch("replay", SCENARIO, "--state", tmp_path / "state", "-o", "jsonl")
    again = riverwatch("replay", SCENARIO, "--state", tmp_path / "state", "-o", "jsonl")
    assert len(first.stdout.splitlines()) == 1
    assert b"duplicate 1" in again.stderr
    assert again.stdout == b""


BAD = {
    "a missing file": (("replay", "/no/such/file"), 1, b"/no/such/file"),
    "no audit record": (("replay", __file__), 1, b"no Kubernetes audit record"),
    "a time that is none": (("replay", SCENARIO, "--learn-until", "yesterday"), 1, b"2026-01-15T08:00:00Z"),
    "objects that are none": (("replay", SCENARIO, "--objects", SCENARIO.parent / "README.md"), 1, b"README.md"),
    "a policy that is none": (("replay", SCENARIO, "--policy", SCENARIO), 1, b"input.jsonl"),
    "a rule that is none": (("replay", SCENARIO, "--rules", SCENARIO), 1, b"input.jsonl"),
    "an unknown option": (("replay", SCENARIO, "--bogus"), 2, b"--bogus"),
    "no path": (("replay",), 2, b"PATH"),
    "an unknown command": (("nonsense",), 2, b"nonsense"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_call_says_what_where_and_ends_with_its_status(riverwatch, case):
    arguments, status, named = BAD[case]
    ran = riverwatch(*arguments)
    assert ran.returncode == status, ran.stderr
    assert named in ran.stderr
    assert b"Traceback" not in ran.stderr
