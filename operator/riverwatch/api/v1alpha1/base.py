"""What every custom-resource type is made of: `ApiModel`, the constrained strings, list types, durations and times.

Wire names are camelCase; unknown fields are refused; nothing is coerced (as on the API server, ``"5"`` is no number).
Lengths and counts are bounded everywhere, because the API server prices each CEL rule by the largest possible object.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import Annotated, Any

import pydantic
from pydantic import alias_generators

MAX_GLOB_LENGTH = 256
"""Characters of one glob; a full service-account user name has at most 23 + 63 + 1 + 253."""

MAX_DETECTORS = 100
"""Entries of a list of detector globs."""

MAX_MATCH_ITEMS = 64
"""Globs or networks in one field of a match."""

MAX_DURATION_S = 366 * 86_400
"""Longest duration that may be written: a year."""

ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
"""Schema extension of a list that is always written whole."""

SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""Schema extension of a list of distinct scalars that several writers may extend."""

_UNIT_S = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}

_DURATION = r"^([0-9]{1,6}[wdhms]){1,5}$"

_DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$")


def list_by(*keys: str) -> dict[str, Any]:
    """Return the schema extension of a list whose items are told apart by `keys`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extension that holds CEL rules, each an expression and the message for its breach."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


class ApiModel(pydantic.BaseModel):
    """A part of a custom resource."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=alias_generators.to_camel,
        use_attribute_docstrings=True,
    )


class ObjectMeta(pydantic.BaseModel):
    """The part of `metadata` that riverwatch reads; the API server owns and checks the rest."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0


def duration_s(text: str) -> int:
    """Read a duration such as ``14d`` or ``1h30m`` into seconds.

    Raises
    ------
    ValueError
        When the text is no duration or longer than a year.

    Examples
    --------
    >>> duration_s("1h30m")
    5400
    """
    if not re.fullmatch(_DURATION, text):
        raise ValueError("write a duration as numbers with the units w, d, h, m, s, for example 14d or 1h30m")
    total = sum(int(number) * _UNIT_S[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text))
    if total > MAX_DURATION_S:
        raise ValueError(f"a duration is at most 366 days, this one is {total // 86_400}")
    return total


def _check_duration(text: str) -> str:
    duration_s(text)
    return text


def _check_time(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str) or not _DATE_TIME.match(value):
        raise ValueError("write a time in RFC 3339 with a zone, for example 2026-01-31T00:00:00Z")
    return value


def _check_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        pass
    else:
        return text
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no network; write an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32"
        ) from None
    raise ValueError(f"{text!r} has bits set behind its prefix; write {meant} for the network")


Duration = Annotated[
    str,
    pydantic.StringConstraints(max_length=32),
    pydantic.AfterValidator(_check_duration),
    pydantic.WithJsonSchema({"type": "string", "maxLength": 32, "pattern": _DURATION}),
]
"""A length of time as people write it."""

Time = Annotated[
    pydantic.AwareDatetime,
    # _check_time is stricter than pydantic's own strictness, which would refuse text here.
    pydantic.Strict(False),
    pydantic.BeforeValidator(_check_time),
    pydantic.WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40}),
]
"""A moment, RFC 3339."""

Glob = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=MAX_GLOB_LENGTH, pattern=r"^[^\[\]\x00-\x1f]+$"),
]
"""``*`` stands for any run of characters and ``?`` for one; nothing else is special, brackets are refused."""

NarrowGlob = Annotated[
    str,
    pydantic.StringConstraints(
        min_length=1,
        max_length=MAX_GLOB_LENGTH,
        pattern=r"^[^\[\]\x00-\x1f]*[^\[\]\x00-\x1f*?:/.@ -][^\[\]\x00-\x1f]*$",
    ),
]
"""A glob with at least one letter or digit: one that matches everything is written by leaving the field out."""

Network = Annotated[
    str,
    pydantic.StringConstraints(min_length=2, max_length=64, pattern=r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"),
    pydantic.AfterValidator(_check_network),
]
"""An IP address or a CIDR, IPv4 or IPv6."""

Name = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]
"""A short name in lower case, as Kubernetes writes labels."""

Line = Annotated[str, pydantic.StringConstraints(max_length=512)]
"""One line of text."""

Text = Annotated[str, pydantic.StringConstraints(max_length=4096)]
"""A few sentences."""

Identifier = Annotated[str, pydantic.StringConstraints(max_length=512)]
"""A name that something else gave out: a user name, an address, an audit id."""
