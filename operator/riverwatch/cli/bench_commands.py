"""Puts the commands of ``riverwatch bench`` together: each module adds its own to `bench.app` when it is imported."""

from __future__ import annotations

import importlib

from riverwatch.cli import bench

MODULES = ("bench_models",)
"""Modules that add a command."""

for _module in MODULES:
    importlib.import_module(f"riverwatch.cli.{_module}")

app = bench.app
"""All commands of the benchmark."""
