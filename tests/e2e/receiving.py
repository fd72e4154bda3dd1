"""Receiver, spool, worker, pipeline and checkpoints as in operation, but without an API server, until it is killed.

Run as a program: FOLDER. Writes one line of JSON when it listens, and one for each line it reads, once its queue is
empty: how many records were judged, of the whole life over all restarts.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import threading

from riverwatch import clock
from riverwatch.control import durable
from riverwatch.rules import engine
from riverwatch.runtime import pipeline, worker
from riverwatch.sources import audit_webhook, base, host

CHECKPOINT_S = 0.1
"""Seconds between two checkpoints: often enough that kills meet every moment of one."""


def say(**content: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def main(folder: str) -> None:
    """Serve until killed."""
    time = clock.SystemClock()
    through = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))
    kept = durable.Durable(pathlib.Path(folder), every_s=CHECKPOINT_S, memory=through, time=time)
    judging = worker.Worker(through, lambda _: None, queue=kept.queue, time=time)
    kept.follow(unfinished=list)
    judging.add_duty(dataclasses.replace(kept.duty(), every_s=CHECKPOINT_S / 2))
    source = audit_webhook.AuditWebhook(judging.offer, insecure=True)
    receivers = host.SourceHost([source])
    found = through.used
    judging.start()
    receivers.start()
    say(port=source.port, found=found, rejected=[str(one) for one in kept.recovery.report.rejected])
    never = threading.Event()
    for _ in sys.stdin:
        while kept.queue.octets:
            never.wait(0.01)
        judging.settle(within_s=60.0)
        say(
            used=through.used,
            learned=through.models.records,
            written=kept.counts.written,
            faults=judging.tally.skipped.get(base.SkipReason.FAULT, 0),
        )


if __name__ == "__main__":
    main(sys.argv[1])
