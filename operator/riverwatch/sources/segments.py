"""Stage 1, files: a file in which time jumps back -> the parts in which it does not.

``oc adm node-logs`` over three masters, or ``cat`` over several logs, writes one server's hours after another's. Read
as it stands, such a file would teach the same hours three times and judge what lies in the time of learning. So a file
is looked at in some places; only when a later place is older is it read once for the places where time jumps back. What
is packed or wrapped is left as it is. Called by `audit_file`; opens files, decodes nothing.
"""

from __future__ import annotations

import datetime as dt
import itertools
import pathlib
import re
from typing import BinaryIO

import msgspec

JUMP_S = 900.0
"""Seconds that time must go back to be a jump: servers write a record seconds, never a quarter of an hour, late."""

MAX_PARTS = 64
"""Parts of one file; with more of them it is no row of logs, for example an export with the newest first."""

LOOKS = 64
"""Places that are looked at first: less than a thousandth of a log of a gigabyte."""

LOOK_BYTES = 16 * 1024
"""Bytes read at each place, for one record: those without bodies have about 1 kB."""

_CHUNK_BYTES = 1024 * 1024

_STAGE_TIME = re.compile(rb'"stageTimestamp"\s*:\s*"(\d{4}-\d\d-\d\dT\d\d:\d\d)')
"""When a record was written, to the minute. A request may have begun hours before, so that its own time tells nothing.
Inside a string, such as a wrapped record, the quotes would be escaped."""

_OVERLAP_BYTES = 128
"""Bytes of a chunk that the next one sees again: more than one match."""


class Part(msgspec.Struct, frozen=True):
    """Bytes of a file, from the first of a line on; the end is not part of it."""

    start: int
    end: int


def parts_of(path: pathlib.Path, size: int) -> list[Part]:
    """Return the parts of a file in which time does not jump back: mostly one. What cannot be read is one part."""
    whole = [Part(0, size)]
    try:
        with path.open("rb") as file:
            starts = _starts(file) if _looks_jumping(file, size) else []
    except OSError:
        return whole
    if len(starts) >= MAX_PARTS:
        return whole
    return [Part(start, end) for start, end in itertools.pairwise([0, *starts, size]) if start < end]


def _looks_jumping(file: BinaryIO, size: int) -> bool:
    """Tell whether a later place of the file is older than one before."""
    newest = -1.0
    for place in range(LOOKS):
        file.seek(size * place // LOOKS)
        found = _STAGE_TIME.search(file.read(LOOK_BYTES))
        time_s = _seconds(found[1]) if found else newest
        if time_s < newest - JUMP_S:
            return True
        newest = max(newest, time_s)
    return False


def _starts(file: BinaryIO) -> list[int]:
    """Return the starts of the lines at which time jumps back."""
    starts: list[int] = []
    before, newest, done = b"", -1.0, 0
    line = 0
    seen = b""
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        data = before + chunk
        base = done - len(before)
        for found in _STAGE_TIME.finditer(data):
            if found.end() <= len(before):
                continue
            if found[1] != seen:
                seen = found[1]
                time_s = _seconds(seen)
                if 0 <= time_s < newest - JUMP_S:
                    cut = data.rfind(b"\n", 0, found.start())
                    starts.append(base + cut + 1 if cut >= 0 else line)
                    newest = time_s
                    if len(starts) >= MAX_PARTS:
                        return starts
                newest = max(newest, time_s)
        cut = data.rfind(b"\n")
        line = base + cut + 1 if cut >= 0 else line
        done += len(chunk)
        before = data[-_OVERLAP_BYTES:]
    return starts


def _seconds(text: bytes) -> float:
    try:
        return dt.datetime.fromisoformat(text.decode() + "+00:00").timestamp()
    except ValueError:
        return -1.0
