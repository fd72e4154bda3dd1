"""A stand-in for every kubelet's own server, so that logs, exec, port-forward and proxying are answered as in life.

In: what the API server forwards. Out: a few log lines, a metrics page, or a stream that opens and ends. One listener
plays all nodes. The API server reaches it through a tunnel (its egress selector), so that nodes announce the addresses
they have in the story; a control plane started without that tunnel looks for kubelets on the loopback address, and
then refuses to proxy to nodes. Called by the recorder.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import Sequence

import yaml

from riverwatch.lab.company import bodies
from riverwatch.lab.controlplane import certificates, options

LOG = b'level=info msg="request served" status=200\n' * 3
"""What every container logs."""

STREAMS = (b"/exec/", b"/attach/", b"/portForward/")
"""Paths whose answer is a protocol switch."""

SELECTOR = "egress.yaml"
"""Name of the API server's egress configuration."""

FLAG = "--egress-selector-config-file="
"""The API server's flag that names it."""


def tunnelled(folder: pathlib.Path) -> options.Options:
    """Give the choices for a control plane whose API server reaches kubelets through a tunnel.

    Parameters
    ----------
    folder
        Where the tunnel's end and its configuration go; it must exist.
    """
    transport = {"uds": {"udsName": str(folder / "kubelets.sock")}}
    selection = {"name": "cluster", "connection": {"proxyProtocol": "HTTPConnect", "transport": transport}}
    kind = {"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration"}
    (folder / SELECTOR).write_text(yaml.safe_dump({**kind, "egressSelections": [selection]}))
    return options.Options(api_server_flags=(f"{FLAG}{folder / SELECTOR}",))


def tunnel(chosen: options.Options) -> pathlib.Path | None:
    """Give the end of a control plane's tunnel; ``None`` when it has none.

    Parameters
    ----------
    chosen
        What the control plane was started with.
    """
    for flag in chosen.api_server_flags:
        if flag.startswith(FLAG):
            selector = yaml.safe_load(pathlib.Path(flag.removeprefix(FLAG)).read_text())
            return pathlib.Path(selector["egressSelections"][0]["connection"]["transport"]["uds"]["udsName"])
    return None


class Kubelets:
    """The listener.

    Parameters
    ----------
    pair
        Serving certificate, valid for every node's address and for ``localhost``.
    end
        End of the API server's tunnel; ``None`` listens on the loopback address.
    """

    def __init__(self, pair: certificates.KeyPair, *, end: pathlib.Path | None) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._end = end
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen, and return the port that nodes announce."""
        if self._end is not None:
            self._server = await asyncio.start_unix_server(self._connect, self._end)
            return bodies.KUBELET_PORT
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            # The API server keeps idle connections open; they end with it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), timeout=0.5)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open the tunnel to whichever node is asked for, then be that node's kubelet."""
        with contextlib.suppress(*_GONE):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._context)
            await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        with contextlib.suppress(*_GONE):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_answer(head.split(b" ", 2)[1]))
            await writer.drain()
        with contextlib.suppress(*_GONE):
            writer.close()
            await writer.wait_closed()


_GONE: Sequence[type[Exception]] = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""What happens when the other side leaves."""


def _answer(path: bytes) -> bytes:
    """Give a kubelet's answer to a path."""
    if path.startswith(STREAMS):
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
        )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % len(LOG) + LOG
