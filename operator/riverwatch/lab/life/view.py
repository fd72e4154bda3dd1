"""What a script may know about the cluster at the moment it acts.

A protocol, so that habits can be written and tested without a cluster; `recording.cluster` implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from riverwatch.lab.company import model


class Pod(msgspec.Struct):
    """One pod as the lab's nodes and habits see it."""

    namespace: str
    name: str
    uid: str
    account: str
    app: str
    """Value of its label `app.kubernetes.io/name`."""
    body: dict[str, object]
    node: str = ""
    address: str = ""
    running: bool = False
    ending: bool = False
    token: str = ""
    renewed_s: float = 0.0
    """Simulated time at which its token was made."""


class View(Protocol):
    """The cluster as habits see it."""

    @property
    def now_s(self) -> float:
        """Simulated time, epoch seconds."""
        ...

    def pods(self, namespace: str = "", *, app: str = "", node: str = "") -> Sequence[Pod]:
        """Give the running pods that match, oldest first."""
        ...

    def keep_token(self, uid: str, token: str) -> None:
        """Remember the token that a node obtained for a pod."""
        ...

    def join(self, machine: model.Node) -> None:
        """Let a new node be scheduled to."""
        ...

    def cordon(self, name: str) -> None:
        """Schedule nothing more to a node."""
        ...

    def leave(self, name: str) -> None:
        """Forget a node and what is left on it."""
        ...
