"""The custom-resource types -> reference pages in Markdown. Called by `api.render` only; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from riverwatch.api import schema
from riverwatch.api.v1alpha1 import kinds, words

HEADER = (
    "<!-- Written by `python -m riverwatch.api.render` from riverwatch/api/v1alpha1; change the types instead. -->\n"
)
"""First line of every page."""

PAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "policy.md": ("Policies", ("DetectionPolicy", "ClusterDetectionPolicy")),
    "custom-resources.md": ("Rules, detections and models", ("DetectionRule", "ThreatDetection", "DetectionModel")),
}
"""File name -> title and kinds of each page."""


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {name: _page(title, kind_names) for name, (title, kind_names) in PAGES.items()}


def _page(title: str, kind_names: Iterable[str]) -> str:
    return "\n".join(line for part in ([HEADER, f"# {title}", ""], *map(_kind, kind_names)) for line in part)


def _kind(name: str) -> list[str]:
    kind = kinds.BY_NAME[name]
    whole = schema.resource(kind.type)
    lines = [
        f"## {kind.name}",
        "",
        whole["description"],
        "",
        f"`apiVersion: {words.API_VERSION}`, `kind: {kind.name}`, short name `{kind.short}`, "
        + ("one per namespace and name." if kind.namespaced else "for the whole cluster."),
        "",
        "| field | type | meaning |",
        "|---|---|---|",
    ]
    for part in ("spec", "status"):
        node = whole["properties"].get(part)
        if node is not None:
            lines += [_row(path, child, required=required) for path, child, required in _fields(part, node)]
    return [*lines, ""]


def _fields(path: str, node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, child in node.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, child, name in node.get("required", ())
        if here == "status.conditions":
            continue
        if child["type"] == "array":
            yield from _fields(f"{here}[]", child["items"])
        else:
            yield from _fields(here, child)


def _row(path: str, node: Mapping[str, Any], *, required: bool) -> str:
    meaning = [str(node.get("description", ""))]
    meaning += [f"Rule: {rule['message']}." for rule in node.get("x-kubernetes-validations", ())]
    if "default" in node and node["type"] != "object":
        meaning.append(f"Default: {_literal(node['default'])}.")
    if required:
        meaning.append("**Required.**")
    return f"| `{path}` | {_type(node)} | {' '.join(filter(None, meaning)).replace('|', chr(92) + '|')} |"


def _literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " \\| ".join(str(value) for value in node["enum"])
    limits = [
        f"{words_for} {node[key]}"
        for key, words_for in (("minimum", "from"), ("maximum", "to"), ("maxLength", "up to"), ("maxItems", "up to"))
        if key in node
    ]
    kind: str = "time" if node.get("format") == "date-time" else node["type"]
    if kind == "time":
        limits = []
    if kind == "array":
        kind = f"list of {_type(node['items'])}"
    if kind == "string" and limits:
        limits[-1] += " characters"
    return f"{kind}, {', '.join(limits)}" if limits else kind
