"""Task: detections as writes to an API server that is always there: how many, and how late after the batch arrived.

Order: ``batches``, ``count``, ``learn_until_s``, ``batches_per_s``, ``writes_per_s`` and ``writes_burst``. The API
server is played in this process and takes every write at once, so that what is measured is ours alone.
"""

from __future__ import annotations

import itertools
import pathlib
import threading
import time
from collections.abc import Mapping
from typing import Any, cast

from riverwatch import clock
from riverwatch.bench import child, cores, figures, products, task_client
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.outputs import dispatch, k8s_event, ledger, pending, references, threat_detection
from riverwatch.runtime import replay
from riverwatch.sources import base, decode

DRAIN_S = 120.0
"""Seconds in which all writes must have been made once everything is judged."""


class PlayedApi:
    """Takes applies and creates, and remembers when each object was first written."""

    def __init__(self) -> None:
        self.writes = {"apply": 0, "status": 0, "create": 0, "delete": 0}
        self.first_s: dict[str, float] = {}
        self._objects: dict[tuple[str, str], dict[str, Any]] = {}

    def apply(self, _: resources.Resource, body: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]:
        """Take an object or its status."""
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        self.writes["status" if subresource else "apply"] += 1
        self.first_s.setdefault(metadata["name"], time.perf_counter())
        kept = self._objects.setdefault(key, {})
        kept.update({**body, "metadata": {**metadata, "uid": metadata["name"], "generation": 1}})
        return kept

    def merge(
        self, _: resources.Resource, body: Mapping[str, Any], *, namespace: str, name: str, subresource: str = ""
    ) -> dict[str, Any]:
        """Take a part of a status."""
        self.writes["status"] += bool(subresource)
        return {**self._objects.get((namespace, name), {}), **body}

    def create(self, _: resources.Resource, body: Mapping[str, Any]) -> bool:  # noqa: ARG002 - the protocol's
        """Take an Event."""
        self.writes["create"] += 1
        return True

    def delete(self, _: resources.Resource, *, name: str, namespace: str = "") -> bool:
        """Forget an object."""
        self.writes["delete"] += 1
        return self._objects.pop((namespace, name), None) is not None


def main(order: dict[str, Any]) -> None:
    """Judge at a pace, write, answer."""
    api = PlayedApi()
    dispatcher = _dispatcher(api, order)
    through = products.build(products.Product.FULL, learn_until_s=order["learn_until_s"])
    replay.calm_collector()
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally)
    arrived_s: dict[str, float] = {}
    revisions = 0
    never = threading.Event()
    dispatcher.start()
    before = cores.usage()
    for number, body in enumerate(itertools.islice(task_client.bodies(pathlib.Path(order["batches"])), order["count"])):
        due_s = before.wall_s + number / order["batches_per_s"]
        never.wait(max(0.0, due_s - time.perf_counter()))
        at_s = time.perf_counter()
        found = through.process(decoder.body(body, where="load"), tally=tally)
        revisions += len(found)
        for detection in found:
            arrived_s.setdefault(detection.name, at_s)
        dispatcher.submit(found)
    until_s = time.perf_counter() + DRAIN_S
    while any(dispatcher.depths().values()) and time.perf_counter() < until_s:
        never.wait(0.01)
    used = cores.usage().since(before)
    left = dispatcher.stop(within_s=1.0)
    delays = [(api.first_s[name] - at_s) * 1e3 for name, at_s in arrived_s.items() if name in api.first_s]
    child.answer(
        {
            "records": tally.read,
            "wall_s": used.wall_s,
            "cpu_s": used.cpu_s,
            "writes": api.writes,
            "detections": len(arrived_s),
            "revisions": revisions,
            "left": left + sum(1 for name in arrived_s if name not in api.first_s),
            "p50_ms": figures.quantile(delays, 0.5),
            "p99_ms": figures.quantile(delays, 0.99),
        }
    )


def _dispatcher(api: PlayedApi, order: dict[str, Any]) -> dispatch.Dispatcher:
    system, known = clock.SystemClock(), references.References()
    client = cast("kube_client.Client", api)
    standing = ledger.Ledger(cap=500)
    writer = threat_detection.ThreatDetectionOutput(
        client, known, standing, operator_namespace="riverwatch-system", max_bytes=256 * 1024
    )
    announcer = k8s_event.K8sEventOutput(
        client, known, operator_namespace="riverwatch-system", instance="bench", time=system
    )
    return dispatch.Dispatcher(
        [writer, announcer],
        capacity=20_000,
        bucket=pending.TokenBucket(rate_per_s=order["writes_per_s"], burst=order["writes_burst"]),
        count=lambda _output, _outcome: None,
        time=system,
    )
