"""Stage 4a: a rule's cases -> whether the rule fires and stays quiet as they say.

A cases file holds one audit record as `base` and a list of cases; each case's records are laid over it, so that a case
shows only what matters. The same code runs for built-in rules (tests, ``riverwatch rules test``) and for the cases of a
`DetectionRule`.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from riverwatch import clock, errors
from riverwatch.activity import sample
from riverwatch.api import yaml_text
from riverwatch.rules import engine, rule

MAX_REPEAT = 20_000
"""Records that one case may be repeated to."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that all records of one text may become by repetition: a hundred times the largest built-in cases."""


class Case(msgspec.Struct, frozen=True):
    """One example: some audit records, and whether the rule must fire on them."""

    name: str
    fires: bool
    records: tuple[dict[str, Any], ...]


class Failure(msgspec.Struct, frozen=True):
    """One case that did not go as it says."""

    case: str
    reason: str


def parse(text: str, *, origin: str) -> tuple[Case, ...]:
    """Read a cases file.

    Raises
    ------
    BadRuleError
        When it is no list of cases of the right shape.
    """
    try:
        documents = yaml_text.read(text, where=origin)
    except errors.BadInputError as error:
        raise errors.BadRuleError(error.detail, where=origin) from error
    data = documents[0] if len(documents) == 1 else None
    if not isinstance(data, dict):
        raise errors.BadRuleError("a cases file is a mapping with base and cases", where=origin)
    return from_data(data.get("cases"), base=data.get("base"), origin=origin)


def from_data(cases: object, *, base: object, origin: str) -> tuple[Case, ...]:
    """Read cases given as plain data, for example `spec.cases` of a `DetectionRule`.

    Parameters
    ----------
    cases
        A list of ``{name, fires, records}``; a record may be repeated by ``repeat: {times, everySeconds, vary}``.
    base
        A whole audit record that every record is laid over; None for an empty one.
    origin
        File or object, for messages.

    Raises
    ------
    BadRuleError
        When the data has another shape.
    """
    if base is not None and not isinstance(base, dict):
        raise errors.BadRuleError("field 'base' must be an audit record", where=origin)
    if not isinstance(cases, list):
        raise errors.BadRuleError("field 'cases' must be a list", where=origin)
    found = []
    left = MAX_BYTES
    for number, item in enumerate(cases):
        where = f"{origin} cases[{number}]"
        if not isinstance(item, dict) or not isinstance(item.get("fires"), bool):
            raise errors.BadRuleError("a case needs name, fires (true or false) and records", where=where)
        records = item.get("records")
        if not isinstance(records, list) or not records:
            raise errors.BadRuleError("field 'records' must be a list of audit records", where=where)
        expanded: list[dict[str, Any]] = []
        for record in records:
            if not isinstance(record, dict):
                raise errors.BadRuleError("a record must be a mapping", where=where)
            try:
                one = _over(base or {}, record)
                left -= _size(one)
                if left < 0:
                    raise errors.BadRuleError(f"the records become more than {MAX_BYTES} bytes", where=where)
                expanded += _expand(one, where=where)
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                raise errors.BadRuleError(f"a record cannot be used: {error}", where=where) from error
        found.append(Case(str(item.get("name") or f"case {number + 1}"), item["fires"], tuple(expanded)))
    return tuple(found)


def run(rules: Iterable[rule.Rule], cases: Iterable[Case], *, rule_id: str) -> list[Failure]:
    """Run every case on a fresh engine that holds only these rules; a record without a time gets one.

    Parameters
    ----------
    rules
        The rule, with the rules that feed it.
    cases
        Its cases.
    rule_id
        Id of the rule that must fire or stay quiet.
    """
    rules = tuple(rules)
    failures = []
    for case in cases:
        judge = engine.RuleEngine(rules)
        try:
            hits = [
                hit
                for fields in case.records
                if fields.get("stage") != "RequestReceived"
                for hit in judge.match(sample.activity_of({"requestReceivedTimestamp": sample.DEFAULT_TIME, **fields}))
                if hit.card.id == rule_id
            ]
        except (errors.MalformedRecordError, msgspec.ValidationError, msgspec.DecodeError, TypeError) as error:
            failures.append(Failure(case.name, f"a record cannot be used: {error}"))
            continue
        faults = judge.faults
        if faults:
            failures.append(Failure(case.name, f"the rule raised: {faults}"))
        elif bool(hits) != case.fires:
            failures.append(Failure(case.name, "did not fire" if case.fires else f"fired: {hits[0].summary}"))
    return failures


def _over(base: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a record over the base: mappings merge, null removes, everything else replaces."""
    merged = copy.deepcopy(dict(base))
    for key, value in record.items():
        if value is None:
            merged.pop(key, None)
        elif (
            isinstance(value, dict)
            and isinstance(merged.get(key), dict)
            and key not in ("requestObject", "responseObject")
        ):
            merged[key] = _over(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _size(record: dict[str, Any]) -> int:
    """Return the bytes that a record becomes when it is repeated as it asks."""
    repeat = record.get("repeat")
    times = repeat.get("times") if isinstance(repeat, dict) else 1
    return len(msgspec.json.encode(record)) * (times if isinstance(times, int) else 1)


def _expand(record: dict[str, Any], *, where: str) -> list[dict[str, Any]]:
    repeat = record.pop("repeat", None)
    after_s = record.pop("afterSeconds", 0)
    if repeat is None and not after_s:
        return [record]
    repeat = repeat or {"times": 1}
    times = repeat.get("times") if isinstance(repeat, dict) else None
    if not isinstance(times, int) or not 1 <= times <= MAX_REPEAT:
        raise errors.BadRuleError(f"field 'repeat.times' must be a number from 1 to {MAX_REPEAT}", where=where)
    step_s = float(repeat.get("everySeconds", 1))
    path = str(repeat.get("vary") or "")
    return [
        _moved(record, seconds=float(after_s) + number * step_s, path=path, number=number) for number in range(times)
    ]


def _moved(record: dict[str, Any], *, seconds: float, path: str, number: int) -> dict[str, Any]:
    moved = copy.deepcopy(record)
    moved["auditID"] = f"{str(record.get('auditID', ''))[:24]}{number:012d}"
    for key in ("requestReceivedTimestamp", "stageTimestamp"):
        text = record.get(key)
        if isinstance(text, dt.datetime):
            text = text.isoformat()
        if isinstance(text, str):
            moved[key] = clock.rfc3339(clock.parse_rfc3339(text) + seconds)
    if path:
        *parents, last = path.split(".")
        owner: Any = moved
        for parent in parents:
            owner = owner.setdefault(parent, {})
        owner[last] = f"{owner.get(last, '')}-{number}"
    return moved
