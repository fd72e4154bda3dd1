"""Runs pytest once per core, each on its own part of the files, so that no process collects what another runs.

``python tests/parts.py [PYTEST ARGUMENTS]``. Every file is in exactly one part; parts are made equal by the seconds in
`parts.json`. Ends with 1 when any part fails or has no test. ``--weigh`` writes `parts.json` anew from the last run,
which wants a quiet machine. Called by ``make test-fast``.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).parents[1]
WEIGHTS = pathlib.Path(__file__).with_suffix(".json")
REPORTS = ROOT / ".pytest_cache" / "parts"

MOST = 8
"""Most parts, however many cores there are: collecting takes each some seconds, and cores may be shared."""

UNKNOWN_S = 0.1
"""Weight of a file that is not in `parts.json`: most take about that long."""


def files() -> list[str]:
    """Return every file of pytest's test paths that can hold a test: test modules, and modules with an example."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    found = [file for path in settings["testpaths"] for file in (ROOT / path).rglob("*.py")]
    holding = [file for file in found if file.name.startswith("test_") or ">>> " in file.read_text(encoding="utf-8")]
    return sorted(str(file.relative_to(ROOT)) for file in holding)


def split(names: Sequence[str], *, weights: dict[str, float], count: int) -> list[list[str]]:
    """Return `count` parts of about the same weight: the heaviest file first, each to the part that is lightest."""
    parts: list[list[str]] = [[] for _ in range(count)]
    sums = [0.0] * count
    for name in sorted(names, key=lambda name: -weights.get(name, UNKNOWN_S)):
        lightest = sums.index(min(sums))
        parts[lightest].append(name)
        sums[lightest] += weights.get(name, UNKNOWN_S)
    return [sorted(part) for part in parts]


def run(commands: Sequence[Sequence[str]]) -> int:
    """Run commands side by side, the first one's output at once and the others' as they end; 1 when one failed."""
    outputs = [None, *(tempfile.TemporaryFile() for _ in commands[1:])]  # noqa: SIM115 - they go with the process
    running = [
        subprocess.Popen(one, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT if output else None)
        for one, output in zip(commands, outputs, strict=True)
    ]
    ended = []
    for process, output in zip(running, outputs, strict=True):
        ended.append(process.wait())
        if output is not None:
            output.seek(0)
            sys.stdout.buffer.write(output.read())
            sys.stdout.flush()
    return int(any(ended))


def weigh() -> None:
    """Write the seconds of every file that takes longer than most, from the reports of the last run."""
    seconds: collections.Counter[str] = collections.Counter()
    for report in REPORTS.glob("*.xml"):
        for case in ET.parse(report).iter("testcase"):
            seconds[case.attrib["classname"].replace(".", "/") + ".py"] += float(case.attrib["time"])
    heavy = {name: round(taken, 1) for name, taken in sorted(seconds.items()) if taken >= 2 * UNKNOWN_S}
    WEIGHTS.write_text(json.dumps(heavy, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Run all parts, or weigh."""
    if arguments == ["--weigh"]:
        return weigh() or 0
    for report in REPORTS.glob("*.xml"):
        report.unlink()
    count = min(MOST, len(os.sched_getaffinity(0)))
    parts = split(files(), weights=json.loads(WEIGHTS.read_text(encoding="utf-8")), count=count)
    start = [sys.executable, "-m", "pytest", *arguments]
    return run([[*start, f"--junitxml={REPORTS}/{number}.xml", *part] for number, part in enumerate(parts)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
