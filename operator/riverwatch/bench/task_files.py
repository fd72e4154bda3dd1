"""Task: read a file of audit records through several contenders, interleaved in one process.

Order: ``audit`` (path of JSON lines), ``learn_until_s``, ``rounds``, ``contenders``, ``detail``. Answer: one `Sample`
per contender and round, and the stages of our own contenders from one further round each, which is not timed.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import json
import pathlib
from collections.abc import Callable
from typing import Any

import msgspec

from riverwatch.bench import child, cores, figures, products, sampling
from riverwatch.runtime import replay
from riverwatch.sources import audit_file, base, plain

DECODE = "msgspec, typed (decode only)"
"""The anchor: nothing that understands a record can be faster than decoding it."""

CHUNK_BYTES = 1024 * 1024
"""Bytes decoded at once, as the file source does."""


def main(order: dict[str, Any]) -> None:
    """Measure and answer."""
    path = pathlib.Path(order["audit"])
    contenders = _contenders(path, order)
    replay.calm_collector()
    samples: dict[str, list[figures.Sample]] = {name: [] for name in contenders}
    for _ in range(order["rounds"]):
        for name, run in contenders.items():
            gc.collect()
            before = cores.usage()
            records, found = run()
            used = cores.usage().since(before)
            samples[name].append(
                figures.Sample(records=records, wall_s=used.wall_s, cpu_s=used.cpu_s, figures={"detections": found})
            )
    stages = {}
    for name in [one for one in contenders if one in tuple(products.Product)]:
        gc.collect()
        with sampling.Sampler(detail=order.get("detail", False)) as looking:
            contenders[name]()
        stages[name] = looking.shares()
    child.answer({"samples": samples, "stages": stages, "peak_bytes": cores.peak_bytes()})


def _contenders(path: pathlib.Path, order: dict[str, Any]) -> dict[str, Callable[[], tuple[int, int]]]:
    known: dict[str, Callable[[], tuple[int, int]]] = {
        DECODE: lambda: (sum(len(plain.RECORD.decode_lines(one)) for one in chunks(path)), 0),
        "json (standard library)": lambda: (sum(1 for line in _lines(path) if json.loads(line)), 0),
    }
    if importlib.util.find_spec("orjson"):
        loads = importlib.import_module("orjson").loads
        known["orjson, to dict"] = lambda: (sum(1 for line in _lines(path) if loads(line)), 0)
    for product in products.Product:
        known[product.value] = functools.partial(_replay, path, product, order["learn_until_s"])
    wanted = order.get("contenders") or list(known)
    return {name: run for name, run in known.items() if name in wanted}


def _replay(path: pathlib.Path, product: products.Product, learn_until_s: float | None) -> tuple[int, int]:
    tally = base.Tally()
    through = products.build(product, learn_until_s=learn_until_s)
    found = replay.replay(audit_file.read_paths([path], tally=tally), through, tally=tally)
    return tally.read, len(found)


def _lines(path: pathlib.Path) -> Any:
    with path.open("rb") as file:
        yield from file


def chunks(path: pathlib.Path) -> Any:
    """Yield whole lines, about `CHUNK_BYTES` at a time."""
    with path.open("rb") as file:
        rest = b""
        while chunk := file.read(CHUNK_BYTES):
            cut = chunk.rfind(b"\n") + 1
            yield rest + chunk[:cut]
            rest = chunk[cut:]
        if rest:
            yield rest


def samples_of(found: dict[str, Any]) -> dict[str, list[figures.Sample]]:
    """Read the samples of an answer."""
    return msgspec.convert(found["samples"], dict[str, list[figures.Sample]])
