"""YAML is read as kubectl reads it, remembers its lines, and is bounded."""

from __future__ import annotations

import pathlib

import pytest

from riverwatch import errors
from riverwatch.api import documents


def test_values_are_those_of_kubectl() -> None:
    [document] = documents.read_text(
        "when: 2026-01-31T00:00:00Z\nday: 2026-01-31\nswitch: Off\nn: 3\nx: 1.5\nnone: ~\n1: one\n", source="f"
    )

    assert document.body == {
        "when": "2026-01-31T00:00:00Z",
        "day": "2026-01-31",
        "switch": False,
        "n": 3,
        "x": 1.5,
        "none": None,
        "1": "one",
    }


def test_remembers_lines_and_falls_back_to_the_field_around() -> None:
    first, second = documents.read_text("# c\na: 1\n---\n---\nb:\n  - c:\n      d: 1\n", source="f.yaml")

    assert first.where(("a",)) == "f.yaml:2 (document 1)"
    assert second.where(("b", 0, "c", "d")) == "f.yaml:7 (document 3)"
    assert second.where(("b", 0, "c", "missing", 4)) == "f.yaml:6 (document 3)"
    assert second.where(("missing",)) == "f.yaml:5 (document 3)"


def test_json_is_yaml() -> None:
    [document] = documents.read_text('{"a": {"b": [1, "x"]}}', source="f.json")

    assert document.body == {"a": {"b": [1, "x"]}}


def test_merge_keys_and_anchors_are_followed() -> None:
    [document] = documents.read_text(
        "base: &b {x: 1, y: 2}\nmine: &m {<<: *b, y: 3}\nagain: *m\nlast: {<<: [*m], x: 4}\n", source="f"
    )

    assert document.body["mine"] == document.body["again"] == {"x": 1, "y": 3}
    assert document.body["last"] == {"x": 4, "y": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: 1\na: 2\n", "f:2: 'a' is given twice", id="key twice"),
        pytest.param("a: 1\nb: [1\n", "f:3: is no valid YAML", id="list not closed"),
        pytest.param("a: \x00\n", "f: is no valid YAML", id="control character"),
        pytest.param("a: !!python/object/apply:os.system [ls]\n", "f:1: the tag .* is not allowed", id="python tag"),
        pytest.param("a: !!python/name:os.system x\n", "f:1: is no valid YAML", id="python name"),
        pytest.param("? [a, b]\n: 1\n", "f:1: a key must be text", id="list as a key"),
        pytest.param("a: &x [*x]\n", "nested too deeply|more than 200000 values", id="alias of itself"),
        pytest.param("[\n" * 1500, "nested too deeply", id="very deep"),
    ],
)
def test_says_where_when_it_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(errors.BadInputError, match=message):
        documents.read_text(text, source="f")


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(errors.BadInputError, match="more than 200000 values"):
        documents.read_text("\n".join(lines), source="f")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"a: \xff\n", "f.yaml:1: is no UTF-8 text", id="not UTF-8"),
        pytest.param(b"#" * (documents.MAX_BYTES + 1), "is larger than 4 MiB", id="too large"),
        pytest.param(None, "cannot be read: No such file", id="missing"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path: pathlib.Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "f.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(errors.BadInputError, match=message):
        documents.read_file(path)


def test_a_byte_order_mark_is_no_text(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert documents.read_file(path)[0].body == {"a": 1}
