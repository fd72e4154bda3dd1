"""What every plan is given: the work, how often, where."""

from __future__ import annotations

import pathlib

import msgspec

from riverwatch.bench import workload


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the benchmark."""

    work: workload.Workload
    folder: pathlib.Path
    """For spools, certificates and peers' files; removed afterwards."""
    rounds: int
    small: bool
    """Whether only structure and sanity matter: short loads, no waiting."""
    core: int
    """Where what is measured runs."""
    client_core: int
    """Where its load comes from."""
    detail: bool = False
    """Whether the breakdown names functions in place of stages."""

    def fresh(self, name: str) -> pathlib.Path:
        """Return a new folder."""
        for number in range(10_000):
            found = self.folder / f"{name}-{number}"
            if not found.exists():
                found.mkdir(parents=True)
                return found
        raise AssertionError(name)
