"""How soon a running operator shows an attack: the measurement of `riverwatch lab latency`, end to end."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from riverwatch.cli import lab, lab_attack

NAMES = ("anonymous-access", "csr-persistence", "cluster-admin-binding", "secret-dump", "webhook-backdoor")
"""Attacks that a rule on a single record raises."""

MOST_S = 15.0
"""Longest median that passes, seconds: this machine is shared, the figure itself is printed."""


def test_times_attacks_on_a_running_operator(site, running, tmp_path):
    assert running.ready()
    assert lab_attack.lab is lab
    told = tmp_path / "latency.json"
    command = ["latency", *NAMES, "--directory", str(site.plane.paths.folder), "--patience", "60", "--json", str(told)]

    result = CliRunner().invoke(lab.app, command)

    assert result.exit_code == 0, result.output
    found = json.loads(told.read_text())
    assert (found["attacks"], found["seen"], found["missed"]) == (len(NAMES), len(NAMES), [])
    assert 0 < found["median_s"] <= found["p95_s"]
    assert found["median_s"] <= MOST_S


def test_names_the_attack_that_nothing_was_seen_of(site, running):
    assert running.ready()
    command = ["latency", "config-rewrite", "--directory", str(site.plane.paths.folder), "--patience", "2"]

    result = CliRunner().invoke(lab.app, command)

    assert result.exit_code == 0, result.output
    assert "not seen: config-rewrite" in result.output
