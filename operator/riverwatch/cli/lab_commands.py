"""Puts the commands of ``riverwatch lab`` together: each module adds its own to `lab.app` when it is imported."""

from __future__ import annotations

import importlib

from riverwatch.cli import lab

MODULES = ("lab_record", "lab_attack", "lab_evaluate")
"""Modules that add a command."""

for _module in MODULES:
    importlib.import_module(f"riverwatch.cli.{_module}")

app = lab.app
"""All commands of the lab."""
