"""The recording that ships with the package: small, whole, made by the command that stands beside it."""

from __future__ import annotations

import json
import pathlib

import msgspec
import pytest
import zstandard

import riverwatch
from riverwatch.lab import world

DEMO = pathlib.Path(riverwatch.__file__).parent / "demo"

MOST_BYTES = 3_000_000
"""Most that the compressed audit log may take."""


@pytest.fixture(scope="module")
def records() -> list[dict]:
    """The demo's audit records."""
    with zstandard.open(DEMO / "audit.jsonl.zst", "rb") as stream:
        return msgspec.json.Decoder().decode_lines(stream.read())


def test_demo_is_small_and_holds_what_its_facts_say(records):
    facts = json.loads((DEMO / "meta.json").read_text())
    assert (DEMO / "audit.jsonl.zst").stat().st_size <= MOST_BYTES
    assert len(records) == facts["records"]
    assert facts["attacks"] == 1
    assert facts["identities"] >= 60


def test_demo_page_names_the_command_that_made_it():
    facts = json.loads((DEMO / "meta.json").read_text())
    page = (DEMO / "README.md").read_text()
    assert f"    {facts['command']}\n" in page
    assert f"--seed {facts['seed']} " in facts["command"]
    assert "/tmp" not in page + facts["command"]


def test_demo_tells_one_break_in_after_days_of_life(records):
    (attack,) = world.read_labels(DEMO).attacks()
    assert world.parse_rfc3339(attack.start) > world.START_S + 3 * world.DAY_S
    mine = [record for record in records if record["auditID"] in set(attack.audit_ids)]
    assert len({record["auditID"] for record in mine}) == len(attack.audit_ids) > 15
    assert {record["user"]["username"] for record in mine} == set(attack.identities)
    bodies = [
        record["requestObject"]
        for record in mine
        if record.get("objectRef", {}).get("resource") == "pods" and "requestObject" in record
    ]
    assert any(
        container.get("securityContext", {}).get("privileged")
        for body in bodies
        for container in body.get("spec", {}).get("containers", ())
    )
    assert mine[-1]["stageTimestamp"] < records[-1]["stageTimestamp"]
