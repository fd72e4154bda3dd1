"""Where checkpoints are kept: a folder, or an object store by URL, through obstore; the two newest of them.

`save` puts a new object and removes what is older than the two newest that can be used. `load` offers them newest first
to its caller, passes over what cannot be used and says so in its `Report`. A store that cannot be reached is an error
to be tried again, never a cold start: a blip of the network must not cost what was learned. Blocking; called by
`runtime.checkpoint` away from the pipeline's thread. Two writers at once lose nothing: no object is ever overwritten.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import secrets
import urllib.parse
from collections.abc import Callable

import msgspec
import obstore
import obstore.exceptions
import obstore.store

from riverwatch import errors
from riverwatch.state import snapshot

KEEP = 2
"""Usable checkpoints kept: the newest, and one to fall back to."""

SCHEMES = ("file", "s3", "gs", "az")
"""Beginnings of URLs that are understood. Credentials and regions come from the environment, as the cloud's own tools
take them."""

_NAME = re.compile(r"^checkpoint-(\d{12})-[0-9a-f]{6}\.rw$")
"""A number that counts up, so that names sort by age, and a random part, so that two writers never meet."""

_STAGED = "checkpoint-*.rw#*"
"""What obstore leaves in a folder when the process ends in the middle of a put; its listing does not show them."""

_UNREACHABLE = (obstore.exceptions.BaseError, OSError)


class Rejected(msgspec.Struct, frozen=True):
    """A checkpoint that could not be used."""

    name: str
    reason: str


class Report(msgspec.Struct, frozen=True):
    """What became of a start: which checkpoint was taken, and which could not be."""

    used: str
    """Name; empty for a cold start."""
    record_s: float
    """Time of the latest record in it, seconds since the epoch; 0 for a cold start."""
    resume: snapshot.Resume
    rejected: tuple[Rejected, ...]

    @property
    def cold(self) -> bool:
        """Whether nothing could be taken over."""
        return not self.used

    def __str__(self) -> str:
        taken = f"went on from {self.used}" if self.used else "started without a checkpoint"
        return "; ".join([taken, *(f"{one.name} was not used: {one.reason}" for one in self.rejected)])


class Saved(msgspec.Struct, frozen=True):
    """What a save left in the store."""

    name: str
    digest: str
    """Checksum of the checkpoint, ``sha256:...``, as its last bytes hold it."""
    stored_bytes: int
    resumes: tuple[snapshot.Resume, ...]
    """Where the checkpoints that are kept go on, newest first; nothing before all of them is needed. Empty when that is
    not known of every one."""


class Store:
    """Checkpoints in one place.

    Parameters
    ----------
    place
        A folder, or a URL: ``file:///var/lib/riverwatch``, ``s3://bucket/prefix``, ``gs://bucket/prefix``,
        ``az://account/container/prefix``. A folder is made when it does not exist.

    Raises
    ------
    BadInputError
        When the place is none of these, or the folder cannot be made.
    """

    def __init__(self, place: str | pathlib.Path) -> None:
        self.place = str(place)
        self._folder, self._objects = _open(self.place)
        self._rejected: set[str] = set()
        self._resumes: dict[str, snapshot.Resume] = {}

    def names(self) -> list[str]:
        """Return the names of the checkpoints, newest first.

        Raises
        ------
        TemporaryError
            When the store cannot be reached.
        """
        try:
            pages = list(obstore.list(self._objects))
        except _UNREACHABLE as error:
            raise errors.TemporaryError(f"{self.place} cannot be listed: {_first_line(error)}") from error
        found = [str(item["path"]) for page in pages for item in page]
        return sorted((name for name in found if _NAME.match(name)), reverse=True)

    def load(self, take: Callable[[snapshot.Snapshot], None]) -> Report:
        """Offer the checkpoints, newest first, until one is taken.

        Parameters
        ----------
        take
            Takes a checkpoint over as a whole, or raises `StateError` and has then taken nothing over.

        Raises
        ------
        TemporaryError
            When the store cannot be reached.
        """
        rejected: list[Rejected] = []
        for name in self.names():
            try:
                one = self.read(name)
                take(one)
            except errors.StateError as error:
                rejected.append(Rejected(name, str(error)))
                self._rejected.add(name)
                continue
            self._resumes[name] = one.resume
            return Report(name, one.record_s, one.resume, tuple(rejected))
        return Report("", 0.0, {}, tuple(rejected))

    def save(self, one: snapshot.Snapshot) -> Saved:
        """Put a checkpoint beside the others, then remove those that nobody needs any more.

        Raises
        ------
        TemporaryError
            When the store cannot be reached or is full; what was there before is still there then.
        """
        data = snapshot.encode(one)
        name = self._put(data)
        self._resumes[name] = one.resume
        names = self.names()
        kept = [other for other in names if other not in self._rejected][:KEEP]
        self._remove([other for other in names if other < kept[-1]])
        self._resumes = {other: resume for other, resume in self._resumes.items() if other in kept}
        known = tuple(self._resumes[other] for other in kept if other in self._resumes)
        return Saved(name, snapshot.digest_of(data), len(data), known if len(known) == len(kept) else ())

    def read(self, name: str) -> snapshot.Snapshot:
        """Return one checkpoint.

        Raises
        ------
        StateError
            When it cannot be used.
        TemporaryError
            When the store cannot be reached.
        """
        return snapshot.decode(self._read(name))

    def rewrite(self, change: Callable[[snapshot.Snapshot], snapshot.Snapshot]) -> list[Rejected]:
        """Replace every checkpoint by a changed one; those that cannot be read are removed and returned.

        Parameters
        ----------
        change
            Returns what takes a checkpoint's place; raises `StateError` for one that it cannot read.

        Raises
        ------
        TemporaryError
            When the store cannot be reached; each checkpoint is there then, old or new.
        """
        before = self.names()
        rejected: list[Rejected] = []
        for name in reversed(before):
            try:
                fresh = change(self.read(name))
            except errors.StateError as error:
                rejected.append(Rejected(name, str(error)))
            else:
                self._put(snapshot.encode(fresh))
        self._remove(before)
        return rejected

    def _read(self, name: str) -> bytes:
        try:
            return bytes(obstore.get(self._objects, name).bytes())
        except obstore.exceptions.NotFoundError as error:
            raise errors.StateError("it was removed meanwhile") from error
        except _UNREACHABLE as error:
            raise errors.TemporaryError(f"{self.place}/{name} cannot be read: {_first_line(error)}") from error

    def _put(self, data: bytes) -> str:
        newest = next(iter(self.names()), "")
        found = _NAME.match(newest)
        name = f"checkpoint-{int(found[1]) + 1 if found else 1:012d}-{secrets.token_hex(3)}.rw"
        try:
            obstore.put(self._objects, name, data, use_multipart=False)
            self._flush(name)
        except _UNREACHABLE as error:
            raise errors.TemporaryError(f"{self.place}/{name} cannot be written: {_first_line(error)}") from error
        return name

    def _flush(self, name: str) -> None:
        """Have a file survive a loss of power, too, and nobody else read it; object stores do so by themselves."""
        if self._folder is None:
            return
        (self._folder / name).chmod(0o600)
        for path in (self._folder / name, self._folder):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _remove(self, names: list[str]) -> None:
        try:
            for name in names:
                with contextlib.suppress(obstore.exceptions.NotFoundError):  # another writer was faster
                    obstore.delete(self._objects, name)
            for path in self._folder.glob(_STAGED) if self._folder else ():
                path.unlink(missing_ok=True)
        except _UNREACHABLE as error:
            raise errors.TemporaryError(
                f"{self.place}: old checkpoints cannot be removed: {_first_line(error)}"
            ) from error
        self._rejected.difference_update(names)


def _open(place: str) -> tuple[pathlib.Path | None, obstore.store.ObjectStore]:
    """Return the folder, when it is one, and the store."""
    scheme = place.partition("://")[0] if "://" in place else "file"
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise errors.BadInputError(
            f"cannot keep checkpoints there; give a folder or a URL that begins with {known}", where=place
        )
    try:
        if scheme == "file":
            path = urllib.parse.unquote(urllib.parse.urlsplit(place).path) if "://" in place else place
            folder = pathlib.Path(path).absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder, obstore.store.LocalStore(prefix=folder, mkdir=True)
        return None, obstore.store.from_url(place)
    except (*_UNREACHABLE, ValueError) as error:
        raise errors.BadInputError(f"cannot keep checkpoints there: {_first_line(error)}", where=place) from error


def _first_line(error: Exception) -> str:
    """Return what an error says; obstore adds a long debug text."""
    return next(iter(str(error).splitlines()), type(error).__name__)
