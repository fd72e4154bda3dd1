"""Ages of ThreatDetections: open ones that nobody feeds expire, closed ones are deleted after their time.

Reads the list of our objects, decides purely (`chores`), then writes. Called now and then by the worker's housekeeping
thread, never per record; what fails now is tried again next time.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections.abc import Iterable

from riverwatch import clock, errors, vocabulary
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.outputs import ledger

_log = logging.getLogger(__name__)

PER_ROUND = 200
"""Objects changed in one round at most, so that a backlog does not flood the API server."""

ADOPTED_AGE_S = 600.0
"""Age in seconds from which an object found at start counts as announced; a younger one may have lost its Event."""


class Chore(enum.StrEnum):
    """What an object's age asks for."""

    EXPIRE = "expire"
    DELETE = "delete"


@dataclasses.dataclass(frozen=True)
class Ages:
    """Seconds after the last record at which things happen."""

    open_s: float
    closed_s: float


def chores(rows: Iterable[ledger.Row], *, ages: Ages, now_s: float) -> list[tuple[Chore, ledger.Row]]:
    """Decide what to do, the oldest first, at most `PER_ROUND`."""
    due: list[tuple[Chore, ledger.Row]] = []
    for row in sorted(rows, key=lambda item: item.last_seen_s):
        age_s = now_s - row.last_seen_s
        if row.phase in ledger.CLOSED and age_s > ages.closed_s:
            due.append((Chore.DELETE, row))
        elif row.phase == vocabulary.Phase.OPEN.value and age_s > ages.open_s:
            due.append((Chore.EXPIRE, row))
    return due[:PER_ROUND]


class Housekeeper:
    """Does the chores.

    Parameters
    ----------
    client
        API server.
    standing
        Is refreshed from the list.
    ages
        When to expire and delete.
    time
        Clock.
    """

    def __init__(self, client: kube_client.Client, standing: ledger.Ledger, *, ages: Ages, time: clock.Clock) -> None:
        self._client = client
        self._standing = standing
        self._ages = ages
        self._time = time

    def refresh(self) -> list[ledger.Row]:
        """Read all our objects into the ledger and return their rows.

        Raises
        ------
        ApiTemporaryError
            When the API server is away.
        """
        found = self._client.list(resources.THREAT_DETECTIONS, label_selector=ledger.SELECTOR)
        rows = [ledger.row_of(body) for body in found]
        self._standing.replace(rows)
        return rows

    def announced(self, rows: Iterable[ledger.Row]) -> list[str]:
        """Return the detection uids among rows that are old enough to have had their Event."""
        horizon_s = self._time.now_s() - ADOPTED_AGE_S
        return [row.name.removeprefix("rw-") for row in rows if row.last_seen_s < horizon_s]

    def tidy(self) -> int:
        """Expire and delete what is due; return how many objects changed."""
        done = 0
        for chore, row in chores(self.refresh(), ages=self._ages, now_s=self._time.now_s()):
            try:
                self._do(chore, row)
            except errors.PermanentError as error:
                _log.warning("chore refused", extra={"object": f"{row.namespace}/{row.name}", "cause": str(error)})
            else:
                done += 1
        return done

    def _do(self, chore: Chore, row: ledger.Row) -> None:
        kind = resources.THREAT_DETECTIONS
        if chore is Chore.DELETE:
            self._client.delete(kind, namespace=row.namespace, name=row.name)
            self._standing.forget(row.namespace, row.name)
            return
        status = {"status": {"phase": vocabulary.Phase.EXPIRED.value}}
        self._client.merge(kind, status, namespace=row.namespace, name=row.name, subresource="status")
        self._standing.put(dataclasses.replace(row, phase=vocabulary.Phase.EXPIRED.value))
