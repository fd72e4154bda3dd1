"""Inputs for a parser: good ones with damage done to them, by Hypothesis (which shrinks) or by a plain generator."""

from __future__ import annotations

import random
from collections.abc import Sequence

import fuzz_parsers
import hypothesis.strategies as st

MAX_EDITS = 6
"""Damages done to one input."""

REPEATS = (2, 10, 300, 20_000)
"""How often a word may be repeated: the last goes beyond any limit of depth."""


def damaged(data: bytes, others: Sequence[bytes], words: Sequence[bytes], rng: random.Random) -> bytes:
    """Do up to `MAX_EDITS` damages to an input."""
    for _ in range(rng.randint(0, MAX_EDITS)):
        size = len(data)
        start = rng.randint(0, size)
        end = min(size, start + rng.choice((0, 1, 4, 40, 400)))
        match rng.randrange(6):
            case 0:
                middle = b""
            case 1:
                middle = rng.choice(words)
            case 2:
                middle = rng.choice(words) * rng.choice(REPEATS)
            case 3:
                middle = rng.randbytes(rng.choice((1, 2, 8)))
            case 4:
                middle = data[start:end] * rng.choice((2, 3, 50))
            case _:
                other = rng.choice(others)
                cut = rng.randint(0, len(other))
                middle = other[cut : cut + rng.choice((4, 60, 2_000))]
        data = data[:start] + middle + data[end:]
    return data[: fuzz_parsers.MAX_INPUT_BYTES]


def inputs(parser: fuzz_parsers.Parser) -> st.SearchStrategy[bytes]:
    """Return the strategy for a parser: arbitrary bytes, and good inputs with damage."""
    seeds = parser.seeds()
    assert seeds, "no inputs to begin with"
    good = st.builds(damaged, st.sampled_from(seeds), st.just(seeds), st.just(parser.words), st.randoms())
    soup = st.lists(st.sampled_from(parser.words) | st.binary(max_size=4), max_size=40).map(b"".join)
    return good | soup | st.binary(max_size=200)
