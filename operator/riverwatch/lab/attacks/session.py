"""Requests as somebody: an identity, an address and a user agent -> `Step`s whose requests carry all three.

Built on the official client's `ApiClient`. The address goes into ``X-Forwarded-For``, which kube-apiserver puts before
the real one in `sourceIPs`; an ``Audit-ID`` header names each record beforehand, which makes labels exact. Made by
`context.AttackContext.act_as`; nothing is sent before somebody runs the step.
"""

from __future__ import annotations

import http
import json
import random
import urllib.parse
import uuid
from collections.abc import Callable, Mapping, Sequence

import msgspec
import urllib3
from kubernetes import client
from kubernetes.client import exceptions

from riverwatch import errors
from riverwatch.lab.attacks import base

TIMEOUT_S = 15.0
"""Seconds to wait for an answer; watches end themselves by ``timeoutSeconds``."""

MERGE_PATCH = "application/merge-patch+json"
"""Content type that kubectl uses for custom objects and ``kubectl patch --type merge``."""

STRATEGIC_PATCH = "application/strategic-merge-patch+json"
"""Content type that kubectl uses for built-in kinds."""

JSON_PATCH = "application/json-patch+json"
"""Content type of a list of operations."""

CHANNELS = "v5.channel.k8s.io"
"""Web-socket protocol of exec and attach."""

TUNNEL = "SPDY/3.1+portforward.k8s.io"
"""Web-socket protocol of port-forward."""

PERSON_PACE_S = (2.0, 25.0)
"""Shortest and longest pause between the commands of a person, seconds."""

MACHINE_PACE_S = (0.02, 0.4)
"""Shortest and longest pause between the requests of a program, seconds."""

Query = Mapping[str, object] | Sequence[tuple[str, str]]
"""Query parameters; a sequence of pairs where one repeats."""


class Wire(msgspec.Struct, frozen=True):
    """What all sessions of one attack share."""

    scene: base.Scene
    rng: random.Random
    clock: Callable[[], float]
    """Gives the scheduled time of the request now being sent, epoch seconds."""
    observer: Callable[[base.Sent], None]
    """Told about every request after its answer."""


class Manner(msgspec.Struct, frozen=True):
    """How a session appears to the API server."""

    source_ip: str
    """Address the requests seem to come from; empty sends no header."""
    user_agent: str
    impersonate: str = ""
    """User name to act as; empty for oneself."""
    groups: tuple[str, ...] = ()
    """Groups to act with."""
    pace_s: tuple[float, float] = PERSON_PACE_S
    """Shortest and longest pause before a step that names none, seconds."""


class Session:
    """One client of one identity.

    Parameters
    ----------
    wire
        What the sessions of an attack share.
    identity
        Whose credential is shown.
    manner
        How the requests appear.
    purpose
        Why they are sent.
    """

    def __init__(
        self, wire: Wire, identity: base.Identity, *, manner: Manner, purpose: base.Purpose = base.Purpose.ATTACK
    ) -> None:
        self.identity = identity
        self.manner = manner
        self._wire = wire
        self._purpose = purpose
        self._server = wire.scene.server.rstrip("/")
        self._client = _api_client(wire.scene, identity.credential)

    def get(self, path: str, query: Query | None = None, *, after_s: float | None = None) -> base.Step:
        """Read an object or a list."""
        return self._step("GET", _target(path, query), after_s=after_s)

    def create(
        self, path: str, body: Mapping[str, object] | None, query: Query | None = None, *, after_s: float | None = None
    ) -> base.Step:
        """Create an object below a collection."""
        return self._step("POST", _target(path, query), after_s=after_s, body=body)

    def replace(self, path: str, body: Mapping[str, object], *, after_s: float | None = None) -> base.Step:
        """Replace an object."""
        return self._step("PUT", path, after_s=after_s, body=body)

    def patch(
        self, path: str, body: object, *, content_type: str = STRATEGIC_PATCH, after_s: float | None = None
    ) -> base.Step:
        """Patch an object."""
        return self._step("PATCH", path, after_s=after_s, body=body, headers={"Content-Type": content_type})

    def delete(self, path: str, query: Query | None = None, *, after_s: float | None = None) -> base.Step:
        """Delete an object or a collection."""
        return self._step("DELETE", _target(path, query), after_s=after_s)

    def stream(self, path: str, query: Query, *, protocol: str = CHANNELS, after_s: float | None = None) -> base.Step:
        """Ask for a web socket, as exec, attach and port-forward of current clients do.

        Parameters
        ----------
        path
            The subresource.
        query
            Query parameters.
        protocol
            What is spoken inside it: `CHANNELS` or `TUNNEL`.
        after_s
            Seconds of pause before it.
        """
        headers = {
            "Accept": "*/*",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": f"{self._wire.rng.getrandbits(88):022x}==",
            "Sec-WebSocket-Protocol": protocol,
        }
        return self._step("GET", _target(path, query), after_s=after_s, headers=headers)

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _step(
        self,
        method: str,
        target: str,
        *,
        after_s: float | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> base.Step:
        """Describe one request and draw the pause before it."""
        pause_s = self._wire.rng.uniform(*self.manner.pace_s) if after_s is None else after_s
        extra = {"Content-Type": "application/json"} if body is not None else {}
        extra |= headers or {}
        return base.Step(
            action=lambda: self._send(method, target, body, extra),
            after_s=pause_s,
            username=self.identity.username,
            impersonated=self.manner.impersonate,
            method=method,
            target=target,
        )

    def _send(self, method: str, target: str, body: object, extra: Mapping[str, str]) -> base.Answer:
        """Send one request and report it, whatever its answer."""
        audit_id = str(uuid.UUID(int=self._wire.rng.getrandbits(128), version=4))
        self._renew()
        headers = self._headers(audit_id) | dict(extra)
        try:
            response = self._client.call_api(
                method, self._server + target, header_params=headers, body=body, _request_timeout=TIMEOUT_S
            )
            raw = response.read()  # type: ignore[no-untyped-call]
        except (exceptions.ApiException, urllib3.exceptions.HTTPError) as problem:
            self._report(audit_id, method, target, 0)
            raise errors.ApiTemporaryError(f"{method} {target}: no answer from {self._server}: {problem}") from problem
        if response.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            # The connection now carries another protocol; hanging up ends it, and the next request takes a new one.
            self._client.close()  # type: ignore[no-untyped-call]
        self._report(audit_id, method, target, response.status)
        return base.Answer(status=response.status, body=_decoded(raw))

    def _renew(self) -> None:
        """Take the victim's present credential when acting from where the victim is: pods restart, tokens rotate.

        A thief elsewhere keeps what was stolen, and loses it when the pod ends.
        """
        old = self.identity
        if old.obtained or self.manner.source_ip != old.source_ip:
            return
        here = (one for one in self._wire.scene.identities(old.part) if one.username == old.username)
        new = next(here, None)
        if new is None or new.credential == old.credential:
            return
        self.identity = new
        self.manner = msgspec.structs.replace(self.manner, source_ip=new.source_ip)
        self._client.close()  # type: ignore[no-untyped-call]
        self._client = _api_client(self._wire.scene, new.credential)

    def _headers(self, audit_id: str) -> dict[str, str]:
        """Headers that every request of this session carries."""
        headers = {"Accept": "application/json", "User-Agent": self.manner.user_agent, "Audit-ID": audit_id}
        if self.identity.credential.token:
            headers["Authorization"] = f"Bearer {self.identity.credential.token}"
        if self.manner.source_ip:
            headers["X-Forwarded-For"] = self.manner.source_ip
        if self.manner.impersonate:
            headers["Impersonate-User"] = self.manner.impersonate
        if self.manner.groups:
            # One header line is all the client can send; kube-apiserver reads each line as one group.
            headers["Impersonate-Group"] = self.manner.groups[0]
        return headers

    def _report(self, audit_id: str, method: str, target: str, status: int) -> None:
        """Tell the observer what was sent."""
        self._wire.observer(
            base.Sent(
                audit_id=audit_id,
                purpose=self._purpose,
                username=self.identity.username,
                impersonated=self.manner.impersonate,
                source_ip=self.manner.source_ip,
                user_agent=self.manner.user_agent,
                time_s=self._wire.clock(),
                method=method,
                path=target,
                status=status,
            )
        )


def _target(path: str, query: Query | None) -> str:
    """Join path and query."""
    if not query:
        return path
    pairs = list(query.items()) if isinstance(query, Mapping) else list(query)
    return f"{path}?{urllib.parse.urlencode(pairs)}"


def _api_client(scene: base.Scene, credential: base.Credential) -> client.ApiClient:
    """Build the official client for one credential; it never retries, so one step is one record."""
    configuration = client.Configuration()
    configuration.host = scene.server
    configuration.retries = False
    configuration.verify_ssl = True
    configuration.ssl_ca_cert = scene.authority_file or None
    configuration.cert_file = credential.certificate_file or None
    configuration.key_file = credential.key_file or None
    configuration.proxy = None
    return client.ApiClient(configuration)


def _decoded(raw: bytes | None) -> object:
    """Read an answer as JSON, else as text."""
    if not raw:
        return None
    try:
        decoded: object = json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
    return decoded
