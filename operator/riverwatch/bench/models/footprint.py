"""Memory of what is learned, part by part, for many identities in many namespaces.

Made-up identities live through some hours of record time; then every object that hangs on a part of the pipeline is
measured once. An object that two parts share counts for the first one. Called by `cli.bench_models`.
"""

from __future__ import annotations

import enum
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import msgspec

from riverwatch import clock
from riverwatch.activity import record, sample
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

START_S = 1_767_600_000.0
"""2026-01-05 08:00 UTC, a Monday; where the made-up life begins."""

HOURS = 6
"""Hours of record time; each identity is active in each of them."""

ACTIONS = (
    ("list", "pods", ""),
    ("get", "configmaps", ""),
    ("get", "secrets", ""),
    ("update", "leases", "coordination.k8s.io"),
    ("patch", "deployments", "apps"),
    ("create", "events", ""),
    ("list", "services", ""),
    ("delete", "pods", ""),
    ("get", "endpoints", ""),
    ("list", "jobs", "batch"),
)
"""What identities do; each has a habit of six of them."""

HABIT = 6
"""Actions of one identity."""

NAMES = 4
"""Names of its own that an identity reads of each resource."""

PER_HOUR = 3
"""Times that an identity goes through its habit in an hour."""

LEAVES = (str, bytes, int, float, complex, bool, type(None), enum.Enum, type, types.FunctionType, types.ModuleType)
"""Objects that are not looked into."""


class Part(msgspec.Struct, frozen=True):
    """Memory of one part of the pipeline."""

    name: str
    octets: int


class Footprint(msgspec.Struct, frozen=True):
    """Memory of all parts."""

    identities: int
    namespaces: int
    records: int
    parts: list[Part]


def measure(*, identities: int, namespaces: int) -> Footprint:
    """Let identities live and measure what is kept of them.

    Parameters
    ----------
    identities
        At least 1.
    namespaces
        At least 1; identities are spread over them evenly.
    """
    subject = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))
    before = _parts(subject)
    tally, count = base.Tally(), 0
    for batch in _life(identities, namespaces):
        tally.read += len(batch)
        count += len(batch)
        subject.process(batch, tally=tally)
    after = _parts(subject)
    parts = [Part(name, octets - before.get(name, 0)) for name, octets in after.items()]
    return Footprint(identities, namespaces, count, sorted(parts, key=lambda part: -part.octets))


def deep_size(root: object, seen: set[int]) -> int:
    """Return the bytes of an object and all it holds, except what is in `seen`, which grows.

    Examples
    --------
    >>> shared = ["a" * 1000]
    >>> known: set[int] = set()
    >>> deep_size(shared, known) > 1000, deep_size([shared], known) < 200
    (True, True)
    """
    total, waiting = 0, [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if not isinstance(one, LEAVES):
            waiting.extend(_held(one))
    return total


def _held(one: Any) -> Iterator[object]:
    if isinstance(one, dict):
        yield from one.keys()
        yield from one.values()
    elif isinstance(one, list | tuple | set | frozenset) or type(one).__name__ == "deque":
        yield from one
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()) if not isinstance(kind.__dict__.get("__slots__"), str) else ():
            value = getattr(one, name, None)
            if value is not None:
                yield value
    yield from getattr(one, "__struct_fields__", ()) and (getattr(one, name) for name in one.__struct_fields__)
    yield from getattr(one, "__dict__", {}).values()


def _parts(subject: pipeline.Pipeline) -> dict[str, int]:
    """Return the bytes of each part of the memory; rules and code are no part of it."""
    seen: set[int] = {id(subject), id(subject.rules), id(subject.policies)}
    sizes: dict[str, int] = {}
    # Models first: caches hold references to habits that are the models' own.
    for name, value in sorted(vars(subject).items(), key=lambda item: item[0] != "models"):
        if id(value) in seen or isinstance(value, LEAVES):
            continue
        if name == "models":
            sizes["models: credentials"] = deep_size(value.credentials, seen)
            sizes["models: cluster level"] = deep_size(value.cluster, seen)
            sizes["models: habits and groups"] = deep_size(value, seen)
        else:
            sizes[name.lstrip("_")] = deep_size(value, seen)
    return sizes


def _life(identities: int, namespaces: int) -> Iterator[list[record.AuditRecord]]:
    rng = random.Random(identities)
    habits = [rng.sample(ACTIONS, HABIT) for _ in range(identities)]
    step_s = 3_600.0 / (PER_HOUR * identities)
    time_s = START_S
    for _ in range(HOURS * PER_HOUR):
        for number in range(identities):
            time_s += step_s
            yield [
                _record(number, number % namespaces, action, name=f"{action[1]}-{rng.randrange(NAMES)}", time_s=time_s)
                for action in habits[number]
            ]


def _record(number: int, home: int, action: tuple[str, str, str], *, name: str, time_s: float) -> record.AuditRecord:
    verb, resource, group = action
    made = sample.audit_record(
        verb=verb,
        resource=resource,
        api_group=group,
        namespace=f"team-{home:04d}",
        name="" if verb == "list" else name,
        username=f"system:serviceaccount:team-{home:04d}:app-{number:05d}",
        source_ip=f"10.{number >> 8 & 127}.{number & 255}.{7}",
        user_agent=f"app-{number % 50}/1.{number % 7}",
        time=clock.rfc3339(time_s),
        audit_id=f"{number}-{verb}-{resource}-{time_s:.3f}",
    )
    user: Any = made["user"]
    user["extra"] = {
        "authentication.kubernetes.io/credential-id": [f"JTI={number:08d}-{int(time_s - START_S) // 3600}"],
        "authentication.kubernetes.io/pod-name": [f"app-{number:05d}-0"],
    }
    return sample.decode(made)
