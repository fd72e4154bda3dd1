"""Makes the benchmark's work on the spot: ``audit.jsonl``, ``batches.jsonl`` and ``labels.csv`` from a seed and a size.

Same seed and size, same bytes. Three quarters of the records are of level Metadata, about 1.3 kB on average; one in two
hundred belongs to an episode, none of them in the first fifth. Batches are EventLists of 400 as an API server sends
them. Called by `workload` and the tests.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import pathlib
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from riverwatch import clock
from riverwatch.bench import load_episodes, load_records, load_world

BATCH_RECORDS = 400
"""Records in a batch: the API server's default."""

RECORDS_PER_S = 75.0
"""Records a second of the made-up cluster's own time."""

START_S = 1_768_464_000.0
"""2026-01-15 08:00 UTC: when the records begin."""

SUSPICIOUS_SHARE = 0.005
"""Share of the records that belong to episodes."""

QUIET_SHARE = 0.2
"""Share of the records at the start without any episode."""

REPEATS = 14
"""Records of an episode that repeats something."""

EPISODE_RECORDS = 6.0
"""Records of an episode on average, to reckon how many there are."""

Size = load_world.Size


class Made(NamedTuple):
    """One record, and of which episode it is; empty for ordinary life."""

    body: dict[str, Any]
    episode: str
    namespace: str


def write(folder: pathlib.Path, size: Size, *, seed: int) -> None:
    """Write the three files.

    Parameters
    ----------
    folder
        Made when it is not there.
    size
        How large the cluster is and how much happens.
    seed
        Same seed, same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder()
    with contextlib.ExitStack() as stack:
        audit = stack.enter_context((folder / "audit.jsonl").open("wb"))
        batches = stack.enter_context((folder / "batches.jsonl").open("wb"))
        labels = csv.writer(stack.enter_context((folder / "labels.csv").open("w", encoding="utf-8", newline="")))
        labels.writerow(("auditID", "scenario", "identity", "namespace"))
        stream = records(size, seed=seed)
        while chunk := list(itertools.islice(stream, BATCH_RECORDS)):
            lines = [encoder.encode(one.body) for one in chunk]
            audit.write(b"\n".join(lines) + b"\n")
            head = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
            batches.write(head + b",".join(lines) + b"]}\n")
            for one in chunk:
                if one.episode:
                    body = one.body
                    labels.writerow((body["auditID"], one.episode, body["user"]["username"], one.namespace))


def records(size: Size, *, seed: int) -> Iterator[Made]:
    """Yield the records in the order of their time."""
    rng = random.Random(f"riverwatch {seed} {size}")
    world = load_world.build(size, rng)
    weights = list(itertools.accumulate(one.weight for one in world.identities))
    planned = _planned(size, rng)
    waiting: list[Made] = []
    """Records of episodes under way, the next one last."""
    for number in range(size.records):
        now_s = START_S + number / RECORDS_PER_S
        if planned and number >= planned[-1][0]:
            waiting = sorted([*waiting, *_episode(planned.pop()[1], world, now_s, rng)], key=_time, reverse=True)
        if waiting and _time(waiting[-1]) <= _stamp(now_s):
            yield waiting.pop()
            continue
        who = rng.choices(world.identities, cum_weights=weights)[0]
        made = load_records.routine(who, world, time_s=now_s, rng=rng)
        yield Made(made, "", made["objectRef"].get("namespace", ""))


def _planned(size: Size, rng: random.Random) -> list[tuple[int, str]]:
    """Return at which record which episode begins, the first one last; every kind once before any comes twice."""
    count = int(size.records * SUSPICIOUS_SHARE / EPISODE_RECORDS)
    names = list(load_episodes.EPISODES)
    kinds = [name for _ in range(count // len(names) + 1) for name in rng.sample(names, len(names))][:count]
    first, last = int(size.records * QUIET_SHARE) + 1, int(size.records * 0.98)
    return sorted(((rng.randrange(first, last), kind) for kind in kinds), reverse=True)


def _episode(kind: str, world: load_world.World, now_s: float, rng: random.Random) -> list[Made]:
    scene = load_episodes.Scene(
        world=world,
        who=rng.choice(world.apps),
        person=rng.choice(world.people),
        rng=rng,
        time_s=now_s,
        steps=REPEATS + rng.randrange(-4, 5),
    )
    bodies = load_episodes.EPISODES[kind](scene)
    return [Made(body, kind, body["objectRef"].get("namespace", "")) for body in bodies]


def _time(one: Made) -> str:
    return str(one.body["requestReceivedTimestamp"])


def _stamp(time_s: float) -> str:
    return clock.rfc3339(time_s)
