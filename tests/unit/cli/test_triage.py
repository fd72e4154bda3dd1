"""``riverwatch triage``: the patch that is written, the exception that is printed, and that it silences."""

from __future__ import annotations

import pathlib

import msgspec
import pytest
import typer.testing
import yaml

from riverwatch.cli import triage
from riverwatch.detections import finding, render
from riverwatch.scoring import exception_draft, policy_files

SCENARIO = pathlib.Path(__file__).parents[2] / "scenarios" / "cluster-admin-without-history"
PATH = "/apis/riverwatch.dev/v1alpha1/namespaces/web/threatdetections/rw-abc"


@pytest.fixture
def stored(memory_api, detection) -> dict:
    body = render.to_threat_detection(detection(uid="abc", namespace="web"))
    body["metadata"]["resourceVersion"] = "1"
    memory_api.objects[PATH] = body
    return memory_api.objects


@pytest.fixture
def kubeconfig(served_api, tmp_path) -> pathlib.Path:
    path = tmp_path / "kubeconfig"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "web"}}],
        "clusters": [{"name": "c", "cluster": {"server": served_api.connection.server}}],
        "users": [{"name": "u", "user": {"token": "abc"}}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def call(kubeconfig: pathlib.Path, *arguments: str) -> typer.testing.Result:
    app = typer.Typer()
    app.command()(triage.triage)
    command = ["rw-abc", "--kubeconfig", str(kubeconfig), "--by", "ana@example.com", "--reason", "drill", *arguments]
    return typer.testing.CliRunner().invoke(app, command)


def test_verdict_is_written_and_an_exception_printed(stored, kubeconfig):
    result = call(kubeconfig, "--verdict", "FalsePositive", "--expires", "2026-06-01T00:00:00Z")

    assert result.exit_code == 0, result.output
    assert stored[PATH]["spec"]["triage"] == {
        "verdict": "FalsePositive",
        "reason": "drill",
        "by": "ana@example.com",
        "expiresAt": "2026-06-01T00:00:00Z",
    }
    assert stored[PATH]["spec"]["severity"] == "High"
    (exception,) = yaml.safe_load(result.stdout)["spec"]["exceptions"]
    assert exception["expiresAt"] == "2026-06-01T00:00:00Z"
    assert exception["reason"] == "FalsePositive: drill"


def test_true_positive_prints_no_exception(stored, kubeconfig):
    result = call(kubeconfig, "--verdict", "truepositive")

    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert stored[PATH]["spec"]["triage"] == {"verdict": "TruePositive", "reason": "drill", "by": "ana@example.com"}


def test_missing_detection_is_named(kubeconfig, memory_api):
    result = call(kubeconfig, "--verdict", "Expected", "-n", "nowhere")

    assert result.exit_code == 1
    assert "nowhere/rw-abc" in str(result.exception)
    assert "kubectl get rwtd -A" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [(["--expires", "soon"], "--expires"), (["--reason", " "], "--reason")],
    ids=["a time that is none", "no reason"],
)
def test_bad_option_is_named(kubeconfig, arguments, wrong):
    result = call(kubeconfig, "--verdict", "Expected", *arguments)

    assert result.exit_code == 1
    assert wrong in str(result.exception)


def test_printed_exception_is_valid_and_silences_the_same_thing(riverwatch, tmp_path):
    log = str(SCENARIO / "input.jsonl")
    before = riverwatch("replay", log, "-o", "yaml")
    listed = [body for body in yaml.safe_load_all(before.stdout) if body]
    assert listed
    found = tmp_path / "found.yaml"
    found.write_bytes(before.stdout)
    policies = tmp_path / "policies"
    policies.mkdir()
    for number, body in enumerate(listed):
        name = body["metadata"]["name"]
        made = riverwatch("triage", name, "--file", str(found), "--verdict", "Expected", "--reason", "drill")
        assert made.returncode == 0, made.stderr
        (policies / f"{number}.yaml").write_bytes(made.stdout)

    assert riverwatch("policy", "validate", str(policies)).returncode == 0
    after = riverwatch("replay", log, "-o", "jsonl", "--policy", str(policies))
    assert (after.returncode, after.stdout) == (0, b"")


def draft(detection, **changes) -> dict:
    body = render.to_threat_detection(detection(**changes))
    return exception_draft.draft(body, reason="drill", expires_at="2026-06-01T00:00:00Z")


def test_exception_is_no_wider_than_the_detection(detection):
    body = render.to_threat_detection(detection(uid="abc"))
    policy = exception_draft.draft(body, reason="drill", expires_at="2026-06-01T00:00:00Z")

    for exception in policy["spec"]["exceptions"]:
        assert set(exception["detections"]) == set(body["spec"]["detectors"])
        assert exception["match"]["actors"]
        assert exception["match"]["resources"]


def test_exception_of_a_person_holds_for_the_cluster(detection, tmp_path):
    policy = draft(detection, actor=finding.Actor("User", "ana@example.com"))

    assert policy["kind"] == "ClusterDetectionPolicy"
    assert policy["spec"]["exceptions"][0]["match"]["actors"] == ["ana@example.com"]
    file = tmp_path / "policy.json"
    file.write_bytes(msgspec.json.encode(policy))
    assert policy_files.inspect([file]).problems == ()


def test_name_cannot_widen_an_exception(detection):
    policy = draft(detection, actor=finding.Actor("User", "a*"))

    assert policy["spec"]["exceptions"][0]["match"]["actors"] == ["a?"]
