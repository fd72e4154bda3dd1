"""Stage 5, policy: files -> `PolicySet`, for ``replay --policy`` and ``riverwatch policy validate``.

Reads files only, never a cluster. Every problem of every file is reported at once, each with file, line and field path;
objects of other kinds are left out with a note.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping

import msgspec

from riverwatch import errors
from riverwatch.api import documents, parse
from riverwatch.scoring import policy, policy_compile

SUFFIXES = (".yaml", ".yml", ".json")
"""Endings of files that are read when a directory is given."""


class Loaded(msgspec.Struct, frozen=True):
    """What a number of files hold."""

    policies: tuple[policy.CompiledPolicy, ...]
    notes: tuple[str, ...]
    """What was left out, one line each."""
    problems: tuple[str, ...]
    """What is wrong, one line each with file, document and field path."""


def load_policy_files(paths: Iterable[pathlib.Path]) -> policy.PolicySet:
    """Read policies from files, and from the YAML and JSON files of directories.

    Raises
    ------
    BadPolicyError
        When anything is wrong; the message has one line per problem.
    """
    loaded = inspect(paths)
    if loaded.problems:
        raise errors.BadPolicyError("\n".join(loaded.problems))
    return policy.PolicySet(loaded.policies)


def inspect(paths: Iterable[pathlib.Path]) -> Loaded:
    """Read policies from files and say everything about them; never raises because of their content."""
    policies: dict[str, policy.CompiledPolicy] = {}
    seen: dict[str, str] = {}
    notes: list[str] = []
    problems: list[str] = []
    for path in paths:
        try:
            found = [document for file in _files(path) for document in documents.read_file(file)]
        except errors.BadInputError as failure:
            problems.append(str(failure))
            continue
        before = len(seen) + len(problems)
        for document in (item for whole in found for item in _items(whole)):
            compiled = _compile(document, notes, problems)
            if compiled is None:
                continue
            if compiled.ref in seen:
                problems.append(f"{document.where()}: {compiled.ref} is also in {seen[compiled.ref]}; keep one of them")
            seen[compiled.ref] = document.where()
            policies[compiled.ref] = compiled
        if len(seen) + len(problems) == before:
            problems.append(f"{path}: holds no policy; expected {' or '.join(policy_compile.POLICY_KINDS)}")
    return Loaded(tuple(policies.values()), tuple(notes), tuple(problems))


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())


def _items(document: documents.Document) -> list[documents.Document]:
    """Return the items of a ``kind: List``, as ``kubectl get -o yaml`` writes it, else the document itself."""
    body = document.body
    if not isinstance(body, Mapping) or not str(body.get("kind", "")).endswith("List"):
        return [document]
    items = body.get("items")
    return [
        msgspec.structs.replace(
            document,
            body=item,
            line=document.lines.get(("items", index), document.line),
            lines={path[2:]: line for path, line in document.lines.items() if path[:2] == ("items", index)},
        )
        for index, item in enumerate(items if isinstance(items, list) else [])
    ]


def _compile(document: documents.Document, notes: list[str], problems: list[str]) -> policy.CompiledPolicy | None:
    body = document.body
    if not isinstance(body, Mapping) or "kind" not in body or "apiVersion" not in body:
        problems.append(f"{document.where()}: is no Kubernetes object: apiVersion and kind are missing")
        return None
    if body["kind"] not in policy_compile.POLICY_KINDS:
        notes.append(f"{document.where()}: {body['kind']} is no policy; left out")
        return None
    try:
        compiled = policy_compile.compile_body(body)
    except errors.BadPolicyError as failure:
        invalid = failure.__cause__
        if isinstance(invalid, parse.InvalidResourceError):
            problems.extend(f"{document.where(problem.location)}: {problem}" for problem in invalid.problems)
        else:
            problems.append(f"{document.where(('apiVersion',))}: {failure.detail}")
        return None
    if not compiled.name:
        problems.append(f"{document.where(('metadata',))}: metadata.name: is required")
        return None
    return compiled
