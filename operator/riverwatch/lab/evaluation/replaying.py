"""Run a recording through the product in this process, with rules, models or both allowed to speak.

A recording's folder in, `pooling.Judged` out. The pipeline is the one that the operator and `replay` run; no label,
seed or card reaches it. Called by `lab evaluate`.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import msgspec
import yaml

from riverwatch import errors
from riverwatch.api.v1alpha1 import words
from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts, pooling, report
from riverwatch.rules import engine, loading
from riverwatch.runtime import pipeline, replay
from riverwatch.scoring import policy
from riverwatch.sources import audit_file, base

AUDIT_FILES = ("audit.jsonl", "audit.jsonl.zst", "audit.jsonl.gz")
"""Names that a recording's audit log may have."""

OBJECTS = "objects.yaml"
"""The cluster's objects as they were found, if the recording has them."""

META = "meta.json"
"""How the recording was made, if it says so."""


class Loaded(msgspec.Struct, frozen=True):
    """A recording's folder, opened."""

    folder: pathlib.Path
    audit: pathlib.Path
    labels: world.Labels
    objects: list[dict[str, Any]]
    about: report.Recording


def load(folder: pathlib.Path) -> Loaded:
    """Open a recording.

    Parameters
    ----------
    folder
        What `riverwatch lab record` wrote.

    Raises
    ------
    BadInputError
        When labels or audit log are missing or unreadable.
    """
    labels = world.read_labels(folder)
    audit = next((folder / name for name in AUDIT_FILES if (folder / name).is_file()), None)
    if audit is None:
        raise errors.BadInputError(f"no audit log ({', '.join(AUDIT_FILES)}) in it", where=str(folder))
    about = report.Recording(folder=folder.resolve().name, seed=labels.seed, records=_records(folder / META))
    return Loaded(folder=folder, audit=audit, labels=labels, objects=_objects(folder / OBJECTS), about=about)


def judge(
    recording: Loaded,
    mode: report.Mode,
    *,
    learning_s: float,
    policies: policy.PolicySet = policy.DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> pooling.Judged:
    """Replay a recording and keep what was raised.

    Parameters
    ----------
    recording
        What `load` gave.
    mode
        What may speak.
    learning_s
        Seconds at the start in which nothing is raised.
    policies
        Policies in force.
    progress
        Told bytes read and bytes in all.
    """
    start_s = world.parse_rfc3339(recording.labels.start)
    through = pipeline.Pipeline(
        rules=engine.RuleEngine(() if mode is report.Mode.MODELS else loading.load_catalog()),
        policies=rules_only(policies) if mode is report.Mode.RULES else policies,
        learn_until_s=start_s + learning_s,
    )
    for item in recording.objects:
        through.inventory.upsert(str(item.get("kind", "")), item)
    tally = base.Tally()
    batches = audit_file.read_paths([recording.audit], tally=tally, progress=progress)
    found = replay.replay(batches, through, tally=tally)
    return pooling.Judged(labels=recording.labels, found=tuple(alerts.of_detections(found)))


def rules_only(policies: policy.PolicySet) -> policy.PolicySet:
    """Give the same policies with models kept silent.

    Parameters
    ----------
    policies
        Policies in force.
    """
    silenced = [
        msgspec.structs.replace(
            one, mode=words.PolicyMode.RULES_ONLY if one.mode is words.PolicyMode.DETECT else one.mode
        )
        for one in policies.policies
    ]
    lowest = min((one.priority for one in silenced), default=0) - 1
    rest = policy.CompiledPolicy(
        ref="ClusterDetectionPolicy/rules-only",
        name="rules-only",
        namespace=None,
        priority=lowest,
        mode=words.PolicyMode.RULES_ONLY,
    )
    return policy.PolicySet((*silenced, rest))


def _objects(path: pathlib.Path) -> list[dict[str, Any]]:
    """Read a list of objects; none without a file."""
    if not path.is_file():
        return []
    try:
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except yaml.YAMLError as problem:
        raise errors.BadInputError(f"not YAML: {problem}", where=str(path)) from problem
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise errors.BadInputError("not a List of objects", where=str(path))
    return [item for item in items if isinstance(item, dict)]


def _records(path: pathlib.Path) -> int | None:
    """Read the number of records from a recording's description."""
    try:
        count = json.loads(path.read_text()).get("records")
    except (OSError, ValueError, AttributeError):
        return None
    return count if isinstance(count, int) else None
