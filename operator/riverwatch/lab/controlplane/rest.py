"""The few requests a plane makes to itself: readiness and tokens.

Plain HTTPS with a client certificate from the standard library: a plane must be able to look at an API server that
is not ready yet, without discovery or retries. Called by `plane`; everyone else uses the official client.
"""

from __future__ import annotations

import http
import http.client
import json
import pathlib
import ssl
from typing import Any

from riverwatch import errors
from riverwatch.lab.controlplane import certificates

TIMEOUT_S = 10.0
"""Longest a request may take, in seconds."""


class Api:
    """One API server seen by one client certificate.

    Parameters
    ----------
    port
        Its port on 127.0.0.1.
    authority
        PEM file of the CA that signed its certificate.
    pair
        The client's certificate.
    """

    def __init__(self, port: int, authority: pathlib.Path, pair: certificates.KeyPair) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(pair.certificate, pair.key)

    def ok(self, path: str) -> bool:
        """Say whether a path answers with a 2xx status; an absent server is a no.

        Parameters
        ----------
        path
            Absolute path.
        """
        try:
            status, _ = self._send("GET", path, None)
        except (OSError, http.client.HTTPException):
            return False
        return status // 100 == 2

    def first_line(self, path: str) -> bool:
        """Say whether a watch gives anything before it ends; an absent server is a no.

        Parameters
        ----------
        path
            Absolute path with the watch's parameters.
        """
        connection = self._connection()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status == http.HTTPStatus.OK and bool(answer.readline())
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def call(self, method: str, path: str, body: object | None = None) -> Any:
        """Make a request and return the decoded answer.

        Parameters
        ----------
        method
            HTTP method.
        path
            Absolute path.
        body
            Sent as JSON.

        Raises
        ------
        ApiPermanentError
            When the server refused.
        ApiTemporaryError
            When it is away or failed.
        """
        try:
            status, content = self._send(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise errors.ApiTemporaryError(f"{method} {path}: {error}") from error
        if status // 100 == 2:
            return json.loads(content)
        text = f"{method} {path}: status {status}: {content.decode(errors='replace')[:500]}"
        if status >= 500 or status in {409, 429}:
            raise errors.ApiTemporaryError(text)
        raise errors.ApiPermanentError(text, status=status)

    def _send(self, method: str, path: str, body: object | None) -> tuple[int, bytes]:
        """Open a connection for one request."""
        connection = self._connection()
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPSConnection:
        """Make a connection; it opens with its first request."""
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=TIMEOUT_S, context=self._context)
