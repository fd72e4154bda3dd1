"""Bodies -> typed custom resources, with errors that name every field's path.

``dict`` (from kopf, a file or the API server) -> model of `v1alpha1`, or `InvalidResourceError` listing all problems.
Null means "not set", as on the API server. Called by `control`, `cli` and the policy loader; never per record.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import pydantic

from riverwatch import errors
from riverwatch.api.v1alpha1 import base, kinds, words

_Model = TypeVar("_Model", bound=base.ApiModel)

_MAX_PROBLEMS = 20
"""Problems listed in one message: more do not fit a condition and are not read."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong in a body."""

    path: str
    """Field path, for example ``spec.exceptions[0].reason``; empty for the whole body."""
    message: str
    """What is wrong and what to write."""
    location: tuple[str | int, ...] = ()
    """The path in parts."""

    def __str__(self) -> str:
        """Return path and message as one line."""
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidResourceError(errors.BadInputError):
    """A custom resource does not fit its schema; `problems` lists every field."""

    def __init__(self, problems: tuple[Problem, ...], *, where: str = "") -> None:
        listed = "; ".join(str(problem) for problem in problems[:_MAX_PROBLEMS])
        more = len(problems) - _MAX_PROBLEMS
        super().__init__(f"{listed}; and {more} more" if more > 0 else listed, where=where)
        self.problems = problems


def kind_of(body: Mapping[str, Any]) -> kinds.Kind | None:
    """Return the kind of a body, or None when it is none of this group and version."""
    if body.get("apiVersion") != words.API_VERSION:
        return None
    name = body.get("kind")
    return kinds.BY_NAME.get(name) if isinstance(name, str) else None


def parse(model: type[_Model], body: Mapping[str, Any], *, where: str = "") -> _Model:
    """Validate a body.

    Parameters
    ----------
    model
        The type of the kind, or of a part of it.
    body
        Plain data as JSON has it.
    where
        File or object that the error should name.

    Raises
    ------
    InvalidResourceError
        With every problem and its field path.
    """
    try:
        # By way of JSON, because strict validation of JSON is what the API server does: a string is a fine enum
        # value or time there, and no fine number.
        return model.model_validate_json(msgspec.json.encode(_without_nulls(body)))
    except pydantic.ValidationError as failure:
        found = failure.errors(include_url=False)
        # A list whose only item is wrong is reported as too short as well; that would be noise.
        deeper = {tuple(item["loc"])[:-1] for item in found}
        problems = tuple(
            _problem(item, model) for item in found if item["type"] != "too_short" or tuple(item["loc"]) not in deeper
        )
        raise InvalidResourceError(problems, where=where) from None
    except (TypeError, ValueError, RecursionError) as failure:
        raise InvalidResourceError((Problem("", f"not plain JSON data: {failure}"),), where=where) from None


def path_of(location: tuple[str | int, ...]) -> str:
    """Write a location as a field path.

    Examples
    --------
    >>> path_of(("spec", "exceptions", 0, "match", "sourceCIDRs", 1))
    'spec.exceptions[0].match.sourceCIDRs[1]'
    """
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":
            text += f".{part}" if text else part
    return text


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def _problem(item: Any, model: type[base.ApiModel]) -> Problem:
    location = tuple(item["loc"])
    match item["type"]:
        case "missing":
            message = "is required"
        case "extra_forbidden":
            message = _unknown_field(location, model)
        case "value_error":
            message = str(item["ctx"]["error"])
        case "enum" | "literal_error":
            message = f"is {_shown(item['input'])}, but must be one of {item['ctx']['expected']}"
        case "string_pattern_mismatch":
            message = _pattern_message(item["input"], item["ctx"]["pattern"])
        case _:
            message = f"{item['msg']}; found {_shown(item['input'])}"
    return Problem(path_of(location), message, location)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown_field(location: tuple[str | int, ...], model: type[base.ApiModel]) -> str:
    known = _fields_at(location[:-1], model)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"unknown field; did you mean {close[0]}?"
    return f"unknown field; known here: {', '.join(known)}" if known else "unknown field"


def _fields_at(location: tuple[str | int, ...], model: type[base.ApiModel]) -> list[str]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})

    def resolved(node: dict[str, Any]) -> dict[str, Any]:
        for branch in node.get("anyOf", ()):
            if branch.get("type") != "null":
                return resolved(branch)
        return resolved(definitions[node["$ref"].rpartition("/")[2]]) if "$ref" in node else node

    node = resolved(schema)
    for part in location:
        step = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        if not isinstance(step, dict):
            return []
        node = resolved(step)
    return list(node.get("properties", {}))


def _pattern_message(value: Any, pattern: str) -> str:
    text = str(value)
    if pattern == r"\S":
        return "must not be blank"
    if "*?" in pattern and not any(character in text for character in "[]"):
        return f"{_shown(value)} matches everything; name something, or leave the field out"
    if r"[^\[\]" in pattern:
        return (
            f"{_shown(value)} is no glob: only * and ? are wildcards, brackets and control characters are not allowed"
        )
    return f"{_shown(value)} does not match {pattern}"
