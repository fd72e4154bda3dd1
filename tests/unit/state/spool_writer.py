"""Appends numbered batches to a spool until it is killed, and writes each number to standard output once it was taken.

Run as a program: FOLDER DURABILITY FIRST-NUMBER. The batch with a number is always the same, see `batch`.
"""

from __future__ import annotations

import os
import pathlib
import random
import sys

from riverwatch.state import spool

SEGMENT_BYTES = 96 * 1024


def batch(number: int) -> bytes:
    """Return the batch with a number: the number, then up to 20 kB that follow from it."""
    rng = random.Random(number)
    return number.to_bytes(8, "big") + rng.randbytes(rng.choice((0, 10, 900, 20_000)))


def main(folder: str, durability: str, first: str) -> None:
    """Append for ever."""
    one = spool.Spool(
        pathlib.Path(folder), segment_bytes=SEGMENT_BYTES, durability=spool.Durability(durability), cap_bytes=1 << 30
    )
    number = int(first)
    while True:
        if one.append(batch(number)) is None:
            raise SystemExit(f"refused: {one.trouble}")
        os.write(1, b"%d\n" % number)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
