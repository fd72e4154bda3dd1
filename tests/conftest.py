"""Fixtures for every folder: an API server in memory that real clients talk to over loopback, a clock, the program."""

from __future__ import annotations

import gc
import http.server
import io
import json
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from riverwatch import vocabulary
from riverwatch.cli import main as program
from riverwatch.detections import finding
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection as connections
from riverwatch.runtime import replay

Body = dict[str, Any]


class FakeClock:
    """Time that moves only when told."""

    def __init__(self, now_s: float = 1_768_464_000.0) -> None:
        self.wall_s = now_s
        self.elapsed_s = 0.0

    def now_s(self) -> float:
        return self.wall_s + self.elapsed_s

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def advance(self, seconds: float) -> None:
        self.elapsed_s += seconds


class MemoryApi:
    """Objects by path, with the verbs the operator uses; answers can be replaced to play faults."""

    def __init__(self) -> None:
        self.objects: dict[str, Body] = {}
        self.requests: list[tuple[str, str, Body | None]] = []
        self.headers: list[dict[str, str]] = []
        self.faults: list[tuple[Callable[[str, str], bool], int, Body, dict[str, str]]] = []
        self.user: Body = {"username": "system:serviceaccount:riverwatch:riverwatch", "uid": "u-1"}
        self._serial = 0
        self._lock = threading.Lock()

    def fail(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        *,
        when: Callable[[str, str], bool] = lambda *_: True,
        times: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next matching requests with an error."""
        body = {"kind": "Status", "reason": reason, "message": message, "code": status}
        self.faults += [(when, status, body, headers or {})] * times

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _ in self.requests if method != "GET"]

    def answer(self, method: str, target: str, headers: dict[str, str], body: Body | None) -> tuple[int, Body, dict]:
        parts = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(parts.query))
        with self._lock:
            self.requests.append((method, parts.path, body))
            self.headers.append(headers)
            for fault in self.faults:
                when, status, answer, more = fault
                if when(method, parts.path):
                    self.faults.remove(fault)
                    return status, answer, more
            return (*self._normal(method, parts.path, query, headers, body), {})

    def _normal(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Body | None
    ) -> tuple[int, Body]:
        if path.endswith("/selfsubjectreviews"):
            return 201, {"status": {"userInfo": self.user}}
        owner, _, last = path.rpartition("/")
        if method == "PATCH":
            target = owner if last == "status" else path
            return self._patch(target, "status" if last == "status" else "", headers["Content-Type"], body or {})
        if method == "POST":
            name = f"{path}/{(body or {})['metadata']['name']}"
            if name in self.objects:
                return 409, {"reason": "AlreadyExists", "message": "exists"}
            return 201, self._store(name, body or {})
        if method == "PUT":
            return 200, self._store(path, body or {})
        if method == "DELETE":
            return (200, {"status": "Success"}) if self.objects.pop(path, None) else (404, {"reason": "NotFound"})
        if path in self.objects:
            return 200, self.objects[path]
        return self._list(path, query)

    def _patch(self, path: str, part: str, content_type: str, body: Body) -> tuple[int, Body]:
        old = self.objects.get(path)
        if old is None and (part or "apply" not in content_type):
            return 404, {"reason": "NotFound", "message": "not found"}
        old = old or {}
        if part:
            status = body["status"] if "apply" in content_type else {**old.get("status", {}), **body["status"]}
            return 200, self._store(path, {**old, "status": status})
        triage = (old.get("spec") or {}).get("triage")
        merged = {**old, **{key: value for key, value in body.items() if key != "metadata"}}
        merged["metadata"] = {**old.get("metadata", {}), **body.get("metadata", {})}
        if "merge-patch" in content_type and "spec" in body:
            merged["spec"] = {**(old.get("spec") or {}), **body["spec"]}
        if triage is not None and "triage" not in merged.get("spec", {}):
            merged["spec"] = {**merged.get("spec", {}), "triage": triage}
        return 200, self._store(path, merged)

    def _store(self, path: str, body: Body) -> Body:
        self._serial += 1
        metadata = body.setdefault("metadata", {})
        metadata.setdefault("uid", f"uid-{self._serial}")
        metadata["resourceVersion"] = str(self._serial)
        metadata.setdefault("generation", 1)
        self.objects[path] = body
        return body

    def _list(self, path: str, query: dict[str, str]) -> tuple[int, Body]:
        plural = path.rpartition("/")[2]
        prefix = path.removesuffix(plural)
        found = [
            body
            for place, body in sorted(self.objects.items())
            if place.startswith(prefix) and place.split("/")[-2] == plural
        ]
        if not found and path.count("/") > 4 and "namespaces" in path and not path.endswith("s"):
            return 404, {"reason": "NotFound", "message": "not found"}
        wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
        found = [one for one in found if wanted.items() <= (one["metadata"].get("labels") or {}).items()]
        start, limit = int(query.get("continue", 0)), int(query.get("limit", 500))
        page = found[start : start + limit]
        more = {"continue": str(start + limit)} if start + limit < len(found) else {}
        return 200, {"metadata": more, "items": page}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second would wait 40 ms for an answer
    api: MemoryApi
    gone: threading.Event

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if self.gone.is_set():
            self.close_connection = True  # kept alive from before; a server that is away answers nobody
            return
        status, body, more = self.api.answer(
            self.command, self.path, dict(self.headers), json.loads(raw) if raw else None
        )
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that http.server asks for


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that went away are part of the game."""


class ServedApi:
    """A `MemoryApi` on a loopback port; it can be taken away and brought back on the same port."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self._server: _Server | None = None
        self.port = 0
        self.up()

    @property
    def connection(self) -> connections.Connection:
        return connections.Connection(server=f"http://127.0.0.1:{self.port}", token="secret-token")

    def up(self) -> None:
        self._gone = threading.Event()
        handler = type("Handler", (_Handler,), {"api": self.api, "gone": self._gone})
        server = _Server(("127.0.0.1", self.port), handler)
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self) -> None:
        if self._server is not None:
            self._gone.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[None]:
    """Look for examples in the product only: to look for them in tests takes a second and finds none."""
    found = yield
    return [one for one in found if type(one) is pytest.Module]


def pytest_collection_finish() -> None:
    """Spare the collector what stays for the whole run: some half a million objects of tests and modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def served_api() -> Iterator[ServedApi]:
    served = ServedApi()
    yield served
    served.down()


@pytest.fixture
def memory_api(served_api: ServedApi) -> MemoryApi:
    return served_api.api


@pytest.fixture
def api_client(served_api: ServedApi) -> Iterator[kube_client.Client]:
    client = kube_client.Client(served_api.connection, timeout_s=5.0)
    yield client
    client.close()


def make_detection(**changes: Any) -> finding.Detection:
    """A detection; name what should differ."""
    fields: dict[str, Any] = {
        "uid": "0123456789abcdef",
        "namespace": "web",
        "title": "web/front read 212 secrets",
        "use_case": vocabulary.UseCase.SECRET_ACCESS,
        "severity": vocabulary.Severity.HIGH,
        "score": 97.5,
        "confidence": 0.9,
        "kind": vocabulary.DetectionKind.ANOMALY,
        "detectors": ["novelty"],
        "actor": finding.Actor("ServiceAccount", "front", "web"),
        "impersonated_by": "",
        "source_ips": ["203.0.113.7"],
        "user_agents": ["curl/8.5.0"],
        "targets": [finding.Target("", "secrets", namespace="web")],
        "techniques": [vocabulary.Technique("T1552.007", "Container API", "Credential Access")],
        "first_seen_s": 1_768_464_000.0,
        "last_seen_s": 1_768_464_060.0,
        "observed_at_s": 1_768_464_000.0,
        "evidence": [finding.Evidence("a-1", 1_768_464_000.0, "web/front listed secrets")],
        "evidence_count": 212,
        "explanation": [
            finding.Reason("volume", "212", "3", vocabulary.Frequency.UNSEEN, 0.8, "read 212 secrets, usually 3")
        ],
        "counterfactual": "3 secrets would have been ordinary",
        "recommendations": ["Ask the owners of web/front"],
        "model_version": "test-1",
        "policy_refs": [],
        "revision": 1,
    }
    return finding.Detection(**fields | changes)


@pytest.fixture
def detection() -> Callable[..., finding.Detection]:
    return make_detection


class Ran(NamedTuple):
    """What a run of the program left: its exit status and what it wrote."""

    returncode: int
    stdout: bytes
    stderr: bytes


@pytest.fixture
def riverwatch(monkeypatch, capfdbinary) -> Callable[..., Ran]:
    """Run ``riverwatch ARGUMENTS`` in this process: the whole command line, without the second of starting Python."""
    # The collector is set for a whole process, which here is that of all tests: a full collection for every call.
    monkeypatch.setattr(replay, "calm_collector", lambda: None)

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["riverwatch", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        status: object = 0
        try:
            program.main()
        except SystemExit as end:
            status = end.code or 0
        written = capfdbinary.readouterr()
        assert isinstance(status, int), status
        return Ran(status, written.out, written.err)

    return run
