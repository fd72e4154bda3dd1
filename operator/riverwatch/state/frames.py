"""How the spool's batches lie on disk: segments of checksummed frames. Numbers big-endian.

::

    segment  magic 8 bytes ``RWSPOOL`` and a line feed | version u16 | number u64 | frame | frame | ...
    frame    length u32 | CRC-32 of the payload u32 | CRC-32 of these eight bytes u32 | payload

The frame's own head is checked apart from the payload, so that a damaged payload costs that batch alone. A segment that
ends in the middle of a frame, or in zeros, is *torn*: its writer was ended, and what is missing was never taken. Only
reads and describes; called by `state.spool`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import struct
import zlib
from collections.abc import Iterator

import msgspec

MAGIC = b"RWSPOOL\n"
"""First bytes of every segment."""

VERSION = 1
"""Version of the layout above."""

_SEGMENT = struct.Struct(">8sHQ")
_FRAME = struct.Struct(">III")
_FRAME_CHECKED = struct.Struct(">II")
_NAME = re.compile(r"^spool-(\d{12})\.seg$")

START = _SEGMENT.size
"""Bytes before the first frame of a segment."""

MAX_SEGMENTS = 10**12 - 1
"""Largest number of a segment, from the digits of its name."""

MAX_PAYLOAD_BYTES = 0xFFFF_FFFF
"""Largest payload, from the width of its length."""


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place between two frames; later is greater. As plain data it is stored in checkpoints."""

    segment: int
    offset: int
    """Bytes from the beginning of the segment."""


@dataclasses.dataclass
class Damage:
    """What reading one segment met."""

    torn: int = 0
    """1 when the segment ends in the middle of a frame."""
    frames: int = 0
    """Frames whose payload does not have its checksum."""
    segment: str = ""
    """Why nothing further could be read; empty when all of it was."""
    lost_bytes: int = 0


def path(folder: pathlib.Path, number: int) -> pathlib.Path:
    """Return the file of a segment."""
    return folder / f"spool-{number:012d}.seg"


def segments(folder: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """Return the segments of a folder, oldest first; other files are none of them."""
    found = ((_NAME.match(one.name), one) for one in folder.iterdir())
    return sorted((int(match[1]), one) for match, one in found if match)


def segment_head(number: int) -> bytes:
    """Return the first bytes of a segment."""
    return _SEGMENT.pack(MAGIC, VERSION, number)


def frame_head(parts: tuple[bytes, ...]) -> bytes:
    """Return what stands before a payload that consists of these parts."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    checked = _FRAME_CHECKED.pack(sum(map(len, parts)), crc)
    return checked + zlib.crc32(checked).to_bytes(4, "big")


def flush_folder(folder: pathlib.Path) -> None:
    """Have new names in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(
    file: pathlib.Path, number: int, *, start: int, limit: int | None, damage: Damage
) -> Iterator[tuple[int, bytes]]:
    """Give out the payloads of a segment.

    Parameters
    ----------
    file
        The segment.
    number
        Its number, which it must know itself.
    start
        Bytes. Where a frame begins; less than `START` means the first one.
    limit
        Bytes. Where the last frame ends when this process wrote the segment, whose payloads are then not checked again;
        None for a segment of an earlier process, which ends with the file.
    damage
        Takes what could not be read.

    Yields
    ------
    tuple
        Where the frame ends, and its payload.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        end = size if limit is None else min(limit, size)
        if size < START:
            damage.torn = 1
        elif os.pread(handle, START, 0) != segment_head(number):
            damage.segment, damage.lost_bytes = "its first bytes are not those of this segment", end - START
        else:
            yield from _frames(handle, max(start, START), end, damage, check=limit is None)
    finally:
        os.close(handle)


def _frames(handle: int, offset: int, end: int, damage: Damage, *, check: bool) -> Iterator[tuple[int, bytes]]:
    while offset < end:
        head = os.pread(handle, _FRAME.size, offset)
        after = offset + _FRAME.size
        if after > end or len(head) < _FRAME.size:
            damage.torn = 1
            return
        length, crc, head_crc = _FRAME.unpack(head)
        if zlib.crc32(head[: _FRAME_CHECKED.size]) != head_crc:
            if any(os.pread(handle, end - offset, offset)):
                damage.segment = f"the head of the frame at byte {offset} is damaged"
                damage.lost_bytes += end - offset
            else:
                damage.torn = 1
            return
        if after + length > end:
            damage.torn = 1
            return
        payload = os.pread(handle, length, after)
        offset = after + length
        if len(payload) == length and (not check or zlib.crc32(payload) == crc):
            yield offset, payload
        else:
            damage.frames += 1
            damage.lost_bytes += length
