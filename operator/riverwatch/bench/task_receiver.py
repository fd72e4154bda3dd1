"""Task: the receiving side as in operation: receiver, spool, worker, pipeline, in this process; detections go nowhere.

Order: ``product``, ``learn_until_s``, ``folder`` (of the spool), ``cert``, ``key``, ``token_file`` for TLS, ``whole``
to have everything in memory that `riverwatch run` imports, ``sample`` to look at the stages, ``probes``: the beginning
of audit ids whose detection is noted with its time (of a clock that all processes share), ``quota``. The first
answer is the address. Each further line asks: ``{"figures": true}`` for the present figures, ``{"drained": n}`` for
them once n records have been read, ``{"settled": true}`` once nothing waits any more. Ends with its input.
"""

from __future__ import annotations

import importlib
import pathlib
import threading
import time
from collections.abc import Iterable
from typing import Any

from riverwatch import clock
from riverwatch.bench import child, cores, products, sampling
from riverwatch.detections import finding
from riverwatch.runtime import fairness, pipeline, replay, spooled_queue, worker
from riverwatch.sources import audit_webhook, base, host, webhook_access
from riverwatch.state import spool

THREADS = ("worker", "sources", "MainThread")
"""Threads whose CPU time is told apart."""

LOOK_S = 0.002
"""Seconds between two looks at whether everything is judged."""

DRAIN_S = 300.0
"""Seconds after which waiting for the rest is given up."""

SPOOL_BYTES = 4 * 1024**3
"""Room of the spool: a benchmark sends as fast as it can and must not be shed."""


class Sink:
    """Where detections end: counted, never rendered.

    Parameters
    ----------
    probes
        Beginning of the audit ids that are looked for in the evidence; nothing is looked for when empty.
    """

    def __init__(self, probes: str = "") -> None:
        self.found = 0
        self.seen_s: dict[str, float] = {}
        """Audit id of a probe -> when it was first told."""
        self._probes = probes

    def __call__(self, detections: Iterable[finding.Detection]) -> None:
        """Take detections."""
        for one in detections:
            self.found += 1
            if self._probes:
                now_s = time.perf_counter()
                for item in one.evidence:
                    if item.audit_id.startswith(self._probes):
                        self.seen_s.setdefault(item.audit_id, now_s)


class Receiving:
    """Receiver, spool, worker and pipeline.

    Parameters
    ----------
    order
        As the task was given it.
    sink
        Takes the detections.
    """

    def __init__(self, order: dict[str, Any], sink: Sink) -> None:
        system = clock.SystemClock()
        through = products.build(products.Product(order["product"]), learn_until_s=order["learn_until_s"])
        self._spool = spool.Spool(pathlib.Path(order["folder"]), cap_bytes=SPOOL_BYTES)
        queue: spooled_queue.SpooledQueue[pipeline.Pipeline] = spooled_queue.SpooledQueue(self._spool)
        quota = fairness.Quota(**order["quota"]) if order.get("quota") else None
        self.worker = worker.Worker(through, sink, queue=queue, time=system, quota=quota)
        paths = {name: pathlib.Path(order[name]) for name in ("cert", "key", "token_file") if order.get(name)}
        self.source = audit_webhook.AuditWebhook(
            self.worker.offer, access=webhook_access.Access(**paths), insecure=not paths, time=system
        )
        self._host = host.SourceHost([self.source])
        self._sink = sink

    def start(self) -> None:
        """Start worker and receiver."""
        self.worker.start()
        self.receive()

    def receive(self) -> None:
        """Start the receiver alone."""
        self._host.start()

    def stop(self) -> None:
        """Stop both."""
        self._host.stop()
        self.worker.stop(within_s=30.0)
        self._spool.close()

    def behind(self, question: dict[str, Any]) -> bool:
        """Whether what a question waits for is still to come."""
        if question.get("settled"):
            return bool(self.worker.counts.batches < self._spool.counts.appended or self.worker.fairness.waiting)
        return self.worker.tally.read < int(question.get("drained", 0))

    def figures(self) -> dict[str, Any]:
        """Return what was done so far."""
        used = cores.usage()
        tally = self.worker.tally
        return {
            "wall_s": used.wall_s,
            "cpu_s": used.cpu_s,
            "read": tally.read,
            "used": tally.used,
            "batches": self.worker.counts.batches,
            "faults": tally.skipped.get(base.SkipReason.FAULT, 0),
            "refused": self.worker.counts.refused,
            "lag_s": self.worker.counts.lag_s,
            "detections": self._sink.found,
            "seen_s": self._sink.seen_s,
            "over quota": tally.skipped.get(base.SkipReason.OVER_QUOTA, 0),
            "waited": self.worker.fairness.moved,
            "spooled": self._spool.counts.appended,
            "peak_bytes": cores.peak_bytes(),
            **{f"cpu_s {thread}": sampling.cpu_s(thread) for thread in THREADS},
        }


def main(order: dict[str, Any]) -> None:
    """Serve until the input ends."""
    if order.get("whole"):
        importlib.import_module("riverwatch.control.assembly")
    receiving = Receiving(order, Sink(order.get("probes", "")))
    replay.calm_collector()
    if order.get("sample"):
        _judge_in_main_thread(receiving, detail=bool(order.get("detail")))
        return
    receiving.start()
    _serve(receiving)
    receiving.stop()


def _judge_in_main_thread(receiving: Receiving, *, detail: bool) -> None:
    """Look where the time goes, which only works in the main thread; so the worker gets that one."""
    looking = sampling.Sampler(detail=detail)

    def serve() -> None:
        _serve(receiving, looking)
        receiving.stop()

    receiving.receive()
    threading.Thread(target=serve, daemon=True).start()
    with looking:
        receiving.worker.run()


def _serve(receiving: Receiving, looking: sampling.Sampler | None = None) -> None:
    child.answer({"url": receiving.source.url, "port": receiving.source.port})
    never = threading.Event()
    for question in child.orders():
        until_s = cores.usage().wall_s + DRAIN_S
        while receiving.behind(question) and cores.usage().wall_s < until_s:
            never.wait(LOOK_S)
        child.answer(receiving.figures() | ({"shares": looking.shares()} if looking else {}))
