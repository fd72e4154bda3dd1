"""Policies in files: what is loaded, what is left out, and where each mistake is."""

from __future__ import annotations

import pathlib

import pytest
from typer import testing

from riverwatch import errors
from riverwatch.cli import crds as crds_command
from riverwatch.cli import policy as policy_command
from riverwatch.scoring import policy_files

ROOT = pathlib.Path(__file__).parents[3]

GOOD = """\
apiVersion: riverwatch.dev/v1alpha1
kind: DetectionPolicy
metadata: {name: web, namespace: web}
spec: {mode: RulesOnly}
"""

BAD = """\
apiVersion: v1
kind: Namespace
---
apiVersion: riverwatch.dev/v1alpha1
kind: DetectionPolicy
metadata:
  name: bad
spec:
  mode: Off
  exceptions:
    - name: n
      match:
        actors: ["*"]
---
kind: DetectionPolicy
---
apiVersion: riverwatch.dev/v2
kind: DetectionPolicy
---
apiVersion: riverwatch.dev/v1alpha1
kind: ClusterDetectionPolicy
metadata: {}
spec: {}
"""


def test_loads_documents_lists_and_folders(tmp_path: pathlib.Path) -> None:
    indented = "".join(f"    {line}\n" for line in GOOD.replace("name: web", "name: listed").splitlines())
    (tmp_path / "a.yaml").write_text("kind: List\napiVersion: v1\nitems:\n  -\n" + indented)
    (tmp_path / "b.yml").write_text("---\n" + GOOD)
    (tmp_path / "c.txt").write_text("not read")

    policies = policy_files.load_policy_files([tmp_path])

    assert policies.effective("web").refs == ("DetectionPolicy/web/listed", "DetectionPolicy/web/web")


def test_says_where_every_mistake_is(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)

    loaded = policy_files.inspect([path])

    assert loaded.notes == (f"{path}:1 (document 1): Namespace is no policy; left out",)
    assert [problem.removeprefix(f"{path}:").partition(": ")[0] for problem in loaded.problems] == [
        "9 (document 2)",
        "11 (document 2)",
        "13 (document 2)",
        "15 (document 3)",
        "17 (document 4)",
        "22 (document 5)",
    ]
    assert "spec.exceptions[0].reason: is required" in loaded.problems[1]
    with pytest.raises(errors.BadPolicyError, match="write Disabled") as failure:
        policy_files.load_policy_files([path])
    assert len(str(failure.value).splitlines()) == 6


def test_names_the_line_inside_a_list(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: riverwatch.dev/v1alpha1\n  kind: DetectionPolicy\n"
        "  metadata: {name: a}\n  spec:\n    mode: x\n"
    )

    assert policy_files.inspect([path]).problems[0].startswith(f"{path}:8 (document 1): spec.mode: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("apiVersion: v1\nkind: Pod\n", "holds no policy", id="no policy"),
        pytest.param("", "holds no policy", id="empty"),
        pytest.param("- a\n", "is no Kubernetes object", id="a list"),
        pytest.param(GOOD + "---\n" + GOOD, "DetectionPolicy/web/web is also in", id="the same twice"),
        pytest.param("a: [\n", "is no valid YAML", id="broken"),
        pytest.param(None, "cannot be read", id="missing"),
    ],
)
def test_refuses_a_file(tmp_path: pathlib.Path, content: str | None, message: str) -> None:
    path = tmp_path / "f.yaml"
    if content is not None:
        path.write_text(content)

    with pytest.raises(errors.BadPolicyError, match=message):
        policy_files.load_policy_files([path])


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        pytest.param(["validate", "good.yaml"], 0, "DetectionPolicy/web/web: good", id="good"),
        pytest.param(["validate", "--quiet", "good.yaml"], 0, "", id="quiet"),
        pytest.param(["validate", "good.yaml", "bad.yaml"], 1, "6 problems", id="bad"),
        pytest.param(["validate", "missing.yaml"], 1, "missing.yaml: cannot be read", id="missing"),
        pytest.param(["validate"], 2, "Missing argument", id="no file"),
        pytest.param(["validate", "--nonsense", "good.yaml"], 2, "No such option", id="unknown option"),
    ],
)
def test_validate_exits(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)

    result = testing.CliRunner().invoke(policy_command.app, arguments)

    assert result.exit_code == status
    assert shown in result.output
    assert "--quiet" not in arguments or result.output == ""


def test_validate_notes_names_that_mean_nothing_built_in(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "p.yaml"
    match = "match: {verbs: [get]}"
    path.write_text(
        GOOD.replace(
            "{mode: RulesOnly}",
            "\n  detections: [{id: pod-exec, severity: Low}, {id: nov*, severity: Low}, {id: pod-ex, severity: Low}]"
            f"\n  exceptions: [{{name: n, reason: r, detections: [secret-*, tokn-*], {match}}}]",
        )
    )

    result = testing.CliRunner().invoke(policy_command.app, ["validate", str(path)])

    assert result.exit_code == 0
    assert [line.rpartition(" ")[2] for line in result.stderr.splitlines()] == ["pod-ex", "tokn-*"]


def test_samples_name_detectors_that_exist() -> None:
    result = testing.CliRunner().invoke(policy_command.app, ["validate", str(ROOT / "manifests" / "samples")])

    assert result.exit_code == 0
    assert "no built-in rule" not in result.stderr


def test_crds_are_printed_and_checked(tmp_path: pathlib.Path) -> None:
    run = testing.CliRunner().invoke

    assert run(crds_command.app, []).stdout.count("kind: CustomResourceDefinition") == 5
    assert run(crds_command.app, ["--check", "--root", str(ROOT)]).exit_code == 0
    assert run(crds_command.app, ["--check", "--root", str(tmp_path)]).exit_code == 1
