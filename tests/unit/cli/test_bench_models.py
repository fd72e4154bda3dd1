"""The command line of the benchmark of models."""

from __future__ import annotations

import csv
import json

import pytest
import typer.testing

from riverwatch import clock, testing
from riverwatch.activity import sample
from riverwatch.cli import main


def run(*arguments: str):
    return typer.testing.CliRunner().invoke(main.app, ["bench", "models", *arguments])


@pytest.mark.slow
def test_a_small_load_is_told_as_json(tmp_path):
    records = [
        sample.audit_record(
            verb="list" if number == 90 else "get",
            resource="secrets" if number == 90 else "configmaps",
            username="system:serviceaccount:web:front",
            time=clock.rfc3339(testing.START_S + 60.0 * number),
            audit_id=f"id-{number}",
        )
        for number in range(100)
    ]
    (tmp_path / "audit.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["auditID", "scenario"], ["id-90", "stolen"]])
    done = run("--load", str(tmp_path), "--no-peer", "-o", "json")
    assert done.exit_code == 0, done.output
    (outcome,) = json.loads(done.stdout)
    by_name = {row["name"]: row for row in outcome["rows"]}
    assert by_name["plain-sum"]["flags"] == by_name["novelty"]["flags"] == 1
    assert (outcome["counted"], outcome["suspicious"]) == (80, 1)


def test_a_folder_without_records_is_refused_with_the_reason(tmp_path):
    done = run("--load", str(tmp_path))
    assert done.exit_code == 1
    assert "labels.csv" in done.stderr


def test_memory_of_few_identities_is_told_by_part():
    done = run("--memory", "--identities", "10", "--namespaces", "2")
    assert done.exit_code == 0, done.output
    assert "10 identities in 2 namespaces" in done.stdout
    assert "volumes" in done.stdout
