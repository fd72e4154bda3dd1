"""``riverwatch surface``: both parts, from files."""

from __future__ import annotations

import json
import pathlib

import pytest
import typer.testing
import yaml

from riverwatch import errors
from riverwatch.cli import main

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"

OBJECTS = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"kind": "ClusterRole", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "front", "namespace": "web"}],
    },
]


@pytest.fixture
def objects(tmp_path):
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump({"kind": "List", "items": OBJECTS}))
    return path


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)


def run(*arguments: object) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(main.app, ["surface", *map(str, arguments)])


def test_both_parts_are_printed(objects):
    done = run(DATA / "lines.jsonl", "--objects", objects)

    assert done.exit_code == 0, done.output
    assert "What the audit stream shows" in done.output
    assert "HIGH 85  ServiceAccount web/front" in done.output
    assert "in the whole cluster (ClusterRoleBinding reader): may read secrets" in done.output


def test_json_holds_everything(objects):
    done = run(DATA / "lines.jsonl", "--objects", objects, "-o", "json")
    found = json.loads(done.stdout)

    assert found["surface"]["identities"][0]["grants"][0]["right"] == "read-secrets"
    assert found["coverage"]["looked_at"] > 0
    assert {one["sight"] for one in found["coverage"]["rules"]} >= {"not_seen_yet"}


def test_part_without_input_is_left_out(objects):
    assert "coverage" not in json.loads(run("--objects", objects, "-o", "json").stdout)
    assert "surface" not in json.loads(run(DATA / "lines.jsonl", "-o", "json").stdout)


def test_nothing_to_look_at_is_refused():
    done = run()

    assert isinstance(done.exception, errors.BadInputError)
    assert "name audit logs, --objects or --kubeconfig" in str(done.exception)


def test_file_that_holds_no_object_is_named(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("hello: world\n")
    done = run("--objects", path)

    assert isinstance(done.exception, errors.BadInputError)
    assert f"{path} document 1" in str(done.exception)
