"""The files in crds/ and docs/reference are those of the types, and are structural."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
import yaml

from riverwatch.api import render, schema
from riverwatch.api.v1alpha1 import kinds

ROOT = pathlib.Path(__file__).parents[3]

ALL = [pytest.param(kind, id=kind.name) for kind in kinds.KINDS]


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[]")


def schema_of(kind: kinds.Kind) -> dict[str, Any]:
    (version,) = render.custom_resource_definition(kind)["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def test_files_are_fresh() -> None:
    assert render.stale(ROOT) == []
    assert render.main(["--check", "--root", str(ROOT)]) == 0


def test_check_names_what_is_stale_missing_or_strange(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main(["--root", str(tmp_path)]) == 0
    shutil.copy(tmp_path / "crds" / "riverwatch.dev_detectionrules.yaml", tmp_path / "crds" / "another.yaml")
    with (tmp_path / "crds" / "riverwatch.dev_detectionrules.yaml").open("a") as stream:
        stream.write("# edited\n")
    (tmp_path / "docs" / "reference" / "policy.md").unlink()

    assert render.main(["--check", "--root", str(tmp_path)]) == 1
    assert [line.split(":")[0].rpartition("/")[2] for line in capsys.readouterr().err.splitlines()] == [
        "riverwatch.dev_detectionrules.yaml",
        "policy.md",
        "another.yaml",
    ]


@pytest.mark.parametrize("kind", ALL)
def test_schema_is_structural_described_and_bounded(kind: kinds.Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        assert not {"$ref", "anyOf", "allOf", "oneOf", "title", "nullable", "const"} & node.keys(), path
        free = path in ("", ".apiVersion", ".kind", ".metadata", ".spec", ".status") or path.endswith("[]")
        assert free or node.get("description"), f"{path} has no description"
        if node["type"] == "array":
            assert node["maxItems"] > 0, path
            assert node["x-kubernetes-list-type"] in ("atomic", "map", "set"), path
        if node["type"] == "string" and path not in (".apiVersion", ".kind"):
            assert "maxLength" in node or "enum" in node, f"{path} may be of any length"


@pytest.mark.parametrize("kind", ALL)
def test_list_map_keys_are_required_or_have_defaults(kind: kinds.Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], f"{path}: {key}"


@pytest.mark.parametrize("kind", ALL)
def test_columns_point_at_fields_and_status_is_a_subresource(kind: kinds.Kind) -> None:
    (version,) = render.custom_resource_definition(kind)["spec"]["versions"]
    known = {path for path, _ in nodes(schema_of(kind))} | {".metadata.creationTimestamp"}

    assert version["subresources"] == {"status": {}}
    for column in version["additionalPrinterColumns"]:
        assert column["jsonPath"].partition("[?(")[0] in known, column


def test_detections_read_like_a_report() -> None:
    (version,) = render.custom_resource_definition(kinds.BY_NAME["ThreatDetection"])["spec"]["versions"]
    shown = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]

    assert shown == ["Severity", "Score", "Title", "Actor", "Count", "Verdict", "Phase", "Last Seen", "Age"]


def test_short_names_and_category() -> None:
    names = [render.custom_resource_definition(kind)["spec"]["names"] for kind in kinds.KINDS]

    assert [item["shortNames"] for item in names] == [["rwpol"], ["rwcpol"], ["rwrule"], ["rwtd"], ["rwmodel"]]
    assert {tuple(item["categories"]) for item in names} == {("riverwatch",)}


def test_file_holds_no_alias_and_reads_back() -> None:
    for kind in kinds.KINDS:
        text = render.text(kind)
        assert yaml.load(text, Loader=yaml.CSafeLoader) == render.custom_resource_definition(kind)
        assert not any(line.lstrip().startswith(("&", "*")) for line in text.splitlines())


def test_a_union_has_no_structural_schema() -> None:
    class Union(pydantic.BaseModel):
        value: int | str

    with pytest.raises(TypeError, match=r"Union\.value: a structural schema has no alternatives"):
        schema.structural(Union)


def test_a_type_without_shape_has_no_structural_schema() -> None:
    class Anything(pydantic.BaseModel):
        value: Any

    with pytest.raises(TypeError, match=r"Anything\.value: no type"):
        schema.structural(Anything)
