"""`riverwatch lab evaluate` on small recordings."""

import json
import pathlib

import material as m
import pytest
from typer.testing import CliRunner

from riverwatch.cli import lab, lab_evaluate
from riverwatch.lab import world
from riverwatch.lab.evaluation import replaying, splits

SPEC = {
    "title": "secrets read",
    "useCase": "SecretAccess",
    "severity": "High",
    "score": 80,
    "kind": "Rule",
    "actor": {"kind": "ServiceAccount", "name": "bot", "namespace": "web"},
    "firstSeen": m.at(30.2),
    "lastSeen": m.at(30.4),
    "observedAt": m.at(30.3),
}


def recording(folder: pathlib.Path, *, seed: int = 4001) -> pathlib.Path:
    folder.mkdir()
    world.write_labels(folder, m.labels(m.attack("dump", 30, 31), seed=seed), [])
    records = [
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": f"a{hour}",
            "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/web/configmaps/a",
            "verb": "get",
            "user": {"username": m.APP, "groups": ["system:authenticated"]},
            "sourceIPs": ["10.0.0.1"],
            "userAgent": "app/1.0",
            "objectRef": {"resource": "configmaps", "namespace": "web", "name": "a", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 200},
            "requestReceivedTimestamp": m.at(hour),
            "stageTimestamp": m.at(hour),
        }
        for hour in range(48)
    ]
    (folder / "audit.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "meta.json").write_text(json.dumps({"records": len(records)}))
    return folder


def detections(path: pathlib.Path) -> pathlib.Path:
    path.write_text(json.dumps({"metadata": {"name": "rw-1", "namespace": "web"}, "spec": SPEC}) + "\n")
    return path


assert lab_evaluate.lab is lab  # importing it registers its command


def run(*arguments: object):
    return CliRunner().invoke(lab.app, ["evaluate", *map(str, arguments)])


def test_judges_given_detections_and_writes_both_reports(tmp_path):
    folder, found = recording(tmp_path / "one"), detections(tmp_path / "found.jsonl")
    result = run(
        folder, "--detections", f"both={found}", "--detections", f"rules={found}", "--learning-days", 1,
        "--json", tmp_path / "r.json", "--html", tmp_path / "r.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["split"] == "evaluation"
    assert told["modes"]["both"]["recall"] == 1.0
    assert set(told["modes"]) == {"both", "rules"}
    assert "<svg" in (tmp_path / "r.html").read_text()
    assert "recall" in result.output


def test_replays_in_all_three_modes(tmp_path):
    result = run(recording(tmp_path / "one"), "--learning-days", 1, "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "r.json").read_text())
    assert set(told["modes"]) == {"rules", "models", "both"}
    assert told["recordings"] == [{"folder": "one", "seed": 4001, "records": 48}]


def test_refuses_to_mix_tuning_and_evaluation(tmp_path):
    tuned = recording(tmp_path / "tuned", seed=min(splits.TUNING_SEEDS))
    result = run(recording(tmp_path / "one"), tuned, "--learning-days", 1, "--mode", "rules")
    assert result.exit_code == 1
    assert "evaluate them apart" in result.output


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda folder: (folder / "audit.jsonl").unlink(), "no audit log", id="no audit log"),
        pytest.param(lambda folder: (folder / "labels.json").unlink(), "cannot be read", id="no labels"),
        pytest.param(lambda folder: (folder / "labels.json").write_text("{"), "not a label file", id="broken labels"),
        pytest.param(lambda folder: (folder / "objects.yaml").write_text("a: ["), "not YAML", id="broken objects"),
    ],
)
def test_says_what_is_wrong_with_a_recording(tmp_path, spoil, said):
    folder = recording(tmp_path / "one")
    spoil(folder)
    result = run(folder)
    assert result.exit_code == 1
    assert said in result.output


def test_keeps_models_silent_when_only_rules_may_speak():
    silenced = replaying.rules_only(replaying.policy.DEFAULT)
    assert not silenced.effective("web").mode.models_judge
    assert silenced.effective("web").mode.rules_judge
