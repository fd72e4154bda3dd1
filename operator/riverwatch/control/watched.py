"""What a part of `control` that follows objects offers: take a body, forget an object, name what it knows.

Level, not edge: `take` is called with the whole body whenever it may have changed, by the watch and by the periodic
list alike, and must be idempotent. Called from several threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from riverwatch.kube import resources

Key = tuple[str, str]
"""Namespace (empty for cluster objects) and name."""


class Follower(Protocol):
    """Follows all objects of some kinds."""

    @property
    def follows(self) -> tuple[resources.Resource, ...]:
        """The kinds it follows."""
        ...

    def take(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:
        """Take an object as it stands now."""
        ...

    def forget(self, resource: resources.Resource, key: Key) -> None:
        """Forget an object that is gone."""
        ...

    def known(self, resource: resources.Resource) -> Iterable[Key]:
        """Return what is held of a kind."""
        ...


def key_of(body: Mapping[str, Any]) -> Key:
    """Return namespace and name of a body."""
    metadata = body.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def generation_of(body: Mapping[str, Any]) -> int:
    """Return ``metadata.generation``; 0 when there is none."""
    generation = (body.get("metadata") or {}).get("generation")
    return generation if isinstance(generation, int) else 0
