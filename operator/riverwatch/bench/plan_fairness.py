"""B10: how much later others' detections are while one namespace sends fifty times its quota over the webhook.

Receiver, spool, worker and pipeline run as in operation. Probes, each an act that a rule raises by an account of its
own, are sent at a steady pace beside ordinary traffic: first alone, then with the noise. Delay is from when a probe was
due to be sent until its detection leaves the pipeline.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from riverwatch import clock
from riverwatch.bench import child, figures, products, setting, workload
from riverwatch.runtime import fairness

TIMES = 50.0
"""How many times its quota the namespace sends."""

QUOTAS = (fairness.Quota(records_per_s=200.0, burst=1_000.0), fairness.Quota())
"""Quotas under which it is measured: a small one, whose fiftyfold (10,000 records/s) is what two or three API servers
deliver at most, and the usual one, for whose fiftyfold (50,000) a dozen of them would have to serve one namespace."""

USUAL_PER_S = 5.0
"""Ordinary batches a second: 2,000 records/s, half of what an API server can send."""

PROBES_PER_S = 5.0
"""Probes a second."""

CALM_S, NOISY_S = 10, 30
"""Seconds without and with the noise."""

SMALL_S = 1
"""Both in a small run."""

AHEAD_S = 1.0
"""Seconds of noise before the first probe in it."""

NOISE_CONNECTIONS = 16
"""Connections that bring the noise."""

DELAY_S = 1.0
"""Most seconds by which the slowest detection of others may be later than the slowest one without the noise."""

BROUGHT = 0.95
"""Least share of the noise that the machine must have brought for the figures to mean anything."""

PROBE = "probe-"
"""Beginning of the probes' audit ids."""

NOISY = b"system:serviceaccount:noisy:crawler"
"""Who sends too much."""

_USER = re.compile(rb'"user":\{"username":"[^"]*"')


def run(chosen: setting.Setting) -> figures.Result:
    """Measure."""
    result = figures.Result(id="B10", title=f"One namespace sends {TIMES:g} times its quota")
    for quota in QUOTAS:
        _add(result, _measured(chosen, quota), quota)
    return result


class Phase(msgspec.Struct, frozen=True):
    """Probes that were sent one after the other."""

    sent: dict[str, Any]
    cpu_s: float
    """Of the receiver, meanwhile."""
    delays_s: list[float]
    """Of the probes that a detection came of."""


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    calm: Phase
    noisy: Phase
    noise_per_s: float
    """Records a second that the noise really brought."""
    codes: dict[str, int]
    """Answers to the noise."""
    after: dict[str, Any]
    """Figures of the receiver at the end."""


def _measured(chosen: setting.Setting, quota: fairness.Quota) -> Measured:
    folder = chosen.fresh("fairness")
    calm_s, noisy_s = (SMALL_S, SMALL_S) if chosen.small else (CALM_S, NOISY_S)
    batch = chosen.work.records / chosen.work.batches
    order = {
        "product": products.Product.FULL.value,
        "learn_until_s": None,
        "folder": str(folder / "spool"),
        "whole": True,
        "probes": PROBE,
        "quota": {"records_per_s": quota.records_per_s, "burst": quota.burst},
    }
    with child.running("task_receiver", order, core=chosen.core) as receiver, contextlib.ExitStack() as clients:
        port = receiver.ask()["port"]
        noise = _noise(chosen.work, folder / "noise.jsonl")
        probes = _probes(folder / "probes.jsonl", at_s=chosen.work.learn_until_s)
        usual = clients.enter_context(_client(chosen, port, chosen.work.batch_file, connections=2))
        noisy = clients.enter_context(_client(chosen, port, noise, connections=NOISE_CONNECTIONS))
        probing = clients.enter_context(_client(chosen, port, probes, connections=2))
        beside = clients.enter_context(concurrent.futures.ThreadPoolExecutor(2))

        traffic = beside.submit(_send, usual, seconds=calm_s, per_s=USUAL_PER_S)
        first = _send(probing, seconds=calm_s, per_s=PROBES_PER_S)
        traffic.result()
        before = receiver.ask({"settled": True})
        traffic = beside.submit(_send, usual, seconds=noisy_s + AHEAD_S, per_s=USUAL_PER_S)
        loud = beside.submit(_send, noisy, seconds=noisy_s + AHEAD_S, per_s=TIMES * quota.records_per_s / batch)
        threading.Event().wait(AHEAD_S)
        second = _send(probing, seconds=noisy_s, per_s=PROBES_PER_S)
        traffic.result()
        brought = loud.result()
        after = receiver.ask({"settled": True})
    return Measured(
        calm=Phase(first, before["cpu_s"], _delays(after["seen_s"], first, start=0)),
        noisy=Phase(second, after["cpu_s"] - before["cpu_s"], _delays(after["seen_s"], second, start=first["count"])),
        noise_per_s=brought["count"] * batch / brought["wall_s"],
        codes=brought["codes"],
        after=after,
    )


def _delays(seen_s: dict[str, float], sent: dict[str, Any], *, start: int) -> list[float]:
    due_s = {f"{PROBE}{start + place}": sent["began_s"] + place / PROBES_PER_S for place in range(sent["count"])}
    return [seen_s[name] - at_s for name, at_s in due_s.items() if name in seen_s]


def _add(result: figures.Result, found: Measured, quota: fairness.Quota) -> None:
    """Add the rows and ratios of one run."""
    what = f"{TIMES * quota.records_per_s:,.0f} records/s of noise"
    for name, phase in (("before", found.calm), ("beside", found.noisy)):
        quantiles = {f"delay p{share} ms": figures.quantile(phase.delays_s, share / 100) * 1e3 for share in (50, 99)}
        extra = {"slowest ms": max(phase.delays_s, default=0.0) * 1e3}
        if phase is found.noisy:
            extra |= {
                "noise, records/s": found.noise_per_s,
                "judged later": found.after["waited"],
                "counted and dropped": found.after["over quota"],
                "noise answers other than 2xx": sum(found.codes.values()) - found.codes.get("200", 0),
            }
        sample = figures.Sample(
            records=phase.sent["count"],
            wall_s=phase.sent["wall_s"],
            cpu_s=phase.cpu_s,
            peak_bytes=found.after["peak_bytes"],
            figures=quantiles | extra,
        )
        result.rows.append(figures.Row(name=f"probes {name} {what}", samples=[sample]))
    probes = found.calm.sent["count"] + found.noisy.sent["count"]
    seen = len(found.calm.delays_s) + len(found.noisy.delays_s)
    later_s = max(found.noisy.delays_s, default=0.0) - max(found.calm.delays_s, default=0.0)
    result.ratios += [
        figures.Ratio(name=f"slowest probe, s later, {what}", value=later_s, target=DELAY_S, at_most=True),
        figures.Ratio(name=f"probes not seen, {what}", value=probes - seen, target=0.0, at_most=True),
        figures.Ratio(
            name="noise, times the quota", value=found.noise_per_s / quota.records_per_s, target=TIMES * BROUGHT
        ),
    ]


@contextlib.contextmanager
def _client(chosen: setting.Setting, port: int, bodies: pathlib.Path, *, connections: int) -> Iterator[child.Child]:
    order = {"port": port, "bodies": str(bodies), "connections": connections, "same_day": True}
    with child.running("task_client", order, core=chosen.client_core) as client:
        client.ask()
        yield client


def _send(client: child.Child, *, seconds: float, per_s: float) -> dict[str, Any]:
    count = max(1, int(seconds * per_s))
    return client.ask({"count": count, "rate_per_s": per_s}) | {"count": count}


def _noise(work: workload.Workload, path: pathlib.Path) -> pathlib.Path:
    """Write the quiet part of the load as if all of it came from one account."""
    with work.batch_file.open("rb") as file, path.open("wb") as out:
        for number, line in enumerate(file):
            if number < max(1, int(work.batches * workload.LEARNING_SHARE)):
                out.write(_USER.sub(b'"user":{"username":"' + NOISY + b'"', line))
    return path


def _probes(path: pathlib.Path, *, at_s: float) -> pathlib.Path:
    """Write bindings to the highest role, each by an account of a namespace of its own."""
    with path.open("wb") as out:
        for number in range(int((CALM_S + NOISY_S) * PROBES_PER_S)):
            out.write(msgspec.json.encode(_probe(number, at_s=at_s)) + b"\n")
    return path


def _probe(number: int, *, at_s: float) -> dict[str, Any]:
    space, name = f"team-{number}", f"probe-{number}"
    account = {"kind": "ServiceAccount", "name": name, "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    stamp = clock.rfc3339(at_s)
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"{PROBE}{number}",
        "stage": "ResponseComplete",
        "requestURI": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "verb": "create",
        "user": {"username": f"system:serviceaccount:{space}:deployer", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.200.0.7"],
        "userAgent": "kubectl/v1.36.3",
        "objectRef": {
            "resource": "clusterrolebindings",
            "name": name,
            "apiGroup": "rbac.authorization.k8s.io",
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 201},
        "requestObject": {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [account]},
        "requestReceivedTimestamp": stamp,
        "stageTimestamp": stamp,
    }
    return {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [record]}
