"""YAML of any origin is read or refused; no text may end the process."""

import pytest

from riverwatch import errors
from riverwatch.api import yaml_text

DEEP = {
    "lists on one line": "- " * 60_000 + "x",
    "lists in brackets": "[" * 60_000,
    "mappings in braces": "{a: " * 60_000,
    "keys that are lists": "? " * 60_000,
    "mappings by indentation": "\n".join(" " * depth + "a:" for depth in range(1_200)),
    "deeper than allowed, well formed": "[" * 1_100 + "]" * 1_100,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_too_deep_is_refused_and_the_process_goes_on(text):
    with pytest.raises(errors.BadInputError, match=r"nested too deeply|no valid YAML") as caught:
        yaml_text.read(text, where="x.yaml")
    assert caught.value.where == "x.yaml"


@pytest.mark.parametrize("depth", [1, 20, yaml_text.MAX_DEPTH - 1])
def test_what_is_deep_within_reason_is_read(depth):
    (value,) = yaml_text.read("[" * depth + "]" * depth + " " * 1_500, where="x")
    for _ in range(depth - 1):
        (value,) = value
    assert value == []


def test_a_long_line_is_no_deep_one():
    text = "a: [" + ", ".join("{b: [1]}" for _ in range(2_000)) + "]\n"
    assert yaml_text.read(text, where="x") == [{"a": [{"b": [1]}] * 2_000}]


WRONG = {
    "a tag that would build an object": "!!python/object/apply:os.system [id]",
    "a day that there is not": "day: 2026-02-31",
    "a key that is a list": "? [a]\n: 1",
    "brackets that do not close": "[1, 2",
    "an alias to nothing": "a: *b",
    "a control character": "a: \x01",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_wrong_text_is_named(text):
    with pytest.raises(errors.BadInputError, match=r"^x\.yaml: no valid YAML: "):
        yaml_text.read(text, where="x.yaml")
