"""Requests as somebody: an identity, an address and a user agent -> `Step`s whose requests carry all three.

Built on the official client's `ApiClient`. The address goes into ``X-Forwarded-For``, which kube-apiserver writes in front of the
real one in `sourceIPs`; an ``Audit-ID`` header names each record beforehand, which makes labels exact. Made by
`context.AttackContext.session`; nothing is sent before somebody runs the step.
"""

from __future__ import annotations

import json
import random
import urllib.parse
import uuid
from collections.abc import Callable, Mapping, Sequence

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

PERSON_PACE_S = (2.0, 25.0)
"""Shortest and longest pause between the commands of a person, seconds."""

MACHINE_PACE_S = (0.02, 0.4)
"""Shortest and longest pause between the requests of a program, seconds."""

Observer = Callable[[base.Sent], None]
"""Told about every request after its answer."""


class Session:
    """One client of one identity.

    Parameters
    ----------
    scene
        Where the API server is.
    identity
        Whose credential is shown.
    source_ip
        Address the requests seem to come from; empty sends no header.
    user_agent
        What the requests say they are.
    rng
        Draws pauses and audit ids.
    clock
        Gives the scheduled time of the request now being sent, epoch seconds.
    observer
        Is told about each request.
    purpose
        Why the requests are sent.
    impersonate
        User name to act as; empty for oneself.
    impersonate_groups
        Groups to act with.
    pace_s
        Shortest and longest pause before a step that names none.
    """

    def __init__(
        self,
        *,
        scene: base.Scene,
        identity: base.Identity,
        source_ip: str,
        user_agent: str,
        rng: random.Random,
        clock: Callable[[], float],
        observer: Observer,
        purpose: base.Purpose = base.Purpose.ATTACK,
        impersonate: str = "",
        impersonate_groups: Sequence[str] = (),
        pace_s: tuple[float, float] = PERSON_PACE_S,
    ) -> None:
        self.identity = identity
        self.source_ip = source_ip
        self.user_agent = user_agent
        self.impersonate = impersonate
        self._rng = rng
        self._clock = clock
        self._observer = observer
        self._purpose = purpose
        self._groups = tuple(impersonate_groups)
        self._pace_s = pace_s
        self._server = scene.server.rstrip("/")
        self._client = _api_client(scene, identity.credential)

    def get(self, path: str, query: Mapping[str, object] | None = None, *, after_s: float | None = None) -> base.Step:
        """Read an object or a list."""
        return self.request("GET", path, query=query, after_s=after_s)

    def create(
        self,
        path: str,
        body: Mapping[str, object],
        query: Mapping[str, object] | None = None,
        *,
        after_s: float | None = None,
    ) -> base.Step:
        """Create an object below a collection."""
        return self.request("POST", path, query=query, body=body, after_s=after_s)

    def replace(self, path: str, body: Mapping[str, object], *, after_s: float | None = None) -> base.Step:
        """Replace an object."""
        return self.request("PUT", path, body=body, after_s=after_s)

    def patch(
        self, path: str, body: object, *, content_type: str = STRATEGIC_PATCH, after_s: float | None = None
    ) -> base.Step:
        """Patch an object."""
        return self.request("PATCH", path, body=body, content_type=content_type, after_s=after_s)

    def delete(
        self, path: str, query: Mapping[str, object] | None = None, *, after_s: float | None = None
    ) -> base.Step:
        """Delete an object or a collection."""
        return self.request("DELETE", path, query=query, after_s=after_s)

    def stream(self, path: str, query: Sequence[tuple[str, str]], *, after_s: float | None = None) -> base.Step:
        """Ask for a web socket, as exec, attach and port-forward of current clients do."""
        key = uuid.UUID(int=self._rng.getrandbits(128), version=4).hex[:22] + "=="
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
        }
        return self.request("GET", path, query=query, headers=headers, after_s=after_s)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | Sequence[tuple[str, str]] | None = None,
        body: object = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        after_s: float | None = None,
    ) -> base.Step:
        """Describe one request.

        Parameters
        ----------
        method
            HTTP method.
        path
            Path below the server's address.
        query
            Query parameters.
        body
            JSON body.
        content_type
            Type of the body.
        headers
            More headers.
        after_s
            Seconds of pause before it; drawn from the session's pace when ``None``.
        """
        pause_s = self._rng.uniform(*self._pace_s) if after_s is None else after_s
        target = path
        if query:
            target = (
                f"{path}?{urllib.parse.urlencode(list(query.items()) if isinstance(query, Mapping) else list(query))}"
            )
        extra = dict(headers or {})
        if body is not None:
            extra["Content-Type"] = content_type
        return base.Step(action=lambda: self._send(method, target, body, extra), after_s=pause_s)

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def _send(self, method: str, target: str, body: object, extra: Mapping[str, str]) -> base.Answer:
        """Send one request and report it, whatever its answer."""
        audit_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        headers = self._headers(audit_id) | dict(extra)
        try:
            response = self._client.call_api(
                method, self._server + target, header_params=headers, body=body, _request_timeout=TIMEOUT_S
            )
            raw = response.read()
        except (exceptions.ApiException, urllib3.exceptions.HTTPError) as problem:
            self._report(audit_id, method, target, 0)
            raise errors.ApiTemporaryError(f"{method} {target}: no answer from {self._server}: {problem}") from problem
        self._report(audit_id, method, target, response.status)
        return base.Answer(status=response.status, body=_decoded(raw))

    def _headers(self, audit_id: str) -> dict[str, str]:
        """Headers that every request of this session carries."""
        headers = {"Accept": "application/json", "User-Agent": self.user_agent, "Audit-ID": audit_id}
        if self.identity.credential.token:
            headers["Authorization"] = f"Bearer {self.identity.credential.token}"
        if self.source_ip:
            headers["X-Forwarded-For"] = self.source_ip
        if self.impersonate:
            headers["Impersonate-User"] = self.impersonate
            for group in self._groups:
                headers["Impersonate-Group"] = group
        return headers

    def _report(self, audit_id: str, method: str, target: str, status: int) -> None:
        """Tell the observer what was sent."""
        self._observer(
            base.Sent(
                audit_id=audit_id,
                purpose=self._purpose,
                username=self.identity.username,
                impersonated=self.impersonate,
                source_ip=self.source_ip,
                user_agent=self.user_agent,
                time_s=self._clock(),
                method=method,
                path=target,
                status=status,
            )
        )


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
