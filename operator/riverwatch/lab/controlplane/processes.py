"""Start, watch and end the control plane's processes.

In: a command line and a log file. Out: a `Process`. Invariants: a process is known by its id *and* its start time,
so that a reused id is never signalled; with a guard, all end when the starting program ends, however it ends.
Called by `plane`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from riverwatch import clock, errors

POLL_S = 0.02
"""Pause between two looks at a condition, in seconds."""

TAIL_LINES = 15
"""How many lines of a log an error shows."""

TAIL_BYTES = 16384
"""How much of the end of a log is read for that, in bytes."""

STARTED_FIELD = 19
"""Place of the start time in a process' `stat` line, counted behind the program's name."""


@dataclasses.dataclass(frozen=True)
class Process:
    """A running program.

    Parameters
    ----------
    name
        What it is, for messages.
    pid
        Process id.
    started
        Start time in clock ticks since boot; with `pid` it names one process for good.
    log
        Where its output goes.
    """

    name: str
    pid: int
    started: int
    log: pathlib.Path

    def alive(self) -> bool:
        """Say whether it still runs; a child that ended is collected on the way."""
        if _start_ticks(self.pid) == self.started:
            return True
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it is gone.

        Parameters
        ----------
        number
            Which signal.
        """
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, *, grace_s: float) -> None:
        """Ask it to end, wait, then end it.

        Parameters
        ----------
        grace_s
            Seconds to wait before it is killed; 0 kills at once.
        """
        if grace_s > 0:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                wait(lambda: not self.alive(), timeout_s=grace_s)
        self.signal(signal.SIGKILL)
        wait(lambda: not self.alive(), timeout_s=10)

    def tail(self) -> str:
        """Return the last lines of its log, indented."""
        with contextlib.suppress(OSError), self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
            return "\n".join(f"  {line}" for line in lines)
        return "  (no log)"


class Guard:
    """A small process that outlives us just long enough to end what we started.

    It leads the process group of all that is started with it and reads a pipe that only we hold open. When the pipe
    closes, because we closed it, crashed or were killed, it kills its group and so itself.
    """

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", "read -r _; kill -KILL 0"], stdin=subprocess.PIPE, process_group=0
        )
        self.group = self._shell.pid

    def close(self) -> None:
        """End whatever is left of the group."""
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()


def start(
    name: str,
    command: Sequence[str],
    *,
    log: pathlib.Path,
    guard: Guard | None,
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Start a program with its output in a log file.

    Parameters
    ----------
    name
        What it is, for messages.
    command
        Program and arguments.
    log
        Where its output is appended.
    guard
        Ends it when we end; ``None`` lets it run on by itself.
    environment
        Its variables; ``None`` passes ours.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=guard.group if guard else None,
            start_new_session=guard is None,
        )
    started = _start_ticks(child.pid)
    # The id and start time are all we keep: a plane found again in its folder has no Popen either.
    child.returncode = 0
    return Process(name, child.pid, started or 0, log)


def wait(
    condition: Callable[[], bool], *, timeout_s: float, time_source: clock.Clock | None = None, what: str = "condition"
) -> None:
    """Look at a condition until it holds.

    Parameters
    ----------
    condition
        Tells whether to stop waiting.
    timeout_s
        Seconds after which to give up.
    time_source
        Clock; the system's by default.
    what
        What is awaited, for the message.

    Raises
    ------
    TimeoutError
        When it did not hold in time.
    """
    source = time_source or clock.SystemClock()
    deadline = source.monotonic_s() + timeout_s
    while not condition():
        if source.monotonic_s() >= deadline:
            raise TimeoutError(f"{what} did not come true within {timeout_s:g} s")
        time.sleep(POLL_S)


def wait_ready(process: Process, condition: Callable[[], bool], *, timeout_s: float) -> None:
    """Wait until a started process does its work.

    Parameters
    ----------
    process
        The process; when it ends, waiting ends.
    condition
        Tells whether it is ready.
    timeout_s
        Seconds after which to give up.

    Raises
    ------
    LabError
        When it ended or was not ready in time; the text holds the end of its log.
    """

    def settled() -> bool:
        return condition() or not process.alive()

    try:
        wait(settled, timeout_s=timeout_s)
    except TimeoutError as error:
        raise errors.LabError(
            f"{process.name} was not ready after {timeout_s:g} s; the end of {process.log}:\n{process.tail()}"
        ) from error
    if not process.alive():
        raise errors.LabError(f"{process.name} ended by itself; the end of {process.log}:\n{process.tail()}")


def _start_ticks(pid: int) -> int | None:
    """Read when a process started; ``None`` when there is none, or only its remains."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[STARTED_FIELD])
