"""The only module that calls the API server outside kopf: small blocking REST calls with timeouts and typed errors.

In: `resources.Resource` and plain bodies. Out: plain bodies, or `ApiTemporaryError` (away, throttled, conflict, 5xx:
try again) and `ApiPermanentError` (refused). Invariants: every call ends within its timeout; nothing is retried here,
because callers keep their delays as data; no secret is put in a message. Thread-safe; never call it on an event loop.
"""

from __future__ import annotations

import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import urllib3

import riverwatch
from riverwatch import errors
from riverwatch.kube import connection as connections
from riverwatch.kube import resources

FIELD_MANAGER = "riverwatch"
"""Owner of the fields that the operator applies (server-side apply)."""

USER_AGENT = f"riverwatch/{riverwatch.__version__}"
"""How the operator's own requests name themselves in the audit log."""

PAGE_SIZE = 500
"""Objects asked for in one list request, as client-go does."""

TOKEN_AGE_S = 60.0
"""Seconds after which a token file is read again; the kubelet replaces it at 80% of its life."""

TEMPORARY_CODES = frozenset({401, 408, 409, 410, 425, 429, 500, 502, 503, 504})
"""HTTP codes worth another attempt; 401 because a new token may work."""

_MESSAGE_MAX = 500
"""Characters of a server's message that are kept in an error."""


class Client:
    """Blocking REST calls to one API server.

    Parameters
    ----------
    connection
        Address and credentials.
    timeout_s
        Seconds that one call may take, connecting included.
    """

    def __init__(self, connection: connections.Connection, *, timeout_s: float = 10.0) -> None:
        self._connection = connection
        self._pool = urllib3.PoolManager(
            maxsize=4,
            retries=False,
            timeout=urllib3.Timeout(total=timeout_s),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            ssl_context=_ssl_context(connection) if connection.server.startswith("https:") else None,
            server_hostname=connection.tls_server_name,
        )
        self._lock = threading.Lock()
        self._token: str | None = None
        self._token_read_s = float("-inf")

    def get(self, resource: resources.Resource, *, name: str, namespace: str = "") -> dict[str, Any]:
        """Read one object."""
        return self.call("GET", resource.path(namespace=namespace, name=name))

    def list(
        self, resource: resources.Resource, *, namespace: str = "", label_selector: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Read a collection page by page; items get the `apiVersion` and `kind` that lists leave out."""
        query = {"limit": str(PAGE_SIZE)} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            page = self.call("GET", resource.path(namespace=namespace), query=query)
            for item in page.get("items") or ():
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
                yield item
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    def apply(self, resource: resources.Resource, body: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]:
        """Apply a body server-side with our field manager, taking over fields that others hold.

        Parameters
        ----------
        resource
            Its kind.
        body
            The fields we own, with ``metadata.name`` (and namespace).
        subresource
            ``status``, or empty for the object itself.
        """
        metadata = body["metadata"]
        path = resource.path(namespace=metadata.get("namespace", ""), name=metadata["name"], subresource=subresource)
        return self.call(
            "PATCH",
            path,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=body,
            content_type="application/apply-patch+yaml",
        )

    def merge(
        self,
        resource: resources.Resource,
        body: Mapping[str, Any],
        *,
        name: str,
        namespace: str = "",
        subresource: str = "",
    ) -> dict[str, Any]:
        """Merge a partial body into an object (RFC 7386); for single fields that no other part of us applies."""
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return self.call("PATCH", path, body=body, content_type="application/merge-patch+json")

    def create(self, resource: resources.Resource, body: Mapping[str, Any]) -> bool:
        """Create an object; False when one of that name is there already."""
        try:
            self.call("POST", resource.path(namespace=body["metadata"].get("namespace", "")), body=body)
        except errors.ApiTemporaryError as error:
            if "AlreadyExists" in str(error):
                return False
            raise
        return True

    def replace(self, resource: resources.Resource, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object; its ``metadata.resourceVersion`` guards against lost updates."""
        metadata = body["metadata"]
        path = resource.path(namespace=metadata.get("namespace", ""), name=metadata["name"])
        return self.call("PUT", path, body=body)

    def delete(self, resource: resources.Resource, *, name: str, namespace: str = "") -> bool:
        """Delete an object; False when it was gone already."""
        try:
            self.call("DELETE", resource.path(namespace=namespace, name=name))
        except errors.ApiPermanentError as error:
            if error.status == 404:
                return False
            raise
        return True

    def whoami(self) -> dict[str, Any]:
        """Ask the API server who we are: ``username``, ``uid``, ``groups``, ``extra``."""
        kind = resources.SELF_SUBJECT_REVIEWS
        review = self.call("POST", kind.path(), body={"apiVersion": kind.api_version, "kind": kind.kind})
        user: dict[str, Any] = (review.get("status") or {}).get("userInfo") or {}
        return user

    def whose(self, token: str) -> str:
        """Ask the API server whose token that is; empty when it knows none such."""
        kind = resources.TOKEN_REVIEWS
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": {"token": token}}
        status = self.call("POST", kind.path(), body=body).get("status") or {}
        return str((status.get("user") or {}).get("username") or "") if status.get("authenticated") is True else ""

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Send one request and decode the answer.

        Raises
        ------
        ApiTemporaryError
            When the server is away or asks to come back.
        ApiPermanentError
            When it refuses.
        """
        headers = {"Content-Type": content_type, **self._authorization()}
        url = self._connection.server + path + (f"?{_encode(query)}" if query else "")
        try:
            response = self._pool.request(
                method,
                url,
                body=msgspec.json.encode(body) if body is not None else None,
                headers={**self._pool.headers, **headers},
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise errors.ApiTemporaryError(f"{method} {path}: API server is away: {_short(error)}") from error
        if response.status >= 400:
            raise self._refusal(method, path, response)
        try:
            decoded = msgspec.json.decode(response.data)
        except msgspec.DecodeError as error:
            raise errors.ApiTemporaryError(f"{method} {path}: the answer is no JSON") from error
        return decoded if isinstance(decoded, dict) else {}

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def _authorization(self) -> dict[str, str]:
        """Return the header with the token in force; a token file is read once a minute."""
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._token_read_s >= TOKEN_AGE_S:
                self._token = self._connection.current_token()
                self._token_read_s = now_s
            return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _refusal(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> errors.RiverwatchError:
        """Turn an answer of 400 and above into the error that says what to do."""
        if response.status == 401:
            with self._lock:
                self._token_read_s = float("-inf")
        try:
            status = msgspec.json.decode(response.data)
        except msgspec.DecodeError:
            status = {}
        status = status if isinstance(status, dict) else {}
        reason, text = str(status.get("reason", "")), str(status.get("message", ""))[:_MESSAGE_MAX]
        message = f"{method} {path}: {response.status} {reason} {text}".rstrip()
        if response.status in TEMPORARY_CODES:
            wait = response.headers.get("Retry-After", "")
            return errors.ApiTemporaryError(message, retry_after_s=float(wait) if wait.isdigit() else 0.0)
        return errors.ApiPermanentError(message, status=response.status)


def _ssl_context(connection: connections.Connection) -> ssl.SSLContext:
    """Build the TLS settings of a connection.

    Raises
    ------
    BadInputError
        When a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=connection.ca_file)
        if connection.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if connection.certificate_file:
            context.load_cert_chain(connection.certificate_file, connection.key_file)
    except (OSError, ssl.SSLError) as error:
        raise errors.BadInputError(
            f"the certificates for {connection.server} are not usable: {error}", where="kubeconfig"
        ) from error
    return context


def _encode(query: Mapping[str, str]) -> str:
    return urllib.parse.urlencode(query)


def _short(error: BaseException) -> str:
    return str(error)[:_MESSAGE_MAX]
