"""Stage 1: runs live sources on a thread and event loop of their own, so that nothing else can delay an answer.

uvloop where it can be imported. Started and stopped by `cli.run`; sources deliver from this thread, so that a sink
must be safe to call from it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence

from riverwatch.sources import base

START_S = 30.0
"""Seconds in which the sources must have started."""

STOP_S = 15.0
"""Seconds in which they must have stopped."""

SWITCH_S = 0.0002
"""Seconds after which a busy thread hands the interpreter to one that asks for it. Python's own 5 ms, spent at each of
the four or so reads of a batch, is most of what an API server waits for while the worker judges at full speed. Against
1 ms, on a machine with too much to do, a batch waits a quarter less and nothing is judged more slowly (measured)."""


class SourceHost:
    """A thread that runs sources.

    Parameters
    ----------
    sources
        Started in this order, stopped in the reverse one.
    """

    def __init__(self, sources: Sequence[base.Source]) -> None:
        self._sources = tuple(sources)
        self._started: list[base.Source] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start all sources; returns when they receive.

        Raises
        ------
        BadInputError
            When one cannot start; those that did are stopped again.
        """
        sys.setswitchinterval(SWITCH_S)
        self._loop = _loop_factory()()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sources", daemon=True)
        self._thread.start()
        try:
            self._wait(self._start_all(), START_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all sources and the thread; safe to call twice."""
        if self._loop is None or self._thread is None:
            return
        loop, thread = self._loop, self._thread
        try:
            self._wait(self._stop_all(), STOP_S)
        finally:
            self._loop = self._thread = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _start_all(self) -> None:
        for source in self._sources:
            await source.start()
            self._started.append(source)

    async def _stop_all(self) -> None:
        while self._started:
            await self._started.pop().stop()
        assert self._loop is not None
        await self._loop.shutdown_default_executor()

    def _wait(self, work: Coroutine[None, None, None], within_s: float) -> None:
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(within_s)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - optional: there is none for some platforms
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
