"""YAML text -> documents that remember the line of every field.

``text -> list[Document]``. Reads what ``kubectl apply -f`` reads, with the same values (YAML 1.1, but times stay text),
and refuses what it refuses: keys given twice. Bounded: text, depth and the number of values, aliases followed. Called
by `scoring.policy_files`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from riverwatch import errors

MAX_BYTES = 4 * 1024 * 1024
"""Largest file: more than twice what etcd accepts as one object."""

MAX_VALUES = 200_000
"""Values in one document once aliases are followed; a few nested aliases can stand for billions."""

_TIME_TAG = "tag:yaml.org,2002:timestamp"

_MERGE_TAG = "tag:yaml.org,2002:merge"

_MAPPING_TAG = "tag:yaml.org,2002:map"

_SEQUENCE_TAG = "tag:yaml.org,2002:seq"

Path = tuple[str | int, ...]
"""A field's path in parts."""


class Document(msgspec.Struct, frozen=True):
    """One YAML document."""

    source: str
    """File it came from."""
    number: int
    """1 for the first document of the file."""
    line: int
    """Line on which it begins."""
    body: Any
    lines: dict[Path, int]
    """Line of each field."""

    def where(self, path: Path = ()) -> str:
        """Return file, document and line of a field, or of the nearest one around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.source}:{self.lines.get(path, self.line)} (document {self.number})"


def read_file(path: pathlib.Path) -> list[Document]:
    """Read all documents of a file that are not empty.

    Raises
    ------
    BadInputError
        When the file cannot be read or is no YAML; the message names file and line.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as failure:
        raise errors.BadInputError(f"cannot be read: {failure.strerror}", where=str(path)) from None
    if len(data) > MAX_BYTES:
        raise errors.BadInputError(f"is larger than {MAX_BYTES // 1024**2} MiB", where=str(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        raise errors.BadInputError("is no UTF-8 text", where=f"{path}:{line}") from None
    return read_text(text, source=str(path))


def read_text(text: str, *, source: str) -> list[Document]:
    r"""Read all documents of a text that are not empty.

    Raises
    ------
    BadInputError
        When it is no YAML, too deep or too large; the message names `source` and the line.

    Examples
    --------
    >>> [document] = read_text("spec:\n  mode: Detect\n", source="policy.yaml")
    >>> document.where(("spec", "mode"))
    'policy.yaml:2 (document 1)'
    """
    try:
        return list(_documents(text, source))
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
        problem = getattr(failure, "problem", None) or getattr(failure, "reason", None) or "cannot be read"
        where = f"{source}:{mark.line + 1}" if mark else source
        raise errors.BadInputError(f"is no valid YAML: {problem}", where=where) from None
    except RecursionError:
        raise errors.BadInputError("is nested too deeply", where=source) from None


def _documents(text: str, source: str) -> Iterator[Document]:
    loader = yaml.SafeLoader(text)
    try:
        number = 0
        while loader.check_node():
            number += 1
            node = loader.get_node()
            if node is None:
                continue
            builder = _Builder(loader, source)
            builder.check(node)
            body = builder.build(node, ())
            if body is not None:
                yield Document(source, number, node.start_mark.line + 1, body, builder.lines)
    finally:
        loader.dispose()


class _Builder:
    """Turns nodes into plain data and notes where each value stood."""

    def __init__(self, loader: yaml.SafeLoader, source: str) -> None:
        self._loader = loader
        self._source = source
        self._left = MAX_VALUES
        self.lines: dict[Path, int] = {}

    def check(self, root: yaml.Node) -> None:
        """Refuse what no Kubernetes object holds: tags, keys that are no text, keys given twice."""
        waiting, seen = [root], set()
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.CollectionNode) and node.tag not in (_MAPPING_TAG, _SEQUENCE_TAG):
                raise self._error(node, f"the tag {node.tag} is not allowed")
            if isinstance(node, yaml.SequenceNode):
                waiting += node.value
            elif isinstance(node, yaml.MappingNode):
                names = set()
                for key, value in node.value:
                    if not isinstance(key, yaml.ScalarNode):
                        raise self._error(key, "a key must be text")
                    if key.value in names:
                        raise self._error(key, f"{key.value!r} is given twice")
                    names.add(key.value)
                    waiting.append(value)

    def build(self, node: yaml.Node, path: Path) -> Any:
        """Return the value of a node."""
        self._left -= 1
        if self._left < 0:
            raise self._error(node, f"holds more than {MAX_VALUES} values; does it repeat aliases?")
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag == _TIME_TAG:
            return node.value
        try:
            return self._loader.construct_object(node)
        except ValueError as failure:
            raise self._error(node, str(failure)) from None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if any(key.tag == _MERGE_TAG for key, _ in node.value):
            # Merged keys come first, so that what is written here wins over them.
            self._loader.flatten_mapping(node)
        body: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            body[name] = self.build(value, (*path, name))
            self.lines[*path, name] = key.start_mark.line + 1
        return body

    def _error(self, node: yaml.Node, message: str) -> errors.BadInputError:
        return errors.BadInputError(message, where=f"{self._source}:{node.start_mark.line + 1}")
