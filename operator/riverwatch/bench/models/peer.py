"""The peer: AWS Random Cut Forest, a Java library, run as a process of its own where Java is installed.

The library comes through Maven into the cache folder, once, on demand. Without Java, or without the library and Maven,
the benchmark says so in one line and goes on. Called by `bench.models.contest`.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

import msgspec

from riverwatch import errors

NAME = "rcf"
"""Name in the table."""

WHAT = "AWS Random Cut Forest 4.3.0 (Java), 50 trees x 256, on the same 16 numbers"
"""What the table says about it."""

JAR = "randomcutforest-core-4.3.0.jar"
"""The library's file; the version is the one in ``rcf/pom.xml``."""

SETTINGS = ("50", "256", "7")
"""Trees, samples a tree, seed: the library's defaults in its own products."""

FETCH_TIMEOUT_S = 300.0
"""Longest wait for Maven, seconds."""

RUN_TIMEOUT_S = 600.0
"""Longest wait for the forest, seconds: 100,000 records take 10 s."""

_FOLDER = pathlib.Path(__file__).parent / "rcf"


class AbsentError(errors.RiverwatchError):
    """The peer cannot run here; the text says what is missing."""


class Answer(msgspec.Struct, frozen=True):
    """What the peer said."""

    scores: list[float]
    us: float
    """Microseconds of processor time a point, score and learn."""


def cache_folder() -> pathlib.Path:
    """Return where the library is kept, in `XDG_CACHE_HOME` or the home folder."""
    root = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
    return pathlib.Path(root) / "riverwatch" / "bench" / "rcf"


def library(cache: pathlib.Path | None = None) -> pathlib.Path:
    """Return the library, fetched by Maven when it is not in the cache yet.

    Raises
    ------
    AbsentError
        When it is not there and cannot be fetched.
    """
    cache = cache or cache_folder()
    jar = cache / JAR
    if jar.is_file():
        return jar
    maven = shutil.which("mvn")
    if maven is None:
        raise AbsentError(f"not installed: {jar} is missing and there is no mvn to fetch it")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        shutil.copy(_FOLDER / "pom.xml", scratch)
        command = [maven, "-q", "-B", "-f", f"{scratch}/pom.xml", "dependency:copy-dependencies"]
        done = _run([*command, f"-DoutputDirectory={scratch}/jars"], timeout_s=FETCH_TIMEOUT_S)
        found = pathlib.Path(scratch) / "jars" / JAR
        if done.returncode or not found.is_file():
            last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no reason given"]
            raise AbsentError(f"not installed: Maven could not fetch it ({last[0]})")
        found.replace(jar)
    return jar


def judge(numbers: Sequence[Sequence[float]], *, cache: pathlib.Path | None = None) -> Answer:
    """Have the forest score, then learn, every point in order.

    Raises
    ------
    AbsentError
        When Java or the library is missing, or the process fails.
    """
    java = shutil.which("java")
    if java is None:
        raise AbsentError("not installed: there is no java")
    jar = library(cache)
    text = "\n".join(",".join(map(repr, point)) for point in numbers) + "\n"
    command = [java, "-XX:+UseSerialGC", "-cp", str(jar), str(_FOLDER / "Forest.java"), *SETTINGS]
    done = _run(command, timeout_s=RUN_TIMEOUT_S, text=text)
    *lines, last = done.stdout.splitlines() or [""]
    if done.returncode or len(lines) != len(numbers) or not last.startswith("nanoseconds "):
        why = done.stderr.strip().splitlines()[:1] or [f"{len(lines)} scores for {len(numbers)} points"]
        raise AbsentError(f"failed: {why[0]}")
    return Answer([float(line) for line in lines], int(last.split()[1]) / 1e3 / max(1, len(numbers)))


def _run(command: list[str], *, timeout_s: float, text: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AbsentError(f"failed: {error}") from error
