"""Task: how much memory the whole product takes for a load, and whether that grows with records alone.

Order: ``batches`` (a file of EventLists), ``learn_until_s``, ``passes``, ``pods`` and ``namespaces`` (how many the
inventory knows), and ``state`` to write a checkpoint there at the end. The same life is gone through several times, a
day later and with ids of its own each time. Answer: resident bytes before the first record and after each pass, the
peak, the checkpoint included, and what was learned.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import pathlib
from typing import Any

from riverwatch import clock
from riverwatch.bench import child, cores, products, task_client
from riverwatch.runtime import checkpoint, pipeline, replay
from riverwatch.sources import base, decode
from riverwatch.state import store

SAVE_S = 120.0
"""Seconds that writing the checkpoint may take."""


def main(order: dict[str, Any]) -> None:
    """Judge, look at the memory, answer."""
    importlib.import_module("riverwatch.control.assembly")
    through = products.build(products.Product.FULL, learn_until_s=order["learn_until_s"])
    _fill(through, pods=order.get("pods", 0), namespaces=order.get("namespaces", 1))
    replay.calm_collector()
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally)
    resident = [cores.resident_bytes()]
    before = cores.usage()
    batches = task_client.bodies(pathlib.Path(order["batches"]))
    for _ in range(order["passes"]):
        for body in itertools.islice(batches, order["count"]):
            through.process(decoder.body(body, where="load"), tally=tally)
        gc.collect()
        resident.append(cores.resident_bytes())
    used = cores.usage().since(before)
    if order.get("state"):
        _save(through, order["state"])
    child.answer(
        {
            "resident": resident,
            "peak_bytes": cores.peak_bytes(),
            "records": tally.read,
            "cpu_s": used.cpu_s,
            "wall_s": used.wall_s,
            "identities": sum(model.identities for model in through.models.homes.values()),
            "namespaces": len([name for name in through.models.homes if name]),
        }
    )


def _fill(through: pipeline.Pipeline, *, pods: int, namespaces: int) -> None:
    """Let the inventory know a pod and an account for each."""
    for number in range(pods):
        metadata = {"name": f"app-{number}", "namespace": f"space-{number % namespaces}", "labels": {"app": "app"}}
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        spec = {"serviceAccountName": f"app-{number}", "nodeName": f"node-{number // 100}"}
        pod = {"metadata": metadata, "spec": spec, "status": {"podIPs": [{"ip": address}]}}
        through.inventory.upsert("Pod", pod)
        through.inventory.upsert("ServiceAccount", {"metadata": metadata})


def _save(through: pipeline.Pipeline, folder: str) -> None:
    kept = checkpoint.Checkpointer(store.Store(folder), every_s=float("inf"), time=clock.SystemClock())
    kept.take(through)
    kept.finish(within_s=SAVE_S)
