"""Words of the spool: what a batch that was taken survives (`Durability`), and what the spool did and found (`Counts`).

No logic. Used by `state.spool` and by whoever shows figures.
"""

from __future__ import annotations

import dataclasses
import enum


class Durability(enum.StrEnum):
    """What a batch that was taken survives."""

    PROCESS = "process"
    """Any end of the process."""
    MACHINE = "machine"
    """A loss of power, too."""


@dataclasses.dataclass
class Counts:
    """What the spool did and found so far; read by anyone."""

    appended: int = 0
    appended_bytes: int = 0
    refused_full: int = 0
    """Batches refused because the cap was reached."""
    refused_disk: int = 0
    """Batches refused because the disk was full or failed."""
    flushes: int = 0
    torn_tails: int = 0
    """Segments that end in the middle of a batch: the process was ended while it wrote, and the batch was not taken."""
    damaged_frames: int = 0
    """Batches whose checksum does not hold; they are lost, the next one is read."""
    damaged_segments: int = 0
    """Segments of which a part, or all, cannot be read; the next one is read."""
    lost_bytes: int = 0
    """Bytes in damaged batches and parts of segments."""
