"""Reading plain logs costs little more than the bare decoder: the best of several interleaved runs, in CPU time."""

import gc
import json
import pathlib
import time

import pytest

from riverwatch.sources import audit_file, base, plain

DATA = pathlib.Path(__file__).parents[1] / "data" / "audit"
RECORDS = 20_000
ROUNDS = 5

LEAST_RATIO = 0.6
"""Of the bare decoder's speed; about 0.9 to 1.0 on a quiet machine, the rest is for busy ones."""


def batch(lines):
    items = [json.loads(line) for line in lines]
    return json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}) + "\n"


def ours(path):
    tally = base.Tally()
    count = sum(len(found.records) for found in audit_file.read_paths([path], tally=tally))
    assert tally.skipped == {}
    return count


def bare_lines(path):
    with path.open("rb") as file:
        return sum(1 for line in file if plain.RECORD.decode(line).kind)


def bare_lists(path):
    with path.open("rb") as file:
        return sum(len(plain.LIST.decode(line).items) for line in file)


@pytest.mark.parametrize("bare", [bare_lines, bare_lists], ids=["JSON lines", "batches of 400"])
def test_reading_is_nearly_as_fast_as_bare_decoding(bare, tmp_path):
    lines = (DATA / "lines.jsonl").read_text().splitlines(keepends=True) * (RECORDS // 4)
    path = tmp_path / "audit.log"
    path.write_text("".join(lines) if bare is bare_lines else batch(lines[:400]) * (RECORDS // 400))
    best = dict.fromkeys((ours, bare), float("inf"))
    gc.collect()
    gc.freeze()
    try:
        for _ in range(ROUNDS):
            for read in best:
                started = time.process_time()
                assert read(path) == RECORDS
                best[read] = min(best[read], time.process_time() - started)
    finally:
        gc.unfreeze()

    assert best[bare] / best[ours] >= LEAST_RATIO
