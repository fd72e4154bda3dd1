"""Killed again and again under load: every acknowledged record is judged, none is counted twice."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import threading

import msgspec
import pytest

from riverwatch import clock, testing
from riverwatch.activity import sample

KILLS = int(os.environ.get("RIVERWATCH_TEST_KILLS", "20"))
"""How often; `make bench` asks for 100."""

RECORDS = 25
"""In a batch."""

SENDERS = 3
MOST_S = 0.5
"""Longest time under load before a kill, seconds."""


def batch(number: int) -> bytes:
    """Return the batch with a number; no two batches share an id."""
    items = [
        sample.audit_record(
            verb=("get", "list", "watch", "update")[(number + place) % 4],
            resource=("configmaps", "pods", "secrets")[place % 3],
            namespace="web",
            name="settings",
            username=f"system:serviceaccount:web:app-{place % 9}",
            source_ip=f"10.4.7.{place % 9}",
            user_agent="front/1.0",
            time=clock.rfc3339(testing.START_S + number * 30.0 + place),
            audit_id=f"{number}-{place}",
        )
        for place in range(RECORDS)
    ]
    return msgspec.json.encode({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items})


class Life:
    """One process of the product, from its start to its kill."""

    def __init__(self, folder: pathlib.Path) -> None:
        program = str(pathlib.Path(__file__).with_name("receiving.py"))
        self._process = subprocess.Popen(
            [sys.executable, program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self._answer()

    def drained(self) -> dict[str, int]:
        """Return the figures once everything is judged."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def kill(self) -> None:
        with self._process:
            self._process.kill()

    def _answer(self):
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "it ended by itself"
        return json.loads(line)


class Senders:
    """API servers: each sends a batch until it is acknowledged, whatever happens to the receiver."""

    def __init__(self) -> None:
        self.port = 0
        self.acknowledged = 0
        self.sent_again = 0
        self._next = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        for one in self._threads:
            one.start()

    def let(self, port: int) -> None:
        """Have a receiver at a port, or none at 0."""
        with self._changed:
            self.port = port
            self._changed.notify_all()

    def stop(self) -> None:
        """Send what is begun, no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for one in self._threads:
            one.join()

    def wait_for(self, acknowledged: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.acknowledged >= acknowledged, 60.0)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                number = self._next
                self._next += 1
            self._send(batch(number))

    def _send(self, body: bytes) -> None:
        while True:
            with self._changed:
                assert self._changed.wait_for(lambda: self.port, 60.0)
                port = self.port
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
            try:
                connection.request("POST", "/audit", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                done = answer.status == 200
            except (OSError, http.client.HTTPException):
                done = False
            finally:
                connection.close()
            with self._changed:
                if done:
                    self.acknowledged += 1
                    self._changed.notify_all()
                    return
                self.sent_again += 1
                if self.port == port:
                    self._changed.wait(0.02)


@pytest.mark.timeout(60 + 15 * KILLS, func_only=True)
def test_a_process_killed_under_load_loses_and_doubles_nothing(tmp_path: pathlib.Path) -> None:
    rng = random.Random(11)
    never = threading.Event()
    senders = Senders()
    life = Life(tmp_path)
    try:
        for _ in range(KILLS):
            senders.let(life.ready["port"])
            senders.wait_for(senders.acknowledged + 1)
            never.wait(rng.uniform(0.0, MOST_S))
            senders.let(0)
            life.kill()
            life = Life(tmp_path)
            assert life.ready["rejected"] == []
        senders.let(life.ready["port"])
        senders.stop()
        figures = life.drained()
    finally:
        senders.let(life.ready["port"])
        senders.stop()
        life.kill()
    assert senders.acknowledged * RECORDS == figures["used"]
    assert figures["faults"] == 0
    assert senders.sent_again, "some batch was cut off by a kill"
    assert life.ready["found"], "a checkpoint was taken over"
