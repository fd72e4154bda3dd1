"""pydantic type -> structural OpenAPI v3 schema, as a CustomResourceDefinition wants it. Called by `api.render` only.

Structural means: no references, every value has a type, no alternatives. pydantic's own schema is JSON Schema with
references and nullable alternatives; what cannot be expressed raises `TypeError`, so it fails when CRDs are rendered.
"""

from __future__ import annotations

import re
from typing import Any

import pydantic

_KEPT = (
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
)
"""Keywords that mean the same in JSON Schema and in a structural schema."""

_EXTENSION = "x-kubernetes-"


def structural(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """Return the structural schema of a type.

    Raises
    ------
    TypeError
        When a field's type has no structural form, for example a union.
    """
    document = model.model_json_schema(by_alias=True)
    return _convert(document, document.get("$defs", {}), model.__name__)


def resource(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """Return the structural schema of a whole custom resource: the API server owns the first three fields."""
    schema = structural(model)
    properties = schema["properties"]
    for name in ("apiVersion", "kind"):
        properties[name] = {"type": "string"}
    properties["metadata"] = {"type": "object"}
    # The API server asks for these by itself, so generated CRDs do not list them.
    required = [name for name in schema.pop("required") if name not in ("apiVersion", "kind", "metadata")]
    return {**({"required": required} if required else {}), **schema}


def _convert(node: dict[str, Any], definitions: dict[str, Any], path: str) -> dict[str, Any]:
    node = _resolved(node, definitions, path)
    if "const" in node:
        node = {**node, "enum": [node["const"]]}
    if "type" not in node:
        raise TypeError(f"{path}: no type; a structural schema needs one")
    result: dict[str, Any] = {}
    if "description" in node:
        result["description"] = _plain(node["description"])
    result.update({key: node[key] for key in _KEPT if key in node})
    default = _stated(node.get("default"))
    if default not in (None, "", [], {}):
        result["default"] = default
    result.update({key: value for key, value in node.items() if key.startswith(_EXTENSION)})
    if "items" in node:
        result["items"] = _convert(node["items"], definitions, f"{path}[]")
    if "properties" in node:
        if node.get("required"):
            result["required"] = sorted(node["required"])
        result["properties"] = {
            name: _convert(child, definitions, f"{path}.{name}") for name, child in node["properties"].items()
        }
    elif isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(node["additionalProperties"], definitions, f"{path}.*")
    return result


def _resolved(node: dict[str, Any], definitions: dict[str, Any], path: str) -> dict[str, Any]:
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _resolved({**target, **beside}, definitions, path)
    if "anyOf" in node:
        branches = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
        if len(branches) != 1:
            raise TypeError(f"{path}: a structural schema has no alternatives")
        # A field that may be None is a field that may be left out: the API server prunes its nulls.
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        return _resolved({**branches[0], **beside}, definitions, path)
    return node


def _stated(default: Any) -> Any:
    """Return a default without the parts that only say "not set"."""
    if not isinstance(default, dict):
        return default
    stated = {key: _stated(value) for key, value in default.items()}
    return {key: value for key, value in stated.items() if value not in (None, "", [], {})}


def _plain(text: str) -> str:
    """Return a docstring as one line of plain words, as ``kubectl explain`` shows it."""
    return re.sub(r"`+([^`]*)`+", r"\1", " ".join(text.split()))
