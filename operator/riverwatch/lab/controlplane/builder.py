"""Build the control plane's Go programs from the module files in `gomod/`.

In: a Go module and the programs wanted. Out: executables in a cache folder, with a manifest of their digests.
Invariant: a folder in the cache holds whole programs only (they are built beside it and renamed), and two builders
of one folder wait for each other. Called by `binaries`.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import Self

import rich.console
import rich.progress

from riverwatch import errors
from riverwatch.lab.controlplane import versions

MANIFEST = "manifest.json"
"""Name of the file that holds program name -> sha256, beside the programs."""

TAIL_LINES = 15
"""How many lines of the compiler's output an error shows."""

GO_HELP = (
    "Go 1.26 or newer was not found, and it is needed to build {what}. Install Go, or set KUBEBUILDER_ASSETS to a "
    "folder that holds these programs, or name an envtest archive"
)
"""What a person can do when nothing can be built."""


def build(module: versions.GoModule, components: Sequence[versions.Component], target: pathlib.Path) -> None:
    """Build programs into a folder, with progress on standard error.

    Parameters
    ----------
    module
        The module they belong to.
    components
        The programs; those that another builder finished meanwhile are left alone.
    target
        The folder they go to.

    Raises
    ------
    LabError
        When Go is missing or the compiler fails; the text holds the end of its output.
    """
    target.mkdir(parents=True, exist_ok=True)
    with _locked(target / ".lock"):
        todo = [component for component in components if not (target / component.value).is_file()]
        if not todo:
            return
        go = shutil.which("go")
        if go is None:
            raise errors.LabError(GO_HELP.format(what=", ".join(todo)))
        with tempfile.TemporaryDirectory(dir=target, prefix=".build-") as scratch:
            folder = pathlib.Path(scratch)
            for name in ("go.mod", "go.sum"):
                shutil.copyfile(module.folder / name, folder / name)
            for component in todo:
                _build_one(go, component, folder)
                _publish(folder / component.value, target)


def check_manifest(folder: pathlib.Path, component: versions.Component) -> None:
    """Hold a cached program against the digest written when it was built.

    Parameters
    ----------
    folder
        The cache folder.
    component
        The program.

    Raises
    ------
    LabError
        When the program is not the one that was built.
    """
    path = folder / component.value
    if _manifest(folder).get(component.value) != _digest(path, path.stat().st_mtime_ns):
        raise errors.LabError(
            f"{path} is not the program that was built (its sha256 differs); remove {folder} and retry"
        )


def _build_one(go: str, component: versions.Component, folder: pathlib.Path) -> None:
    """Compile one program into the scratch folder."""
    module, package = versions.GO_PACKAGES[component]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    listing = subprocess.run(
        [go, "list", "-deps", package], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        raise errors.LabError(_failure(component, listing.stderr.splitlines()))
    command = [go, "build", "-v", "-trimpath", "-ldflags", versions.LINKER_FLAGS[module]]
    command += ["-o", str(folder / component.value), package]
    tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
    total = len(listing.stdout.splitlines())
    with (
        _Progress(f"building {component} {module.version}", total) as progress,
        subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as compiler,
    ):
        assert compiler.stderr is not None
        for line in compiler.stderr:
            tail.append(line.rstrip())
            if not line.startswith("go: "):
                progress.advance()
        if compiler.wait() == 0:
            progress.finish()
    if compiler.returncode != 0:
        raise errors.LabError(_failure(component, list(tail)))


def _failure(component: versions.Component, lines: Sequence[str]) -> str:
    """Say what failed, with the compiler's last words."""
    return "\n  ".join([f"building {component} failed; the last lines were:", *lines[-TAIL_LINES:]])


class _Progress:
    """A bar on a terminal, a line per tenth elsewhere: a build takes minutes, and a silent one looks dead.

    Packages in the compiler's own cache are not reported by it, so a second build jumps to its end.
    """

    def __init__(self, title: str, total: int) -> None:
        self._console = rich.console.Console(stderr=True)
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("packages"),
            rich.progress.TimeElapsedColumn(),
            console=self._console,
        )
        self._title, self._total, self._done = title, total, 0
        self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        else:
            self._say(f"{self._title}: {self._total} packages")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """Count one package."""
        tenth = self._done * 10 // self._total
        self._done = min(self._done + 1, self._total)
        self._bar.advance(self._task)
        if not self._console.is_terminal and self._done * 10 // self._total > tenth:
            self._say(f"{self._title}: {self._done} of {self._total} packages")

    def finish(self) -> None:
        """Show that all is done."""
        self._bar.update(self._task, completed=self._total)
        if not self._console.is_terminal:
            self._say(f"{self._title}: done")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _publish(built: pathlib.Path, target: pathlib.Path) -> None:
    """Write the digest, then move the program in place: who sees the program sees its digest."""
    manifest = {**_manifest(target), built.name: _digest(built, built.stat().st_mtime_ns)}
    draft = built.with_name(MANIFEST)
    draft.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    draft.replace(target / MANIFEST)
    built.replace(target / built.name)


def _manifest(folder: pathlib.Path) -> dict[str, str]:
    """Read the digests; a folder without a manifest has none."""
    path = folder / MANIFEST
    return dict(json.loads(path.read_text())) if path.is_file() else {}


@functools.lru_cache(maxsize=16)
def _digest(path: pathlib.Path, _modified_ns: int) -> str:
    """Compute a file's sha256, once per process and modification."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    """Hold an exclusive lock on a file while the body runs."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
