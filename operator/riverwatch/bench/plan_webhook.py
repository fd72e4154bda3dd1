"""B2, B3, B6: batches over the webhook, as an API server sends them, into receiver, spool, worker and pipeline.

The receiving process is pinned to one core, its client to another. A run ends when the last record is judged, not when
it is acknowledged.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import msgspec

from riverwatch.bench import child, figures, products, setting, task_files
from riverwatch.lab.controlplane import certificates

CONNECTIONS = 4
"""Keep-alive connections: an API server sends several batches at once."""

BATCH_P99_MS = 30.0
"""Most milliseconds in which 99 of 100 batches are acknowledged while the receiver has all it can judge."""

TLS_LEAST = 0.85
"""Least share of the rate that is left with TLS."""

PRODUCT_TO_DECODE = 0.081
"""Least share of the bare decoder's rate for the whole product: six times Falco's webhook, which stood at 0.0136 of it
(10,900 to 800,000 records/s, one core, 2 CPUs of an AMD EPYC, 2026-11)."""

BURST_CONNECTIONS = 40
BURST_BATCHES = 40
"""Batches at once: what one API server has in its buffer when it may send again, 16,000 records."""

STEADY_PER_S = 30.0
"""Batches a second afterwards: three API servers at their own limit, 12,000 records/s."""

STEADY_S = 60
"""Seconds of it."""

SMALL_STEADY_S = 2
"""The same in a small run."""

BURST_P99_MS = 250.0
"""Most milliseconds in which 99 of 100 batches of a burst are acknowledged."""

TOKEN = "benchmark-of-riverwatch"  # noqa: S105 - opens a receiver on loopback that lives for seconds


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A running receiver with its client."""

    receiver: child.Child
    client: child.Child


@contextlib.contextmanager
def line(
    chosen: setting.Setting,
    product: products.Product,
    *,
    tls: bool = False,
    connections: int = CONNECTIONS,
    sample: bool = False,
) -> Iterator[Line]:
    """Run a receiver and a client for it.

    Parameters
    ----------
    chosen
        The run.
    product
        What judges.
    tls
        Whether the line is encrypted and asks for a token.
    connections
        Keep-alive connections of the client.
    sample
        Whether the receiver looks where its time goes, which costs some.
    """
    folder = chosen.fresh("receiver")
    order: dict[str, Any] = {
        "product": product.value,
        "learn_until_s": chosen.work.learn_until_s,
        "folder": str(folder / "spool"),
        "whole": product is products.Product.FULL,
        "sample": sample,
        "detail": chosen.detail,
    }
    access = _access(folder) if tls else {}
    with child.running("task_receiver", order | access, core=chosen.core) as receiver:
        port = receiver.ask()["port"]
        sending = {"port": port, "bodies": str(chosen.work.batch_file), "connections": connections}
        if tls:
            sending |= {"ca": access["ca"], "token": TOKEN}
        with child.running("task_client", sending, core=chosen.client_core) as client:
            client.ask()
            yield Line(receiver=receiver, client=client)


def through(
    chosen: setting.Setting, product: products.Product, *, tls: bool = False, stages: bool = False
) -> tuple[figures.Sample, dict[str, float]]:
    """Send all batches once, as fast as answers come; return the run, and its cost by stage when that was asked for."""
    with line(chosen, product, tls=tls, sample=stages) as one:
        before = one.receiver.ask({"figures": True})
        sent = one.client.ask({"count": chosen.work.batches})
        after = one.receiver.ask({"drained": chosen.work.records})
    return sample(before, after, sent), _stages(before, after) if stages else {}


def _stages(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Return stage -> core-milliseconds per 1,000 records; of the receiver's thread as measured."""
    scale = 1e6 / max(1.0, after["read"] - before["read"])
    worker_s = after["cpu_s MainThread"] - before["cpu_s MainThread"]
    sources_s = after["cpu_s sources"] - before["cpu_s sources"]
    found = {stage: share * worker_s * scale for stage, share in after["shares"].items()}
    return found | {"receive and spool": sources_s * scale}


def sample(before: dict[str, Any], after: dict[str, Any], sent: dict[str, Any]) -> figures.Sample:
    """Make a run of the receiver's figures and the client's."""
    latencies, codes = sent["latencies_ms"], sent["codes"]
    return figures.Sample(
        records=int(after["read"] - before["read"]),
        wall_s=after["wall_s"] - before["wall_s"],
        cpu_s=after["cpu_s"] - before["cpu_s"],
        peak_bytes=int(after["peak_bytes"]),
        figures={
            "batch p50 ms": figures.quantile(latencies, 0.5),
            "batch p99 ms": figures.quantile(latencies, 0.99),
            "answers 2xx": sum(count for code, count in codes.items() if code.startswith("2")),
            "answers other": sum(count for code, count in codes.items() if not code.startswith("2")),
            "revisions": after["detections"],
            "faults": after["faults"],
        },
    )


def run_rules(chosen: setting.Setting) -> figures.Result:
    """B2: rules only, with and without TLS."""
    names = {False: "rules only, webhook", True: "rules only, webhook with TLS"}
    rows = {tls: figures.Row(name=name, samples=[]) for tls, name in names.items()}
    for _ in range(chosen.rounds):
        for tls, row in rows.items():
            row.samples.append(through(chosen, products.Product.RULES, tls=tls)[0])
    result = figures.Result(id="B2", title="Webhook, rules only, one core", rows=list(rows.values()))
    result.ratios = [
        figures.Ratio(name="with TLS / without", value=figures.paired(rows[True], rows[False]), target=TLS_LEAST),
        _p99(rows[False]),
    ]
    return result


def run_product(chosen: setting.Setting) -> figures.Result:
    """B3: the whole product, beside the bare decoder."""
    ours = figures.Row(name="rules and models, webhook", samples=[])
    anchor = figures.Row(name=task_files.DECODE, samples=[], peer=True)
    order = {"audit": str(chosen.work.audit), "learn_until_s": None, "rounds": 1, "contenders": [task_files.DECODE]}
    for _ in range(chosen.rounds):
        anchor.samples += task_files.samples_of(child.run("task_files", order, core=chosen.core))[task_files.DECODE]
        ours.samples.append(through(chosen, products.Product.FULL)[0])
    result = figures.Result(id="B3", title="Webhook, the whole product, one core", rows=[ours, anchor])
    result.stages[ours.name] = through(chosen, products.Product.FULL, stages=True)[1]
    result.ratios = [
        figures.Ratio(
            name=f"whole product / {task_files.DECODE}",
            value=figures.paired(ours, anchor),
            target=PRODUCT_TO_DECODE,
            note="stands for six times Falco's webhook where no Falco is installed",
        ),
        _p99(ours),
        figures.Ratio(name="peak memory, MB", value=ours.peak_bytes / 1e6, target=240.0, at_most=True),
    ]
    return result


def run_burst(chosen: setting.Setting) -> figures.Result:
    """B6: a burst, then a steady stream above what one API server can send."""
    burst = figures.Row(name=f"burst, {BURST_BATCHES} batches at once", samples=[])
    steady = figures.Row(name=f"then {STEADY_PER_S:g} batches/s", samples=[])
    seconds = SMALL_STEADY_S if chosen.small else STEADY_S
    lost = 0.0
    with line(chosen, products.Product.FULL, connections=BURST_CONNECTIONS) as one:
        expected = 0
        per_batch = chosen.work.records // chosen.work.batches
        for row, count, rate in ((burst, BURST_BATCHES, None), (steady, int(STEADY_PER_S * seconds), STEADY_PER_S)):
            before = one.receiver.ask({"figures": True})
            sent = one.client.ask({"count": count, "rate_per_s": rate})
            acknowledged = one.receiver.ask({"figures": True})
            expected += count * per_batch
            after = one.receiver.ask({"drained": expected})
            found = sample(before, after, sent)
            found.figures["drained s after the last answer"] = after["wall_s"] - acknowledged["wall_s"]
            lost += count - (after["spooled"] - before["spooled"])
            row.samples.append(found)
        lost += max(0.0, expected - after["read"]) / per_batch
    result = figures.Result(id="B6", title="A burst over 40 connections, then 12,000 records/s", rows=[burst, steady])
    others = sum(row.samples[0].figures["answers other"] for row in result.rows)
    result.ratios = [
        figures.Ratio(name="batches lost", value=lost, target=0.0, at_most=True),
        figures.Ratio(name="answers that were not 2xx", value=others, target=0.0, at_most=True),
        *(_p99(row, most=BURST_P99_MS) for row in result.rows),
    ]
    return result


def _p99(row: figures.Row, *, most: float = BATCH_P99_MS) -> figures.Ratio:
    found = row.figure("batch p99 ms")
    return figures.Ratio(
        name=f"p99 of a batch, ms ({row.name})", value=found.median if found else 0.0, target=most, at_most=True
    )


def _access(folder: pathlib.Path) -> dict[str, str]:
    authority = certificates.Authority(folder / "authority")
    pair = authority.issue_server("localhost", ["localhost", "127.0.0.1"])
    tokens = folder / "tokens"
    tokens.write_text(TOKEN + "\n", encoding="ascii")
    return {
        "cert": str(pair.certificate),
        "key": str(pair.key),
        "token_file": str(tokens),
        "ca": str(authority.pair.certificate),
    }
