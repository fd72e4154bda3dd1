"""Which ThreatDetections stand in the cluster, per namespace, as far as caps and ages need to know.

Filled from a list of objects at start and by `housekeeping`, kept up by `threat_detection`. Invariant: a namespace
never counts more than its cap by our writes; a detection that a person marked as a true positive is never the one to
go.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from riverwatch import clock, vocabulary

LABEL = "app.kubernetes.io/managed-by"
"""Label of every object we write."""

SELECTOR = f"{LABEL}=riverwatch"
"""Selects them."""

CLOSED = frozenset({vocabulary.Phase.RESOLVED.value, vocabulary.Phase.EXPIRED.value})
"""Phases that need nobody's eyes any more."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What is known about one ThreatDetection."""

    namespace: str
    name: str
    severity: int
    """Rank, 0 (Info) to 4 (Critical)."""
    score: float
    last_seen_s: float
    phase: str
    verdict: str

    @property
    def worth(self) -> tuple[bool, bool, int, float, float]:
        """Sorts what may go first to the front: closed ones, then weak ones, then old ones."""
        kept = self.verdict == vocabulary.Verdict.TRUE_POSITIVE.value
        return (kept, self.phase not in CLOSED, self.severity, self.score, self.last_seen_s)


def row_of(body: Mapping[str, Any]) -> Row:
    """Read a row from a ThreatDetection; fields that are missing count as weakest."""
    metadata, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
    severity = str(spec.get("severity"))
    known = severity in {item.value for item in vocabulary.Severity}
    try:
        last_seen_s = clock.parse_rfc3339(str(spec.get("lastSeen")))
    except ValueError:
        last_seen_s = 0.0
    return Row(
        namespace=metadata.get("namespace", ""),
        name=metadata.get("name", ""),
        severity=vocabulary.Severity(severity).rank if known else 0,
        score=float(spec.get("score") or 0.0),
        last_seen_s=last_seen_s,
        phase=str(status.get("phase") or vocabulary.Phase.OPEN.value),
        verdict=str((spec.get("triage") or {}).get("verdict") or ""),
    )


class Ledger:
    """Rows by namespace and name.

    Parameters
    ----------
    cap
        Objects per namespace at most.
    """

    def __init__(self, *, cap: int) -> None:
        self._cap = cap
        self._rows: dict[str, dict[str, Row]] = {}
        self._lock = threading.Lock()

    def replace(self, rows: Iterable[Row]) -> None:
        """Take over what a list of all objects says."""
        fresh: dict[str, dict[str, Row]] = {}
        for row in rows:
            fresh.setdefault(row.namespace, {})[row.name] = row
        with self._lock:
            self._rows = fresh

    def put(self, row: Row) -> None:
        """Remember an object that was written."""
        with self._lock:
            self._rows.setdefault(row.namespace, {})[row.name] = row

    def forget(self, namespace: str, name: str) -> None:
        """Forget an object that is gone."""
        with self._lock:
            rows = self._rows.get(namespace, {})
            rows.pop(name, None)
            if not rows:
                self._rows.pop(namespace, None)

    def count(self, namespace: str) -> int:
        """How many objects stand in a namespace."""
        with self._lock:
            return len(self._rows.get(namespace, {}))

    def victim(self, row: Row) -> Row | None:
        """Return the object that must go before `row` is written.

        Returns
        -------
        None when there is room, `row` itself when everything there is worth more.
        """
        with self._lock:
            rows = self._rows.get(row.namespace, {})
            if row.name in rows or len(rows) < self._cap:
                return None
            return min([*rows.values(), row], key=lambda item: item.worth)
