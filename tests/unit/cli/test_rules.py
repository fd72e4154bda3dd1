"""``riverwatch rules``: what it prints, and how it ends."""

from __future__ import annotations

import json
import pathlib

import pytest
import typer.testing

from riverwatch import errors
from riverwatch.cli import rules
from riverwatch.rules import loading

RULE = """title: Pods deleted
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: delete, objectRef.resource: pods}, condition: s}
"""
CASES = """base: {verb: delete, user: {username: ana}, requestReceivedTimestamp: "2026-01-15T08:00:00Z"}
cases:
  - {name: a pod, fires: true, records: [{objectRef: {resource: pods}}]}
  - {name: a node, fires: false, records: [{objectRef: {resource: nodes}}]}
"""


def call(*arguments: str) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(rules.app, list(arguments), catch_exceptions=False)


def test_list_prints_a_line_per_rule() -> None:
    lines = call("list").stdout.splitlines()
    assert lines[0].split() == ["RULE", "SEVERITY", "NEEDS", "ATT&CK", "TITLE"]
    assert any(line.startswith("cluster-admin-binding ") and " High " in line for line in lines)
    assert any(line.startswith("inventory ") and " context " in line for line in lines)


def test_list_prints_cards_as_json() -> None:
    cards = json.loads(call("list", "-o", "json").stdout)
    assert {"id", "severity", "techniques", "covers"} <= set(cards[0])


def test_explain_prints_card_and_condition() -> None:
    text = call("explain", "pod-exec").stdout
    assert "blind spot" in text
    assert "objectRef.subresource: [exec, attach]" in text
    assert "asked about     create, get of pods /attach, exec" in text
    assert "fires on        " in text
    assert "quiet on        " in text
    assert "title:" not in text


def test_explain_shows_a_sequence_with_what_it_counts() -> None:
    text = call("explain", "scaled-to-zero").stdout
    assert "asked about     patch, update of deployments" in text
    assert "timespan: 10m" in text
    assert "object.replicas: 0" in text


def test_explain_works_for_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    for one in loading.load_catalog():
        if one.output:
            rules.explain(one.card.id)
            text = capsys.readouterr().out
            assert "asked about     " in text, one.key
            assert "condition:" in text, one.key


def test_explain_says_when_there_is_no_such_rule() -> None:
    with pytest.raises(errors.BadInputError, match="no built-in rule 'nope'"):
        call("explain", "nope")


def test_own_rules_run_their_cases(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pods.yml").write_text(RULE)
    (tmp_path / "pods.cases.yml").write_text(CASES)
    result = call("test", str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout == "1 rules, 2 cases, 0 failed\n"


def test_a_failing_case_ends_with_1(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pods.yml").write_text(RULE)
    (tmp_path / "pods.cases.yml").write_text(CASES.replace("fires: false", "fires: true"))
    result = call("test", str(tmp_path / "pods.yml"))
    assert result.exit_code == 1
    assert "case 'a node': did not fire" in result.stderr


def test_a_broken_rule_among_good_ones_is_named_and_the_others_run(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pods.yml").write_text(RULE)
    (tmp_path / "pods.cases.yml").write_text(CASES)
    (tmp_path / "bad.yml").write_text(RULE.replace("objectRef.resource", "objectRef.resorce"))
    result = call("test", str(tmp_path))
    assert result.exit_code == 1
    assert "bad.yml" in result.stderr
    assert "objectRef.resorce" in result.stderr
    assert result.stdout == "2 rules, 2 cases, 1 failed\n"


OBJECT = """apiVersion: riverwatch.dev/v1alpha1
kind: DetectionRule
metadata: {name: pods-deleted}
spec:
  sigma: |
    title: Pods deleted
    logsource: {product: kubernetes, service: audit}
    detection: {s: {verb: delete, objectRef.resource: pods}, condition: s}
  cases:
    - name: a pod
      fires: true
      record: {verb: delete, user: {username: ana}, objectRef: {resource: pods}}
"""


def test_a_detection_rule_object_is_examined_as_in_a_cluster(tmp_path: pathlib.Path) -> None:
    (tmp_path / "object.yaml").write_text(OBJECT)
    result = call("test", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "1 rules, 1 cases, 0 failed\n")
    (tmp_path / "object.yaml").write_text(OBJECT.replace("fires: true", "fires: false"))
    result = call("test", str(tmp_path))
    assert result.exit_code == 1
    assert "fired: ana deleted pods" in result.stderr


def test_an_empty_folder_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.BadInputError, match="no rule files"):
        call("test", str(tmp_path))


def test_a_missing_path_is_an_error() -> None:
    with pytest.raises(errors.BadInputError, match="no such file"):
        call("test", "/nowhere/at/all")


def test_docs_are_written_and_checked(tmp_path: pathlib.Path) -> None:
    assert call("docs", str(tmp_path)).exit_code == 0
    assert call("docs", str(tmp_path), "--check").exit_code == 0
    (tmp_path / rules.RULES_PAGE).write_text("old")
    with pytest.raises(errors.BadInputError, match="out of date"):
        call("docs", str(tmp_path), "--check")
