"""Which core a process runs on, and what it has used so far: the only place that asks the operating system.

The measured process is pinned to one core and its load client to another, because only then does "a core" mean the same
for a program with one thread and for one with many.
"""

from __future__ import annotations

import os
import pathlib
import resource
import sys
import time

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """What a process has used at one moment."""

    wall_s: float
    cpu_s: float
    """Seconds of CPU, user and system, all threads."""

    def since(self, before: Usage) -> Usage:
        """Return what was used after an earlier moment."""
        return Usage(self.wall_s - before.wall_s, self.cpu_s - before.cpu_s)


def usage() -> Usage:
    """Return what this process has used so far."""
    return Usage(time.perf_counter(), time.process_time())


def usable() -> list[int]:
    """Return the cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(os.cpu_count() or 1))
    return sorted(os.sched_getaffinity(0))


def measured_and_client() -> tuple[int, int]:
    """Return the core for what is measured and the one for its load; the same when there is but one."""
    found = usable()
    return found[0], found[-1]


def pin(core: int) -> None:
    """Keep this process, with all threads, on one core; does nothing where the system cannot."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def peak_bytes(process: int | str = "self") -> int:
    """Return the largest resident size of a process so far, in bytes; 0 when it is gone."""
    found = _status(process, "VmHWM")
    if not found and process == "self":
        found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return found


def resident_bytes() -> int:
    """Return the present resident size of this process, in bytes."""
    return _status("self", "VmRSS")


def forget_peak() -> None:
    """Begin a new peak, where the system allows it."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def load_average() -> float:
    """Return how many threads wanted to run during the last minute."""
    return os.getloadavg()[0]


def _status(process: int | str, name: str) -> int:
    try:
        text = pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
