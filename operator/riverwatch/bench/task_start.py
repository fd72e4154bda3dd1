"""Task: start the operator as `riverwatch run` does, with an API server that is away, and say when it receives.

Order: ``began_s`` (wall time at which this process was asked for), ``kubeconfig``, ``state`` (a folder, may be empty).
Answer: seconds until the receiver answered, the peak, and what the state brought.
"""

from __future__ import annotations

import asyncio
import pathlib
import time
from typing import Any

from riverwatch import settings
from riverwatch.bench import child, cores

LOOK_S = 0.01
"""Seconds between two looks at whether it is ready."""


def main(order: dict[str, Any]) -> None:
    """Start, look, answer, stop."""
    asyncio.run(_run(order))


async def _run(order: dict[str, Any]) -> None:
    from riverwatch.control import assembly  # noqa: PLC0415 - its import is part of what is measured
    from riverwatch.runtime import replay  # noqa: PLC0415 - as above

    chosen = settings.Settings(
        kubeconfig=pathlib.Path(order["kubeconfig"]),
        audit_host="127.0.0.1",
        audit_port=0,
        audit_insecure=True,
        probe_host="127.0.0.1",
        probe_port=0,
        state_dir=pathlib.Path(order["state"]) if order["state"] else None,
        stop_s=1.0,
    )
    built = assembly.Operator(chosen)
    replay.calm_collector()
    stop = asyncio.Event()
    running = asyncio.create_task(built.run(stop))
    while built.context.readiness.checks().get("receivers", "not yet") and not running.done():  # noqa: ASYNC110 - readiness has no event to wait for
        await asyncio.sleep(LOOK_S)
    took_s = time.time() - order["began_s"]
    child.answer({"took_s": took_s, "peak_bytes": cores.peak_bytes(), "cpu_s": cores.usage().cpu_s})
    stop.set()
    await running
