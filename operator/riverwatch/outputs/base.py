"""Stage 7 words: what an output is (`Output`) and what it says about itself (`OutputCard`).

A `Detection` copy goes in, nothing comes out but an error: `TemporaryError` (the lane tries again) or `PermanentError`
(given up, counted). Invariant: delivering the same revision twice is harmless. Called by `outputs.dispatch` on the
lane's own thread, so an output may block for as long as its timeout allows.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Protocol

from riverwatch.detections import finding
from riverwatch.kube import resources


class RetryClass(enum.StrEnum):
    """How long an output is tried."""

    UNTIL_DELIVERED = "until_delivered"
    """Again and again, always with the newest revision: the receiver holds the state of record."""
    LIMITED = "limited"
    """A few times, then given up and counted: late news is no news."""


@dataclasses.dataclass(frozen=True)
class Access:
    """Verbs on resources of the API server that a part needs; manifests/rbac.yaml is printed from these."""

    resource: resources.Resource
    verbs: tuple[str, ...]
    why: str
    """Half a sentence, printed as a comment."""
    subresource: str = ""
    own_namespace: bool = False
    """Whether the operator's namespace is enough (a Role instead of a ClusterRole)."""


@dataclasses.dataclass(frozen=True)
class OutputCard:
    """Everything about an output but its code."""

    id: str
    """Closed set: also the label value of the metrics."""
    summary: str
    retry: RetryClass
    rate_limited: bool = False
    """Whether its writes share the API server's token bucket."""
    access: tuple[Access, ...] = ()
    settings: tuple[str, ...] = ()
    """Names of the fields of `Settings` that shape it."""
    spacing_s: float = 0.0
    """Seconds between two deliveries of one detection; changes in between are folded."""


class Output(Protocol):
    """Something that detections are delivered to."""

    card: OutputCard

    def wants(self, detection: finding.Detection) -> bool:
        """Whether this revision is news to the output; cheap, called on the worker's thread."""
        ...

    def deliver(self, detection: finding.Detection) -> None:
        """Deliver one revision.

        Raises
        ------
        TemporaryError
            When it may work later.
        PermanentError
            When it never will.
        """
        ...

    def close(self) -> None:
        """Free what the output holds; called once, after the last delivery."""
        ...
