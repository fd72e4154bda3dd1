"""Other programs on the same work, where they are installed: command templates, nothing of theirs is kept here.

Falco with its Kubernetes audit plugin and rules, as packaged; rsigma with our own rules. A peer that is absent, or that
fails, costs one line of the report.
"""

from __future__ import annotations

import os
import pathlib
import resource
import shutil
import subprocess
import time
from collections.abc import Sequence
from importlib import resources

import msgspec

from riverwatch.bench import cores, figures, setting
from riverwatch.rules import loading

FALCO_PLUGINS = pathlib.Path("/usr/share/falco/plugins")
"""Where Falco's packages put plugins; the environment variable RIVERWATCH_BENCH_FALCO_PLUGINS names another folder."""

FALCO_RULES = pathlib.Path("/etc/falco/k8s_audit_rules.yaml")
"""Falco's rules for Kubernetes audit; RIVERWATCH_BENCH_FALCO_RULES names another file."""

PEER_S = 900.0
"""Seconds a peer may take for one file."""

FALCO = "Falco, k8s_audit rules"
RSIGMA = "rsigma, our Sigma rules"


class Peer(msgspec.Struct, frozen=True):
    """A program that reads the file."""

    name: str
    command: tuple[str, ...]
    least: float | None
    """How many times faster ours should be."""


def add_file_peers(chosen: setting.Setting, result: figures.Result, *, ours: figures.Row) -> None:
    """Run every installed peer over the file and add rows and ratios."""
    for name, found in (
        (FALCO, _falco(chosen)),
        (RSIGMA, _rsigma(chosen)),
    ):
        if isinstance(found, str):
            result.notes.append(f"{name}: {found}")
            continue
        try:
            samples = [_measured(found, chosen) for _ in range(chosen.rounds)]
        except (OSError, subprocess.SubprocessError) as error:
            result.notes.append(f"{name}: failed: {error}")
            continue
        row = figures.Row(name=name, samples=samples, peer=True)
        result.rows.append(row)
        result.ratios.append(
            figures.Ratio(name=f"{ours.name} / {name}", value=figures.paired(ours, row), target=found.least)
        )


def _measured(peer: Peer, chosen: setting.Setting) -> figures.Sample:
    before_s, used_before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    cores_before = cores.usable()
    os.sched_setaffinity(0, {chosen.core})
    try:
        done = subprocess.run(
            peer.command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=PEER_S
        )
    finally:
        os.sched_setaffinity(0, cores_before)
    if done.returncode not in (0, 1):
        raise subprocess.SubprocessError(f"status {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - used_before.ru_utime - used_before.ru_stime
    return figures.Sample(records=chosen.work.records, wall_s=time.perf_counter() - before_s, cpu_s=cpu_s)


def _falco(chosen: setting.Setting) -> Peer | str:
    program = shutil.which("falco")
    if program is None:
        return "not installed (no falco on PATH)"
    plugins = pathlib.Path(os.environ.get("RIVERWATCH_BENCH_FALCO_PLUGINS", FALCO_PLUGINS))
    rules = pathlib.Path(os.environ.get("RIVERWATCH_BENCH_FALCO_RULES", FALCO_RULES))
    for path in (plugins / "libk8saudit.so", plugins / "libjson.so", rules):
        if not path.is_file():
            return f"not usable ({path} is missing)"
    config = chosen.fresh("falco") / "falco.yaml"
    settings = {
        "rules_files": [str(rules)],
        "load_plugins": ["k8saudit", "json"],
        "plugins": [
            {
                "name": "k8saudit",
                "library_path": str(plugins / "libk8saudit.so"),
                "init_config": {"useAsync": False},
                "open_params": str(chosen.work.audit),
            },
            {"name": "json", "library_path": str(plugins / "libjson.so")},
        ],
        "stdout_output": {"enabled": True},
        "syslog_output": {"enabled": False},
        "json_output": True,
        "engine": {"kind": "nodriver"},
    }
    config.write_bytes(msgspec.json.encode(settings))
    return Peer(FALCO, (program, "-c", str(config), "--enable-source", "k8s_audit"), 12.0)


def _rsigma(chosen: setting.Setting) -> Peer | str:
    program = shutil.which("rsigma")
    if program is None:
        return "not installed (no rsigma on PATH)"
    folder = chosen.fresh("rsigma")
    for path in rule_files():
        shutil.copy(path, folder / path.name)
    command: Sequence[str] = (program, "engine", "eval", "-r", str(folder), "-e", f"@{chosen.work.audit}")
    return Peer(RSIGMA, tuple(command), 2.0)


def rule_files() -> list[pathlib.Path]:
    """Return the files of our rules, without their cases."""
    found = pathlib.Path(str(resources.files("riverwatch.rules").joinpath("catalog"))).rglob(f"*{loading.RULE_ENDING}")
    return sorted(path for path in found if not path.name.endswith(loading.CASES_ENDING))
