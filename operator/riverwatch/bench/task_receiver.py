"""Task: the receiving side as in operation: receiver, spool, worker, pipeline, in this process; detections go nowhere.

Order: ``product``, ``learn_until_s``, ``folder`` (of the spool), ``cert``, ``key``, ``token_file`` for TLS, ``whole``
to have everything in memory that `riverwatch run` imports, ``sample`` to look at the stages. The first answer is the
address. Each further line asks: ``{"figures": true}`` for the present figures, ``{"drained": n}`` for them once n
records have been read. Ends with its input.
"""

from __future__ import annotations

import importlib
import pathlib
import threading
from collections.abc import Iterable
from typing import Any

from riverwatch import clock
from riverwatch.bench import child, cores, products, sampling
from riverwatch.detections import finding
from riverwatch.runtime import pipeline, replay, spooled_queue, worker
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
    """Where detections end: counted, never rendered."""

    def __init__(self) -> None:
        self.found = 0

    def __call__(self, detections: Iterable[finding.Detection]) -> None:
        """Take detections."""
        self.found += sum(1 for _ in detections)


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
        time = clock.SystemClock()
        through = products.build(products.Product(order["product"]), learn_until_s=order["learn_until_s"])
        self._spool = spool.Spool(pathlib.Path(order["folder"]), cap_bytes=SPOOL_BYTES)
        queue: spooled_queue.SpooledQueue[pipeline.Pipeline] = spooled_queue.SpooledQueue(self._spool)
        self.worker = worker.Worker(through, sink, queue=queue, time=time)
        paths = {name: pathlib.Path(order[name]) for name in ("cert", "key", "token_file") if order.get(name)}
        self.source = audit_webhook.AuditWebhook(
            self.worker.offer, access=webhook_access.Access(**paths), insecure=not paths, time=time
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
            "spooled": self._spool.counts.appended,
            "peak_bytes": cores.peak_bytes(),
            **{f"cpu_s {thread}": sampling.cpu_s(thread) for thread in THREADS},
        }


def main(order: dict[str, Any]) -> None:
    """Serve until the input ends."""
    if order.get("whole"):
        importlib.import_module("riverwatch.control.assembly")
    receiving = Receiving(order, Sink())
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
        wanted = question.get("drained")
        until_s = cores.usage().wall_s + DRAIN_S
        while wanted is not None and receiving.worker.tally.read < wanted and cores.usage().wall_s < until_s:
            never.wait(LOOK_S)
        child.answer(receiving.figures() | ({"shares": looking.shares()} if looking else {}))
