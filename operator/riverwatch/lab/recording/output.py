"""Write a recording's files: the audit log, the labels, and what there is to know about how it was made.

In: lines, episodes, facts. Out: files. Called by `recorder`.
"""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import zstandard

from riverwatch.lab import world
from riverwatch.lab.life import odd
from riverwatch.lab.recording import player, rewrite

AUDIT = "audit.jsonl"
"""Name of the audit log; ``.zst`` is added when it is compressed."""

META = "meta.json"
"""Name of the file that says how the recording was made."""

COMPLAINTS = ("unsettled", "attacksOmitted", "attacksFailed", "attacksNotCleanedUp")
"""Facts that say what did not go as planned, when they are not empty."""

LEVEL = 12
"""Compression level: higher ones take minutes for a fortnight and save a tenth."""


def happenings(
    happened: Sequence[odd.Happening], anchors: Sequence[player.Anchor], recorded: frozenset[str]
) -> list[world.Episode]:
    """Give the labels of all happenings that left a record.

    Parameters
    ----------
    happened
        What was planned.
    anchors
        What was played.
    recorded
        Audit ids in the recording.
    """
    of: dict[str, list[player.Anchor]] = collections.defaultdict(list)
    for anchor in anchors:
        if anchor.episode and anchor.audit_id in recorded:
            of[anchor.episode].append(anchor)
    found = []
    for happening in happened:
        mine = sorted(of[happening.id], key=lambda anchor: anchor.time_s)
        if mine:
            found.append(
                world.Episode(
                    id=happening.id,
                    kind=world.EpisodeKind.HAPPENING,
                    name=happening.name,
                    start=world.rfc3339(mine[0].time_s),
                    end=world.rfc3339(mine[-1].time_s),
                    identities=sorted({anchor.username for anchor in mine}),
                    summary=happening.summary,
                    audit_ids=[anchor.audit_id for anchor in mine],
                )
            )
    return found


def write(
    folder: pathlib.Path, lines: Sequence[rewrite.Line], labels: world.Labels, *, meta: dict[str, Any], compress: bool
) -> dict[str, Any]:
    """Write all but the objects, and return the facts with the counts added.

    Parameters
    ----------
    folder
        The recording.
    lines
        Records in order.
    labels
        What is labelled.
    meta
        Facts so far.
    compress
        Whether the audit log is compressed.
    """
    content = b"".join(line.content + b"\n" for line in lines)
    for name in (AUDIT, f"{AUDIT}.zst"):
        (folder / name).unlink(missing_ok=True)
    if compress:
        (folder / f"{AUDIT}.zst").write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(content))
    else:
        (folder / AUDIT).write_bytes(content)
    of = {audit_id: episode for episode in labels.episodes for audit_id in episode.audit_ids}
    first: dict[str, world.LabelledRecord] = {}
    for line in lines:
        if (episode := of.get(line.audit_id)) and line.audit_id not in first:
            first[line.audit_id] = world.LabelledRecord(
                line.audit_id, world.rfc3339(line.time_s), episode, line.username
            )
    world.write_labels(folder, labels, list(first.values()))
    facts = {
        **meta,
        "start": labels.start,
        "end": labels.end,
        "records": len(lines),
        "bytes": len(content),
        "identities": len({line.username for line in lines}),
        "attacks": len(labels.attacks()),
        "happenings": len(labels.happenings()),
        "labelledRecords": len(first),
    }
    (folder / META).write_text(json.dumps(facts, indent=1) + "\n")
    return facts
