"""Task: the load client. Posts ready bodies over keep-alive connections and notes how long each answer took.

Order: ``port``, ``bodies`` (a file, one body a line), ``connections``, ``same_day`` to leave times as they are, and
``ca`` with ``token`` for TLS. Then each line ``{"count": n, "rate_per_s": r or null}`` sends the next n bodies, at a
pace or as fast as answers come, and is answered with when that began, the latencies in milliseconds and how often each
HTTP code came. A refusal (429, 503) is sent again, as the API server does, and counted. Standard
library only, so that the client's own cost stays small.
"""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import pathlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

from riverwatch.bench import child

AGAIN_S = 0.02
"""Seconds before a refused body is sent again."""

PATIENCE_S = 60.0
"""Seconds without an answer after which a connection counts as broken."""

_END = b"\r\n\r\n"
_DAY = re.compile(rb'"requestReceivedTimestamp":"(\d{4}-\d\d-\d\d)')
_ID = re.compile(rb'"auditID":"[0-9a-f]{8}')


class Connection:
    """One keep-alive connection.

    Parameters
    ----------
    order
        As the task was given it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        plain = socket.create_connection(("127.0.0.1", order["port"]), timeout=PATIENCE_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: socket.socket = plain
        if order.get("ca"):
            self._socket = ssl.create_default_context(cafile=order["ca"]).wrap_socket(
                plain, server_hostname="localhost"
            )
        token = f"Authorization: Bearer {order['token']}\r\n" if order.get("token") else ""
        path = order.get("path", "/audit")
        self._head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{token}"

    def post(self, body: bytes) -> int:
        """Send a body and return the HTTP code of the answer."""
        self._socket.sendall(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode())
        self._socket.sendall(body)
        data = b""
        while _END not in data:
            part = self._socket.recv(65_536)
            if not part:
                raise ConnectionResetError("the receiver closed the connection")
            data += part
        head, _, rest = data.partition(_END)
        left = _length(head) - len(rest)
        while left > 0:
            left -= len(self._socket.recv(65_536))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Close it."""
        self._socket.close()


class Sending:
    """Several connections that share the bodies.

    Parameters
    ----------
    order
        As the task was given it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._bodies = bodies(pathlib.Path(order["bodies"]), same_day=bool(order.get("same_day")))
        self._connections = [Connection(order) for _ in range(order["connections"])]
        self._lock = threading.Lock()

    def send(self, count: int, *, rate_per_s: float | None) -> dict[str, Any]:
        """Send the next bodies.

        Parameters
        ----------
        count
            How many.
        rate_per_s
            Bodies a second; None sends as fast as the answers come.
        """
        due = iter(range(count))
        latencies: list[float] = []
        codes: collections.Counter[str] = collections.Counter()
        began_s = time.perf_counter()

        def work(connection: Connection) -> None:
            while True:
                with self._lock:
                    number = next(due, None)
                    if number is None:
                        return
                    body = next(self._bodies)
                at_s = began_s + number / rate_per_s if rate_per_s else time.perf_counter()
                time.sleep(max(0.0, at_s - time.perf_counter()))
                code = connection.post(body)
                while code in (429, 503):
                    with self._lock:
                        codes[str(code)] += 1
                    time.sleep(AGAIN_S)
                    code = connection.post(body)
                # From when it was due: a client that falls behind must not hide what the receiver made others wait.
                took_s = time.perf_counter() - at_s
                with self._lock:
                    codes[str(code)] += 1
                    latencies.append(took_s * 1000.0)

        threads = [threading.Thread(target=work, args=(one,)) for one in self._connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall_s = time.perf_counter() - began_s
        return {"latencies_ms": latencies, "codes": codes, "wall_s": wall_s, "began_s": began_s}

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()


def bodies(path: pathlib.Path, *, same_day: bool = False) -> Iterator[bytes]:
    """Yield the lines of a file for ever, each time with ids and a day of their own, so that none is a repeat.

    Parameters
    ----------
    path
        The file.
    same_day
        Whether only the ids are new.
    """
    first = b""
    for turn in itertools.count():
        with path.open("rb") as file:
            for line in file:
                if not first and not same_day:
                    found = _DAY.search(line)
                    first = found[1] if found else b"no day"
                yield line if not turn else _later(line, first, turn)


def _later(line: bytes, first: bytes, days: int) -> bytes:
    line = _ID.sub(b'"auditID":"%08x' % days, line)
    if first in (b"", b"no day"):
        return line
    return line.replace(first, (dt.date.fromisoformat(first.decode()) + dt.timedelta(days=days)).isoformat().encode())


def main(order: dict[str, Any]) -> None:
    """Send what is asked for until the input ends."""
    sending = Sending(order)
    child.answer({"ready": True})
    for question in child.orders():
        child.answer(sending.send(question["count"], rate_per_s=question.get("rate_per_s")))
    sending.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
