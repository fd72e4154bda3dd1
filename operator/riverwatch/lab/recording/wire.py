"""Send calls to the API server as somebody: credential, address, user agent and audit id on every request.

``(Call, Session) -> Answer``. Connections are kept alive per certificate; all bearer tokens share one set. Streams are
opened and closed at once: their records have the shape they have in life, and their length is written afterwards.
Called by `player`.
"""

from __future__ import annotations

import json
import ssl
import urllib.parse
from types import TracebackType
from typing import Self

import aiohttp
import yarl

from riverwatch import errors
from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.life import acts

TIMEOUT_S = 30.0
"""Longest a request may take, in real seconds; deleting a namespace's pods is the slowest."""

PROTOBUF = "application/vnd.kubernetes.protobuf,application/json"
"""What clients in Go accept; it also costs this machine least."""

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
"""What kubectl accepts for ``/api`` and ``/apis``."""


class Wire:
    """The connections to one API server.

    Parameters
    ----------
    server
        Its address.
    authority
        PEM file of the CA that signed its certificate.
    """

    def __init__(self, server: str, authority: str) -> None:
        self._server = server.rstrip("/")
        self._authority = authority
        self._clients: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.close()

    def client(self, credential: base.Credential) -> aiohttp.ClientSession:
        """Give the connections of one certificate, or those of all tokens."""
        key = credential.certificate_file
        if key not in self._clients:
            context = ssl.create_default_context(cafile=self._authority)
            if key:
                context.load_cert_chain(key, credential.key_file)
            self._clients[key] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
            )
        return self._clients[key]

    async def send(self, call: acts.Call, session: world.Session, *, audit_id: str) -> acts.Answer:
        """Send one request.

        Parameters
        ----------
        call
            What to ask for.
        session
            Who asks, from where, with which program.
        audit_id
            Id that its records will carry; empty lets the API server choose.

        Raises
        ------
        ApiTemporaryError
            When there is no answer.
        """
        data = None if call.body is None else json.dumps(call.body)
        url = yarl.URL(self._server + call.path, encoded=True)
        try:
            async with self.client(session.credential).request(
                call.method, url, headers=_headers(call, session, audit_id), data=data
            ) as response:
                if response.status == 101:
                    response.close()
                    return acts.Answer(response.status)
                return acts.Answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.ApiTemporaryError(f"{call.method} {call.path}: {error!r}") from error


def _headers(call: acts.Call, session: world.Session, audit_id: str) -> dict[str, str]:
    """Give a request's headers."""
    headers = {"User-Agent": call.agent or session.user_agent, "Accept-Encoding": "identity"}
    if session.source_ip:
        headers["X-Forwarded-For"] = session.source_ip
    if audit_id:
        headers["Audit-ID"] = audit_id
    if session.credential.token:
        headers["Authorization"] = f"Bearer {session.credential.token}"
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    bare = urllib.parse.urlsplit(call.path).path
    headers["Accept"] = (
        DISCOVERY if bare in {"/api", "/apis"} else "application/json" if call.reads or call.watch_s else PROTOBUF
    )
    if bare.endswith("/log") or not bare.startswith("/api"):
        headers["Accept"] = "*/*"
    if call.upgrade:
        headers |= {"Connection": "Upgrade", "Upgrade": call.upgrade}
        if call.upgrade == "websocket":
            headers |= {
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
            }
        else:
            headers["X-Stream-Protocol-Version"] = "v4.channel.k8s.io"
    if call.impersonate:
        headers["Impersonate-User"] = call.impersonate[0]
        if call.impersonate[1:]:
            headers["Impersonate-Group"] = call.impersonate[1]
    return headers
