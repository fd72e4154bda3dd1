"""Stage 2, facts on demand: one `Activity` -> `Facts`, its bodies parsed at most once and its derived values kept.

`Facts` lives as long as one record is judged. It parses nothing until a rule or a feature asks, and nothing it does may
raise on a hostile record: what cannot be read is absent. The fields themselves are in `derived_request`, `derived_pod`,
`derived_rbac` and `derived_objects`; `derived` puts them into one table. Made by `runtime.pipeline`, used by `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from riverwatch.activity import record

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
"""A parsed body; shape unknown."""

Scalar: TypeAlias = "str | int | float | bool"
"""One derived value."""

Value: TypeAlias = "Scalar | tuple[Scalar, ...] | None"
"""What a derived field gives: None when absent, a tuple when the field's name ends in ``[]`` in the documents."""

MAX_PATCH_OPERATIONS = 1_000
"""Operations of one JSON patch that are read; the API server itself stops at 10,000 (limit of kube-apiserver)."""

MAX_PATCH_DEPTH = 64
"""Segments of one JSON patch path that are followed; Kubernetes objects are far flatter."""

DELETE_VERBS = frozenset({"delete", "deletecollection"})
"""Verbs that delete one object or many."""

READ_VERBS = frozenset({"get", "list", "watch"})
"""Verbs that read objects."""

WRITE_VERBS = frozenset({"create", "update", "patch"})
"""Verbs whose request body describes the new state of the object (server-side apply is a patch)."""

_decode = msgspec.json.Decoder().decode


class DerivedField(msgspec.Struct, frozen=True):
    """One entry of the table of derived fields."""

    name: str
    type: str
    """``bool``, ``int``, ``str`` or ``str[]``."""
    origin: str
    """Fields of the audit record that the value comes from."""
    needs: str
    """Least audit level: Metadata, Request or RequestResponse."""
    doc: str
    compute: Callable[[Facts], Value]


class _Unread:
    """Marker: not parsed yet (None is a valid body)."""


class Facts(msgspec.Struct, eq=False):
    """One activity with everything that can be worked out about it, lazily."""

    activity: record.Activity
    """The activity; never changed."""
    author: str = ""
    """User name of the person or account behind a controller's action, when known; empty otherwise."""
    through: str = ""
    """Label of the controller, when the activity is told as a deed of its author; empty otherwise."""
    author_request: tuple[str, float] = ("", 0.0)
    """Audit id and record time of the request by which the author had the controller act."""
    cache: dict[str, Value] = {}
    """Derived values by name."""
    notes: dict[str, list[dict[str, Json]]] = {}
    """Parts of bodies that several fields are computed from."""
    _request: object = _Unread
    _response: object = _Unread
    _annotations: object = _Unread
    _documents: tuple[dict[str, Json], ...] | None = None

    @property
    def request_object(self) -> Json:
        """`requestObject`, parsed once; None when absent or unreadable."""
        if self._request is _Unread:
            self._request = parse(self.activity.record.request_object)
        return self._request  # type: ignore[return-value]  # the marker class is gone by now

    @property
    def response_object(self) -> Json:
        """`responseObject`, parsed once; None when absent or unreadable."""
        if self._response is _Unread:
            self._response = parse(self.activity.record.response_object)
        return self._response  # type: ignore[return-value]  # the marker class is gone by now

    @property
    def annotations(self) -> Json:
        """`annotations`, parsed once; None when absent or unreadable."""
        if self._annotations is _Unread:
            self._annotations = parse(self.activity.record.annotations)
        return self._annotations  # type: ignore[return-value]  # the marker class is gone by now

    @property
    def documents(self) -> tuple[dict[str, Json], ...]:
        """What the request writes, as partial objects.

        A created or updated object is itself; a merge or apply patch is the part it names; a JSON patch gives one
        partial object per ``add`` or ``replace``. Empty for reads, deletions and records without a body.
        """
        if self._documents is None:
            self._documents = tuple(_documents(self))
        return self._documents


def parse(raw: msgspec.Raw) -> Json:
    """Parse a raw body; absent and unreadable ones are None."""
    if not raw:
        return None
    try:
        return _decode(raw)  # type: ignore[no-any-return]  # an untyped decoder returns Any
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def as_dict(value: Json) -> dict[str, Json]:
    """Return the mapping, or an empty one when the value is anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return the list, or an empty one when the value is anything else."""
    return value if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """Return the string, or an empty one when the value is anything else."""
    return value if isinstance(value, str) else ""


def texts(value: Json) -> list[str]:
    """Return the strings of a list; other elements are dropped."""
    return [item for item in as_list(value) if isinstance(item, str)]


def dig(value: Json, *path: str) -> Json:
    """Follow keys through mappings; None as soon as one is missing.

    Examples
    --------
    >>> dig({"spec": {"type": "NodePort"}}, "spec", "type")
    'NodePort'
    """
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _documents(facts: Facts) -> Iterator[dict[str, Json]]:
    verb = facts.activity.verb
    if verb not in WRITE_VERBS:
        return
    body = facts.request_object
    if verb == "patch":
        if isinstance(body, list):
            yield from _json_patch(body)
        elif isinstance(body, dict):
            yield body
        return
    if not isinstance(body, dict):
        body = facts.response_object
    if isinstance(body, dict):
        yield body


def _json_patch(operations: list[Json]) -> Iterator[dict[str, Json]]:
    for operation in operations[:MAX_PATCH_OPERATIONS]:
        if not isinstance(operation, dict) or operation.get("op") not in ("add", "replace"):
            continue
        path = as_text(operation.get("path"))
        segments = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
        if len(segments) > MAX_PATCH_DEPTH:
            continue
        built: Json = operation.get("value")
        for segment in reversed(segments):
            built = [built] if segment == "-" or segment.isdigit() else {segment: built}
        if isinstance(built, dict):
            yield built
