"""Log set-up: one JSON object a line on standard error, constant lower-case messages, values only under allowed keys.

A key that is not in `KEYS` is left out, so that a secret, a token or a request body cannot slip into a log by accident.
Object references are written as namespace/name. Called once by `cli.run`.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import msgspec

from riverwatch import clock

KEYS = frozenset(
    {
        "address",
        "attempts",
        "auditID",
        "cause",
        "count",
        "depth",
        "kind",
        "lane",
        "left",
        "object",
        "path",
        "reason",
        "seconds",
        "step",
        "username",
        "where",
    }
)
"""Keys that a log call may put in `extra`."""

QUIET = ("kopf", "urllib3", "aiohttp", "asyncio")
"""Libraries that only speak from warning on; kopf tells of every object it sees otherwise."""

SPARING_S = 30.0
"""Seconds in which one library warns once; what it says meanwhile is counted into its next line."""

_TEXT_MAX = 2_000
"""Characters kept of one value."""


class Sparing(logging.Filter):
    """Lets chatty libraries speak once in a while: kopf reports every failed attempt of each of its watches.

    Parameters
    ----------
    time
        Clock.
    """

    def __init__(self, time: clock.Clock) -> None:
        super().__init__()
        self._time = time
        self._next_s: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        library = record.name.partition(".")[0]
        if library not in QUIET or record.levelno < logging.WARNING:
            return True
        now_s = self._time.monotonic_s()
        if now_s < self._next_s.get(library, float("-inf")):
            self._left_out[library] = self._left_out.get(library, 0) + 1
            return False
        self._next_s[library] = now_s + SPARING_S
        record.left = self._left_out.pop(library, 0)
        return True


class JsonFormatter(logging.Formatter):
    """Write a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; never raises on odd values."""
        line: dict[str, object] = {
            "time": clock.rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_TEXT_MAX],
        }
        for key in KEYS & record.__dict__.keys():
            value = record.__dict__[key]
            line[key] = value if isinstance(value, int | float | bool) else str(value)[:_TEXT_MAX]
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)[-_TEXT_MAX:]
        return msgspec.json.encode(line).decode()


def set_up(level: str, *, stream: TextIO | None = None) -> None:
    """Send all logs of the process to one stream.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``.
    stream
        Where to; standard error when None.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    if level != "debug":
        handler.addFilter(Sparing(clock.SystemClock()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING if level != "debug" else logging.DEBUG)
    # kopf warns at each start that it leaves signals to us, as it should.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
