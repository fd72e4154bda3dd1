"""A stand-in for the official client that answers from a table, and a scene with a few people."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from riverwatch.lab.attacks import base, context, session

BOT = base.Identity(
    username="system:serviceaccount:web:bot",
    part=base.Part.APP,
    namespace="web",
    credential=base.Credential(token="bot-token"),
    source_ip="10.1.0.9",
    user_agent="bot/1.0",
)
CHIEF = base.Identity(
    username="chief", part=base.Part.ADMIN, namespace="", credential=base.Credential(token="chief-token"),
    source_ip="10.9.9.9", user_agent="kubectl/v1.36.0",
)  # fmt: skip


def somebody(username: str, part: base.Part = base.Part.APP, namespace: str = "") -> base.Identity:
    return base.Identity(
        username=username, part=part, namespace=namespace, credential=base.Credential(), source_ip="", user_agent=""
    )


class Scene:
    server = "https://127.0.0.1:1"
    authority_file = ""
    director = CHIEF
    outside_ips = ("198.51.100.7",)
    pod_ips = ("10.1.0.77",)

    def __init__(self, *people: base.Identity) -> None:
        self.people = people or (BOT,)

    def identities(self, part: base.Part) -> list[base.Identity]:
        return [identity for identity in self.people if identity.part is part]


class Answer:
    def __init__(self, status: int, body: object) -> None:
        self.status = status
        self._body = body

    def read(self) -> bytes:
        return json.dumps(self._body).encode()


class Server:
    """Keeps every request, answers with what `reply` says."""

    def __init__(self, reply: Callable[[str, str], tuple[int, object]]) -> None:
        self.reply = reply
        self.requests: list[dict[str, object]] = []
        self.closed = 0

    def client(self, _scene: object, _credential: object) -> Server:
        return self

    def call_api(self, method: str, url: str, *, header_params, body=None, _request_timeout=None) -> Answer:
        path = url.removeprefix(Scene.server)
        self.requests.append({"method": method, "path": path, "headers": dict(header_params), "body": body})
        return Answer(*self.reply(method, path))

    def close(self) -> None:
        self.closed += 1


def install(monkeypatch, reply: Callable[[str, str], tuple[int, object]]) -> Server:
    server = Server(reply)
    monkeypatch.setattr(session, "_api_client", server.client)
    return server


def given(*people: base.Identity, seed: int = 1) -> context.AttackContext:
    return context.AttackContext(scene=Scene(*people), rng=random.Random(seed))
