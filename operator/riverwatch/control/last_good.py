"""Remembers across restarts which version of each policy and rule was the last good one, in the state folder.

A policy that turns bad stays in force as it was before, and it must still do so when the operator is started anew
meanwhile. Only what made the object good is kept: its spec and generation. Without a folder nothing outlives the
process. A file that cannot be read or written costs only this memory, and is told.
"""

from __future__ import annotations

import logging
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from riverwatch.control import watched
from riverwatch.kube import resources

_log = logging.getLogger(__name__)

FILE = "last-good.json"
"""Name in the state folder."""


class LastGood:
    """Bodies by kind and key.

    Parameters
    ----------
    folder
        The state folder; None remembers nothing on disk.
    """

    def __init__(self, folder: pathlib.Path | None) -> None:
        self._path = folder / FILE if folder is not None else None
        self._lock = threading.Lock()
        self._bodies = self._read()

    def bodies(self, resource: resources.Resource) -> list[dict[str, Any]]:
        """Return the last good versions of all objects of a kind."""
        with self._lock:
            return [body for body in self._bodies.values() if body.get("kind") == resource.kind]

    def put(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:
        """Remember a version that is good."""
        namespace, name = watched.key_of(body)
        metadata: dict[str, Any] = {"name": name, "generation": watched.generation_of(body)}
        if namespace:
            metadata["namespace"] = namespace
        kept = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": metadata,
            "spec": body.get("spec"),
        }
        with self._lock:
            if self._bodies.get(_key(resource, (namespace, name))) == kept:
                return
            self._bodies[_key(resource, (namespace, name))] = kept
            self._write()

    def drop(self, resource: resources.Resource, key: watched.Key) -> None:
        """Forget an object that is gone."""
        with self._lock:
            if self._bodies.pop(_key(resource, key), None) is not None:
                self._write()

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None or not self._path.is_file():
            return {}
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, dict[str, Any]])
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("last good policies cannot be read", extra={"path": str(self._path), "cause": str(error)})
            return {}

    def _write(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(self._bodies))
            fresh.replace(self._path)
        except OSError as error:
            _log.warning("last good policies cannot be kept", extra={"path": str(self._path), "cause": str(error)})


def _key(resource: resources.Resource, key: watched.Key) -> str:
    return "/".join((resource.kind, *key))
