"""HTTP endpoints for the kubelet and Prometheus: /healthz (alive), /readyz (in service), /metrics.

Answers come from functions that the caller gives and that only read flags and numbers; nothing here blocks. Runs on
the main event loop beside the audit receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from riverwatch import errors

Checks = Callable[[], Mapping[str, str]]
"""Name of each thing looked at -> what is wrong with it; empty when it is well."""


class Probes:
    """A small server.

    Parameters
    ----------
    host, port
        Where it listens; port 0 takes a free one.
    health
        Looked at by /healthz.
    readiness
        Looked at by /readyz.
    metrics
        Text of /metrics and its content type.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Checks,
        readiness: Checks,
        metrics: Callable[[], tuple[bytes, str]],
    ) -> None:
        self._host, self._wanted_port = host, port
        self._health, self._readiness, self._metrics = health, readiness, metrics
        self._runner: web.AppRunner | None = None
        self.port = port
        """The port it really listens on, after `start`."""

    async def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        BadInputError
            When the address is taken or not of this machine.
        """
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/livez", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metricsz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._wanted_port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            where = f"{self._host}:{self._wanted_port}"
            raise errors.BadInputError(f"cannot listen there: {error.strerror}", where=where) from error
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return answer(self._health())

    async def _readyz(self, _: web.Request) -> web.Response:
        return answer(self._readiness())

    async def _metricsz(self, _: web.Request) -> web.Response:
        body, content_type = self._metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})


def answer(checks: Mapping[str, str]) -> web.Response:
    """Write checks as text, one a line, as kube-apiserver does; 503 when one is not well."""
    lines = [f"[-]{name}: {problem}" if problem else f"[+]{name} ok" for name, problem in checks.items()]
    failed = any(checks.values())
    return web.Response(text="\n".join([*lines, "not ready" if failed else "ok", ""]), status=503 if failed else 200)
