"""What the operator may do: little, and exactly what manifests/rbac.yaml grants."""

from __future__ import annotations

import pathlib

import yaml

import riverwatch
from riverwatch.control import access, manifests

ROOT = pathlib.Path(riverwatch.__file__).parents[2]

WRITES = {"create", "update", "patch", "delete", "deletecollection", "impersonate", "bind", "escalate", "*"}


def test_no_secret_can_be_read():
    assert not [one for one in access.everything() if one.resource.plural in ("secrets", "configmaps")]


def test_nothing_is_written_but_our_own_objects_events_leases_and_reviews():
    written = {(one.resource.group, one.resource.plural) for one in access.everything() if WRITES & set(one.verbs)}
    foreign = {one for one in written if one[0] != "riverwatch.dev"}

    assert foreign == {
        ("", "events"),
        ("coordination.k8s.io", "leases"),
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authentication.k8s.io", "tokenreviews"),
    }


def test_nothing_is_granted_by_wildcard():
    assert "*" not in manifests.render().replace("# ", "")


def test_file_is_fresh():
    assert manifests.main(["--check", "--root", str(ROOT)]) == 0


def test_stale_file_is_told(tmp_path, capsys):
    (tmp_path / "manifests").mkdir()
    assert manifests.main(["--check", "--root", str(tmp_path)]) == 1
    assert "stale; run python -m riverwatch.control.manifests" in capsys.readouterr().err
    assert manifests.main(["--root", str(tmp_path)]) == 0
    assert manifests.main(["--check", "--root", str(tmp_path)]) == 0


def test_every_operation_is_granted_and_every_grant_is_an_operation():
    granted = {
        (group, resource, verb)
        for document in yaml.safe_load_all(manifests.render())
        if document["kind"] in ("ClusterRole", "Role") and document["metadata"]["name"] == "riverwatch"
        for rule in document["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    assert granted == access.operations()
