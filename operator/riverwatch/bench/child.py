"""Child processes of the benchmark: one pinned process per measured thing, spoken to by lines of JSON.

A task is a module of this package with ``main(order) -> None``; it reads further lines from standard input if it needs
them and writes its answers to standard output. Whatever it prints elsewhere is shown when it fails.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import msgspec

from riverwatch import errors
from riverwatch.bench import cores

END_S = 60.0
"""Seconds in which a child must end once its input has ended."""

TAIL_CHARS = 2_000
"""Characters of a failed child's error output that are shown."""


class Child:
    """A running task.

    Parameters
    ----------
    task
        Name of the module.
    order
        What it is to do; plain data.
    core
        Where it runs.
    """

    def __init__(self, task: str, order: Mapping[str, Any], *, core: int) -> None:
        self._task = task
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "riverwatch.bench.child", task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._send({"core": core, **order})

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, question: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a line, if one is given, and return the next answer.

        Raises
        ------
        BadInputError
            When the child ended instead.
        """
        if question is not None:
            self._send(question)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise errors.BadInputError(f"the measured process ended: {self._last_words()}", where=self._task)
        return dict(msgspec.json.decode(line))

    def end(self) -> None:
        """End its input and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _send(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(line) + b"\n")
            self._process.stdin.flush()

    def _last_words(self) -> str:
        self.kill()
        assert self._process.stderr is not None
        return self._process.stderr.read().decode(errors="replace")[-TAIL_CHARS:].strip()


@contextlib.contextmanager
def running(task: str, order: Mapping[str, Any], *, core: int) -> Iterator[Child]:
    """Run a task while the block runs."""
    one = Child(task, order, core=core)
    try:
        yield one
    finally:
        one.end()


def run(task: str, order: Mapping[str, Any], *, core: int) -> dict[str, Any]:
    """Run a task that gives one answer."""
    with running(task, order, core=core) as one:
        return one.ask()


def orders(source: TextIO | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines that the benchmark sends; ends with the input."""
    for line in source or sys.stdin:
        yield dict(msgspec.json.decode(line))


def answer(content: Any) -> None:
    """Send one answer."""
    sys.stdout.write(msgspec.json.encode(content).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """Pin this process and do the task that the command line names."""
    order = next(orders())
    cores.pin(order["core"])
    importlib.import_module(f"riverwatch.bench.{sys.argv[1]}").main(order)


if __name__ == "__main__":
    main()
