"""Fuzz the parsers for a while: ``python tests/fuzz/run.py --seconds 60 [--parser rule] [--seed 7]``.

Each parser gets the given time in a process of its own, so that even an input that ends the process is kept. A finding
is made smaller, written to ``tests/fuzz/found/PARSER/`` as base64, and makes the exit status 1; from then on the tests
run it. With ``--engine atheris``, where that is installed, inputs follow the coverage of the code.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

if {"atheris", "--here"} <= set(sys.argv):
    import atheris

    with atheris.instrument_imports(include=["riverwatch"]):
        import fuzz_parsers
else:
    import fuzz_parsers

import fuzz_inputs  # noqa: E402 - imports the parsers, which must be instrumented first

SLOW_S = 20.0
"""Seconds after which one input counts as a finding, too."""

SHRINK_S = 20.0
"""Seconds spent on making a finding smaller."""


class Slow(BaseException):
    """One input takes too long; no `Exception`, so that no parser swallows it."""


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _alarm(*_: object) -> None:
    raise Slow(f"more than {SLOW_S:g} s for one input")


def fault(check, data: bytes) -> BaseException | None:
    """Return what is wrong with the answer to an input."""
    signal.setitimer(signal.ITIMER_REAL, SLOW_S)
    try:
        check(data)
    except (Exception, Slow) as error:  # noqa: BLE001 - anything that comes out is the finding
        return error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def smaller(check, data: bytes, kind: type[BaseException]) -> bytes:
    """Leave out what is not needed for the same kind of fault."""
    end = time.monotonic() + SHRINK_S
    size = max(1, len(data) // 2)
    while size and time.monotonic() < end:
        start, shrunk = 0, False
        while start < len(data) and time.monotonic() < end:
            shorter = data[:start] + data[start + size :]
            if isinstance(fault(check, shorter), kind):
                data, shrunk = shorter, True
            else:
                start += size
        size = size if shrunk else size // 2
    return data


def keep(name: str, data: bytes) -> pathlib.Path:
    """Write a finding where the tests look for it."""
    path = HERE / "found" / name / f"{hashlib.sha256(data).hexdigest()[:12]}.b64"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(base64.encodebytes(data).decode())
    return path


def one_parser(name: str, *, seconds: float, seed: int, last: pathlib.Path) -> int:
    """Fuzz one parser in this process; the input being tried is in the file `last`."""
    parser = fuzz_parsers.PARSERS[name]
    rng, seeds = random.Random(seed), parser.seeds()
    signal.signal(signal.SIGALRM, _alarm)
    handle = os.open(last, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    tried, end, kinds = 0, time.monotonic() + seconds, set()
    while time.monotonic() < end:
        data = fuzz_inputs.damaged(rng.choice(seeds), seeds, parser.words, rng)
        os.pwrite(handle, data, 0)
        os.ftruncate(handle, len(data))
        tried += 1
        wrong = fault(parser.check, data)
        if wrong is None:
            continue
        place = traceback.extract_tb(wrong.__traceback__)[-1]
        if (type(wrong), place.filename, place.lineno) in kinds:
            continue
        kinds.add((type(wrong), place.filename, place.lineno))
        path = keep(name, smaller(parser.check, data, type(wrong)))
        traceback.print_exception(wrong)
        say(f"{name}: {type(wrong).__name__}: kept as {path.relative_to(HERE)}")
    say(f"{name}: {tried} inputs, {len(kinds)} findings")
    return 1 if kinds else 0


def atheris_parser(name: str, *, seconds: float, seed: int) -> int:
    """Fuzz one parser along the coverage of the code."""
    parser = fuzz_parsers.PARSERS[name]
    folder = HERE / "found" / name
    corpus = pathlib.Path(os.environ.get("RIVERWATCH_FUZZ_CORPUS", HERE / ".corpus")) / name
    for place in (folder, corpus):
        place.mkdir(parents=True, exist_ok=True)
    for data in parser.seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    options = [f"-max_total_time={seconds:g}", f"-seed={seed}", "-timeout=20", f"-artifact_prefix={corpus}/finding-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], parser.check)
    atheris.Fuzz()
    return 0


def main() -> int:
    """Fuzz all parsers, or the one that is named."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--seconds", type=float, default=60.0, help="for each parser")
    ask.add_argument("--parser", choices=sorted(fuzz_parsers.PARSERS))
    ask.add_argument("--seed", type=int, default=int(time.time()))
    ask.add_argument("--engine", choices=("plain", "atheris"), default="plain")
    ask.add_argument("--here", type=pathlib.Path, help=argparse.SUPPRESS)
    given = ask.parse_args()
    if given.here is not None:
        if given.engine == "atheris":
            return atheris_parser(given.parser, seconds=given.seconds, seed=given.seed)
        return one_parser(given.parser, seconds=given.seconds, seed=given.seed, last=given.here)
    failed = 0
    for name in [given.parser] if given.parser else fuzz_parsers.PARSERS:
        last = HERE / f".last-{name}"
        arguments = ["--parser", name, "--seconds", str(given.seconds), "--seed", str(given.seed)]
        command = [sys.executable, __file__, *arguments, "--engine", given.engine, "--here", str(last)]
        status = subprocess.run(command, check=False).returncode
        if status < 0 and last.exists():
            say(f"{name}: ended by signal {-status}: kept as {keep(name, last.read_bytes()).relative_to(HERE)}")
        last.unlink(missing_ok=True)
        failed |= status != 0
    say(f"seed {given.seed}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
