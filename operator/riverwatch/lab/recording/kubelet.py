"""A stand-in for every kubelet's own server, so that logs, exec and port-forward are answered as in life.

In: what the API server forwards. Out: a few log lines, a metrics page, or a stream that opens and ends. One TLS
listener on the loopback address plays all nodes. Called by the recorder.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from riverwatch.lab.controlplane import certificates

LOG = b'level=info msg="request served" status=200\n' * 3
"""What every container logs."""

STREAMS = (b"/exec/", b"/attach/", b"/portForward/")
"""Paths whose answer is a protocol switch."""


class Kubelets:
    """The listener.

    Parameters
    ----------
    pair
        Serving certificate, valid for ``localhost``.
    """

    def __init__(self, pair: certificates.KeyPair) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen on a free port and return it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            # The API server keeps idle connections open; they end with it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), timeout=0.5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            if any(path.startswith(prefix) for prefix in STREAMS):
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                    b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
                )
            else:
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(LOG), LOG)
                )
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()
