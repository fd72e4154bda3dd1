"""Stage 1, receiver: HTTPS requests of kube-apiserver's audit webhook -> `Delivery` objects for the sink.

Also takes the pushes of clouds (Firehose, Pub/Sub, Event Hubs forwarders) and log shippers: any wrapping `decode`
knows. Decisions: credentials are checked before the body is read. A body is undone from gzip and looked at, but
*not* decoded: that is the worker's thread. The answer 200 is given only after the sink took the delivery; a full
sink gives 429 with Retry-After, never a wait, because a slow answer piles up memory in the API server. JSON that is
wrong as a whole gives 400; single bad items of a batch are 200 and counted by the worker, because a refused batch
is lost whole. Bodies up to `webhook_body.CHECKED_BYTES` are checked completely, larger ones by their first and
last bytes, because a whole check costs as much as decoding. Runs on the caller's event loop; must not block it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from riverwatch import clock, errors, metrics
from riverwatch.sources import base, cards, token_review, webhook_access, webhook_body, webhook_pushes, webhook_quota

_log = logging.getLogger(__name__)

PATHS = ("/audit", "/k8s-audit", "/")
"""Paths that take batches."""

RECORD_MIN_BYTES = 150
"""The smallest record there can be, about; a shorter body than so many of them need not be counted (1 us a record)."""

RETRY_AFTER_S = 5
"""Seconds told to a sender that is shed; kube-apiserver itself waits 10 s or more."""

READ_BUFFER_BYTES = 1024 * 1024
"""Bytes of one body read before the sender must wait: a batch of 400 records is half of it."""

LINGER_S = 1.0
"""Seconds in which the rest of a refused body is still read, so that the sender sees the answer and not a reset."""

IDLE_S = 120.0
"""Seconds for which a connection without a request is kept: longer than Go's clients do, which is 90."""

STOP_S = 5.0
"""Seconds given at the stop to requests whose body is still arriving."""

Take = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]
"""Makes the answer to an allowed request from its body."""
_TEXT = "text/plain"
Limits = webhook_quota.Limits


class AuditWebhook:
    """The audit receiver, a `base.Source`.

    Parameters
    ----------
    sink
        Takes deliveries, or says that there is no room.
    host, port
        Address to listen on; port 0 takes any free one.
    access
        Certificate, key, token and CA files.
    insecure
        Whether plain HTTP without credentials is allowed; only on loopback.
    limits
        What one request may cost.
    reviewer
        Asks the cluster about bearer tokens that no file names; nobody is asked when None.
    counters
        Where answers are counted; a throwaway one when None.
    time
        Clock.
    reload_s
        Seconds between two looks at the files.

    Raises
    ------
    BadInputError
        When the receiver would listen to anybody, or a file cannot be used.
    """

    card = cards.AUDIT_WEBHOOK

    def __init__(  # noqa: PLR0913 - one argument per thing a person may set
        self,
        sink: base.Sink,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        access: webhook_access.Access | None = None,
        insecure: bool = False,
        limits: Limits | None = None,
        reviewer: token_review.TokenReviewer | None = None,
        counters: metrics.Metrics | None = None,
        time: clock.Clock | None = None,
        reload_s: float = 5.0,
    ) -> None:
        self._sink = sink
        self._host = host
        self._wanted_port = port
        self._access = access or webhook_access.Access()
        self._limits = limits or Limits()
        self._quota = webhook_quota.SourceQuota(self._limits.source_bytes_per_s)
        self._reviewer = reviewer
        self._counters = counters or metrics.Metrics()
        self._time = time or clock.SystemClock()
        self._reload_s = reload_s
        self._open = insecure and not self._access.files
        webhook_access.check(self._access, host=host, insecure=insecure, reviewed=reviewer is not None)
        self._stamp = webhook_access.stamp(self._access)
        self._tls = webhook_access.tls_context(self._access)
        self._tokens = webhook_access.Tokens.read(self._access.token_file)
        self._admission_tokens = webhook_access.Tokens.read(self._access.admission_token_file)
        self._in_flight = 0
        self._stopping = False
        self._socket: socket.socket | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 before `start`."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    @property
    def url(self) -> str:
        """Where batches go."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/audit"

    def position(self) -> base.Position | None:
        """Return None: the sender keeps what was not accepted."""
        return None

    async def start(self) -> None:
        """Listen; returns when requests are answered.

        Raises
        ------
        BadInputError
            When the address is taken or not of this machine.
        """
        app = web.Application(middlewares=[self._counting])
        for path in PATHS:
            app.router.add_post(path, self._receive)
            app.router.add_options(path, self._may_send)
        app.router.add_get("/healthz", self._healthz)
        self.add_routes(app)
        self._stopping = False
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
            shutdown_timeout=STOP_S,
            lingering_time=LINGER_S,
            keepalive_timeout=IDLE_S,
        )
        await self._runner.setup()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self._wanted_port), family=family, backlog=1024)
        except OSError as error:
            await self._runner.cleanup()
            where = f"{self._host}:{self._wanted_port}"
            raise errors.BadInputError(f"cannot listen there: {error.strerror}", where=where) from error
        await self._serve()
        self._watch = asyncio.create_task(self._watch_files())

    def add_routes(self, app: web.Application) -> None:
        """Add further paths to the server, for a source that shares it."""

    async def stop(self) -> None:
        """Answer what is being received, then close."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = self._site = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def reload(self) -> bool:
        """Read certificate, CA and token files again when they changed; True when new ones are in force."""
        stamp = webhook_access.stamp(self._access)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            tls = webhook_access.tls_context(self._access)
            tokens = webhook_access.Tokens.read(self._access.token_file)
            admission_tokens = webhook_access.Tokens.read(self._access.admission_token_file)
        except errors.BadInputError as error:
            self._counters.receiver_reloads.labels(result="failed").inc()
            _log.warning("changed credentials of the audit receiver cannot be used", extra={"cause": str(error)})
            return False
        self._tls, self._tokens, self._admission_tokens = tls, tokens, admission_tokens
        if self._runner is not None:
            await self._serve()
        self._counters.receiver_reloads.labels(result="done").inc()
        _log.info("audit receiver uses changed credentials")
        return True

    async def _serve(self) -> None:
        """Accept on a copy of the listening socket, so that a new TLS context takes over without a gap."""
        assert self._runner is not None
        assert self._socket is not None
        old = self._site
        self._site = web.SockSite(self._runner, self._socket.dup(), ssl_context=self._tls, backlog=1024)
        await self._site.start()
        if old is not None:
            await old.stop()

    async def _watch_files(self) -> None:
        while True:
            await asyncio.sleep(self._reload_s)
            await self.reload()

    @web.middleware
    async def _counting(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        started = self._time.monotonic_s()
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            response = _refusal(refusal.status, refusal.text or refusal.reason)
            if "Allow" in refusal.headers:
                response.headers["Allow"] = refusal.headers["Allow"]
        except asyncio.CancelledError:
            raise
        except ConnectionError:
            response = _refusal(400, "the connection was lost")
        except Exception:  # noqa: BLE001 - one request must not end the receiver
            _log.exception("the audit receiver failed on a request")
            response = _refusal(503, "internal error; the batch was not taken, send it again")
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        if request.path != "/healthz":
            code = str(response.status)
            self._counters.receiver_answers.labels(code=code if code in metrics.RECEIVER_ANSWERS else "other").inc()
            self._counters.receiver_seconds.observe(self._time.monotonic_s() - started)
        response.headers["Server"] = "riverwatch"
        self._suit(request, response)
        tls = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
        if tls is not None and tls.context is not self._tls:
            response.force_close()
        return response

    def _suit(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give the answer the body that its sender understands."""
        if not isinstance(response, web.Response):
            return
        problem = (response.text or "").strip() if response.status >= 400 else ""
        body = webhook_pushes.firehose_answer(request.headers, now_s=self._time.now_s(), problem=problem)
        if body is not None:
            response.body = body
            response.content_type = "application/json"

    async def _may_send(self, request: web.Request) -> web.StreamResponse:
        """Tell a sender of CloudEvents that it may send, if it may."""
        headers = webhook_pushes.origin_answer(request.headers)
        if headers is None:
            return _refusal(400, f"the handshake needs {webhook_pushes.ORIGIN}")
        return web.Response(headers=headers) if self._allowed(request) else self._unknown()

    async def _healthz(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="ok\n") if not self._stopping else _refusal(503, "stopping")

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        if not self._allowed(request) and not await self._vouched(request):
            return self._unknown()
        return await self.receive_body(request, self._take)

    def _unknown(self) -> web.Response:
        refusal = _refusal(401, "send a valid bearer token or client certificate")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    async def receive_body(self, request: web.Request, take: Take) -> web.StreamResponse:
        """Read the body of an allowed request within all limits and have it taken.

        Parameters
        ----------
        request
            Whose sender was accepted.
        take
            Given request and body, compressed or not; makes the answer.
        """
        if request.content_type not in webhook_body.CONTENT_TYPES or "Content-Type" not in request.headers:
            return _refusal(415, "Content-Type must be application/json or application/x-ndjson")
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            return _refusal(415, "Content-Encoding must be gzip or absent")
        expected = request.content_length if request.content_length is not None else self._limits.body_bytes
        if expected > self._limits.body_bytes:
            return _refusal(413, f"the body is over {self._limits.body_bytes} bytes; send smaller batches")
        if self._stopping:
            return self._shed(503, "stopping; send it again")
        if crowded := self._crowded(request, expected):
            return self._shed(429, f"{crowded}; send it again")
        self._in_flight += expected
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await self._read(request)
            if encoding == "gzip":
                body = await self._uncompressed(body)
            return await take(request, body)
        except webhook_body.TooLargeError as error:
            return _refusal(413, error.detail)
        except errors.BadInputError as error:
            return _refusal(400, error.detail)
        except TimeoutError:
            return _refusal(408, f"the body did not arrive within {self._limits.body_s:g} s")
        finally:
            self._in_flight -= expected

    def _crowded(self, request: web.Request, expected: int) -> str:
        """Say why there is no room for a body now; empty when there is."""
        if self._in_flight and self._in_flight + expected > self._limits.in_flight_bytes:
            return "too many batches at once"
        if not self._quota.allow(request.remote or "", expected, now_s=self._time.monotonic_s()):
            return "this sender is over its quota"
        return ""

    async def _read(self, request: web.Request) -> bytes:
        """Read a body, joined once; aiohttp's own way copies it three times."""
        parts: list[bytes] = []
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > self._limits.body_bytes:
                raise webhook_body.TooLargeError(
                    f"the body is over {self._limits.body_bytes} bytes; send smaller batches"
                )
            parts.append(part)
        return b"".join(parts)

    async def _uncompressed(self, body: bytes) -> bytes:
        limit = self._limits.body_bytes
        if len(body) <= webhook_body.OFF_LOOP_BYTES:
            with contextlib.suppress(webhook_body.TooLargeError):
                return webhook_body.gunzip(body, min(limit, webhook_body.ON_LOOP_BYTES))
        return await asyncio.to_thread(webhook_body.gunzip, body, limit)

    async def _take(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Hand a body to the sink, once it looks like JSON."""
        handshake = webhook_pushes.event_grid_answer(request.headers, body)
        if handshake is not None:
            return web.Response(body=handshake, content_type="application/json")
        wrong = webhook_body.why_not_json(body)
        if wrong:
            return _refusal(400, wrong)
        if len(body) > self._limits.records * RECORD_MIN_BYTES and body.count(b'"auditID"') > self._limits.records:
            return _refusal(413, f"more than {self._limits.records} records; send smaller batches")
        sender = webhook_pushes.sender(request.headers, request.query, address=request.remote)
        where = f"audit webhook, from {sender}"
        delivery = base.Delivery(body, where, self._time.now_s())
        if not self._sink(delivery):
            return self._shed(429, "the queue is full; send it again")
        self._counters.receiver_bytes.inc(len(body))
        return web.Response(status=200, text="", content_type=_TEXT)

    def _allowed(self, request: web.Request) -> bool:
        return self.known_certificate(request) or any(
            self._tokens.accept(token) for token in webhook_pushes.offered(request.headers, request.query)
        )

    async def _vouched(self, request: web.Request) -> bool:
        """Whether the cluster knows the token as that of a user who may send."""
        if self._reviewer is None:
            return False
        for token in webhook_pushes.offered(request.headers, request.query):
            if await self._reviewer.accept(token):
                return True
        return False

    def known_certificate(self, request: web.Request) -> bool:
        """Whether the sender showed a client certificate of the CA, or nobody needs to show anything."""
        if self._open or self._access.client_ca is None or request.transport is None:
            return self._open
        tls: ssl.SSLObject | None = request.transport.get_extra_info("ssl_object")
        return tls is not None and bool(tls.getpeercert())

    def _shed(self, status: int, text: str) -> web.Response:
        response = _refusal(status, text)
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response


def _refusal(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"riverwatch: {text}\n", content_type=_TEXT)
