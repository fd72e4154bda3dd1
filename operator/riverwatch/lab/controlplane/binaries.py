"""Find the control plane's programs, or have them built.

Places, in this order: the folder the caller names, `KUBEBUILDER_ASSETS`, the cache of earlier builds, an envtest
archive that the caller names (it is never downloaded: a lab must also work where nothing can be fetched but
modules), the system's PATH (etcd and kwok only: their version need not match), a Go build.

In: a component. Out: an executable path. Called by `plane` and by `riverwatch lab build`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping

from riverwatch import errors
from riverwatch.lab.controlplane import builder, versions

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
"""The folder where envtest tools keep etcd and kube-apiserver; set by `setup-envtest use`."""

ON_PATH = frozenset({versions.Component.ETCD, versions.Component.KWOK})
"""Programs taken from PATH: others must match the version, or at least one another."""

ETCD_HELP = (
    "etcd was not found. Install it (Debian, Ubuntu: apt-get install etcd-server; or `make setup-controlplane` as "
    f"root), or set {ASSETS_VARIABLE} to a folder that holds it"
)
"""What a person can do when the one program that is not built here is missing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """Where programs are looked for.

    Parameters
    ----------
    assets
        Folder named by the caller; programs in it win over all else.
    envtest_archive
        A `.tar.gz` as `setup-envtest` downloads it; unpacked into the cache.
    cache
        Folder of earlier builds; ``None`` means `cache_root` of the environment.
    environ
        Environment variables; the process' own by default.
    build
        Builds what is missing; ``None`` means that a missing program is an error.
    """

    assets: pathlib.Path | None = None
    envtest_archive: pathlib.Path | None = None
    cache: pathlib.Path | None = None
    environ: Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)
    build: Callable[..., None] | None = builder.build

    @property
    def cache_root(self) -> pathlib.Path:
        """The cache folder: the one named, else in `XDG_CACHE_HOME`, else in the home folder."""
        if self.cache is not None:
            return self.cache
        base = self.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
        return pathlib.Path(base) / "riverwatch" / "controlplane"


def find(component: versions.Component, places: Places) -> pathlib.Path | None:
    """Look for one program in every place but the build.

    Parameters
    ----------
    component
        What to look for.
    places
        Where to look.

    Raises
    ------
    BadInputError
        When a folder or archive that a person named does not exist.
    """
    for folder in _folders(component, places):
        path = folder / component.value
        if path.is_file() and os.access(path, os.X_OK):
            return path
    if component in ON_PATH:
        found = shutil.which(component.value, path=places.environ.get("PATH"))
        return pathlib.Path(found) if found else None
    return None


def find_all(components: Iterable[versions.Component], places: Places) -> dict[versions.Component, pathlib.Path]:
    """Find programs, and build in one go those that are nowhere.

    Parameters
    ----------
    components
        What is needed.
    places
        Where to look, and how to build.

    Raises
    ------
    LabError
        When a program is missing and cannot be built; the text says what to do.
    """
    wanted = list(components)
    found = {component: path for component in wanted if (path := find(component, places))}
    missing = [component for component in wanted if component not in found]
    if versions.Component.ETCD in missing:
        raise errors.LabError(ETCD_HELP)
    if missing and places.build is None:
        raise errors.LabError(f"not found: {', '.join(missing)}; run `riverwatch lab build`, or set {ASSETS_VARIABLE}")
    for module in versions.GoModule:
        parts = [part for part in missing if versions.GO_PACKAGES[part][0] is module]
        if parts and places.build is not None:
            target = places.cache_root / module.cache_key
            places.build(module, parts, target)
            found |= {part: target / part.value for part in parts}
    return {component: found[component] for component in wanted}


def _folders(component: versions.Component, places: Places) -> Iterable[pathlib.Path]:
    """Give the folders that may hold a program, best first."""
    if places.assets is not None:
        yield _existing(places.assets, "assets folder")
    if named := places.environ.get(ASSETS_VARIABLE):
        yield _existing(pathlib.Path(named), ASSETS_VARIABLE)
    if component in versions.GO_PACKAGES:
        cached = places.cache_root / versions.GO_PACKAGES[component][0].cache_key
        if (cached / component.value).is_file():
            builder.check_manifest(cached, component)
            yield cached
    if places.envtest_archive is not None:
        yield _unpacked(_existing(places.envtest_archive, "envtest archive"), places.cache_root)


def _existing(path: pathlib.Path, what: str) -> pathlib.Path:
    """Return the path, or say which one that a person named is missing."""
    if not path.exists():
        raise errors.BadInputError(f"{what} does not exist", where=str(path))
    return path


def _unpacked(archive: pathlib.Path, cache: pathlib.Path) -> pathlib.Path:
    """Unpack an envtest archive once; only regular files, by their last name, are taken."""
    target = cache / f"envtest-{archive.name.removesuffix('.tar.gz')}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(dir=cache, prefix=".envtest-"))
    try:
        with tarfile.open(archive) as bundle:
            for member in bundle:
                content = bundle.extractfile(member) if member.isfile() else None
                if content is not None:
                    path = scratch / pathlib.PurePosixPath(member.name).name
                    with path.open("wb") as out:
                        shutil.copyfileobj(content, out)
                    path.chmod(0o755)
        with contextlib.suppress(FileExistsError):  # another process unpacked it first
            scratch.rename(target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise errors.BadInputError(f"not a readable envtest archive: {error}", where=str(archive)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
