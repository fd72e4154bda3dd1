from __future__ import annotations

import os
import pathlib
import signal
import subprocess

import pytest

from riverwatch import errors
from riverwatch.lab.controlplane import processes

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"
"""A program that does not end when asked to."""


class Ticking:
    """A clock that moves one second at each look."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now_s(self) -> float:
        return self.time_s

    def monotonic_s(self) -> float:
        self.time_s += 1.0
        return self.time_s


@pytest.fixture
def start(tmp_path):
    started: list[processes.Process] = []

    def run(script: str, *, guard: processes.Guard | None = None) -> processes.Process:
        process = processes.start("program", ["/bin/sh", "-c", script], log=tmp_path / "program.log", guard=guard)
        started.append(process)
        return process

    yield run
    for process in started:
        process.stop(grace_s=0)


def test_output_goes_to_the_log_and_its_end_is_shown(start):
    process = start("seq 100; echo oops >&2; exec sleep 60")
    processes.wait(lambda: "oops" in process.tail(), timeout_s=10)
    assert process.tail().splitlines()[-2:] == ["  100", "  oops"]
    assert len(process.tail().splitlines()) == processes.TAIL_LINES


def test_tail_of_a_missing_log_is_no_error():
    assert processes.Process("x", 1, 1, pathlib.Path("/no/such/log")).tail() == "  (no log)"


def test_program_that_ended_is_not_alive_and_not_left_as_a_zombie(start):
    process = start("exit 3")
    processes.wait(lambda: not process.alive(), timeout_s=10)
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def test_stubborn_program_is_killed_after_its_grace(start):
    process = start(STUBBORN)
    processes.wait(lambda: "up" in process.tail(), timeout_s=10)
    process.stop(grace_s=0.2)
    assert not process.alive()


def test_reused_process_id_is_never_signalled():
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        impostor = processes.Process("gone", other.pid, 12345, pathlib.Path("/no/such/log"))
        assert not impostor.alive()
        impostor.signal(signal.SIGKILL)
        impostor.stop(grace_s=0)
        assert other.poll() is None
        other.kill()


def test_closing_the_guard_ends_what_was_started_with_it(start):
    guard = processes.Guard()
    process = start("exec sleep 60", guard=guard)
    assert os.getpgid(process.pid) == guard.group
    guard.close()
    processes.wait(lambda: not process.alive(), timeout_s=10)


def test_waiting_gives_up_when_the_time_is_over():
    source = Ticking()
    with pytest.raises(TimeoutError, match="the moon did not come true within 5 s"):
        processes.wait(lambda: False, timeout_s=5, time_source=source, what="the moon")
    assert source.time_s == pytest.approx(6.0)


def test_waiting_for_a_program_that_ends_shows_its_log(start):
    process = start("echo 'no such flag'; exit 1")
    with pytest.raises(errors.LabError, match=r"program ended by itself(.|\n)*no such flag"):
        processes.wait_ready(process, lambda: False, timeout_s=10)


def test_waiting_for_a_program_that_is_never_ready_shows_its_log(start):
    process = start("echo hanging; exec sleep 60")
    processes.wait(lambda: "hanging" in process.tail(), timeout_s=10)
    with pytest.raises(errors.LabError, match=r"not ready after 0\.1 s(.|\n)*hanging"):
        processes.wait_ready(process, lambda: False, timeout_s=0.1)
