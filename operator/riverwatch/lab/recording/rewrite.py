"""Turn what the API server recorded while a life was played fast into what it would have recorded in real time.

Audit lines and anchors in, audit lines in simulated time out, sorted as an API server writes them. Records of played
requests get their planned time, exactly; records of real controllers get the time of the played request that came
just before them. Invariant: nothing but times, lengths and the addresses of this machine is changed. Called by
`recorder`.

Changed: `requestReceivedTimestamp`, `stageTimestamp`, `sourceIPs`, the seconds that a watch asks for in `requestURI`
(played watches last one second, recorded ones as long as their client meant), and times inside recorded bodies that
lie in the real recording's hours. Not changed: uids, resource versions, credential ids, latencies (but of watches and
streams).
"""

from __future__ import annotations

import bisect
import collections
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from riverwatch.lab import world
from riverwatch.lab.company import system
from riverwatch.lab.recording import player

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""A time as Kubernetes writes it into objects."""

LOOPBACK = ("127.0.0.1", "::1")
"""Addresses of this machine, which stand behind the forwarded one."""

KEPT_LOOPBACK = "system:apiserver"
"""The one user whose requests come from the loopback address in every cluster."""

OLDEST_S = 90 * world.DAY_S
"""How long before the recording the company was founded at most, in seconds."""

Record = dict[str, Any]
"""A decoded audit record."""


class Line(msgspec.Struct, frozen=True):
    """One record in simulated time."""

    time_s: float
    """Simulated time of its stage, epoch seconds; lines are sorted by it."""
    audit_id: str
    username: str
    content: bytes
    """JSON, without a line end."""


class Timeline:
    """Maps real times to simulated ones.

    Parameters
    ----------
    points
        Real and simulated time of every played request, epoch seconds.
    start_s
        Simulated start.
    """

    def __init__(self, points: Iterable[tuple[float, float]], *, start_s: float) -> None:
        ordered = sorted(points)
        self.real = [real for real, _ in ordered]
        self.simulated: list[float] = []
        latest = start_s
        for _, simulated in ordered:
            latest = max(latest, simulated)
            self.simulated.append(latest)
        self._start_s = start_s

    def map(self, real_s: float) -> float:
        """Give the simulated time of a real one: that of the request before it, plus the time since, up to the next.

        Parameters
        ----------
        real_s
            Epoch seconds.
        """
        index = bisect.bisect_right(self.real, real_s) - 1
        if index < 0:
            return self._start_s
        time_s = self.simulated[index] + real_s - self.real[index]
        if index + 1 < len(self.simulated):
            time_s = min(time_s, self.simulated[index + 1])
        return time_s


class Rewriter:
    """Rewrites the records of one recording.

    Parameters
    ----------
    anchors
        What was played, by audit id.
    span
        Simulated start and end; what falls outside is dropped.
    dropped_users
        User names of the lab itself.
    dropped_ids
        Audit ids of its preparing and cleaning requests.
    """

    def __init__(
        self,
        anchors: Sequence[player.Anchor],
        *,
        span: tuple[float, float],
        dropped_users: frozenset[str],
        dropped_ids: frozenset[str],
    ) -> None:
        self.dropped: collections.Counter[str] = collections.Counter()
        self.created: dict[str, float] = {}
        self._anchors = {anchor.audit_id: anchor for anchor in anchors}
        self._span = span
        self._users = dropped_users
        self._ids = dropped_ids
        self._timeline = Timeline((), start_s=span[0])

    def rewrite(self, lines: Iterable[bytes]) -> list[Line]:
        """Rewrite all records.

        Parameters
        ----------
        lines
            As the API server wrote them.
        """
        records = [record for record in map(msgspec.json.decode, lines) if self._wanted(record)]
        self._timeline = Timeline(
            (
                (world.parse_rfc3339(record["requestReceivedTimestamp"]), self._anchors[record["auditID"]].time_s)
                for record in records
                if record["auditID"] in self._anchors
            ),
            start_s=self._span[0],
        )
        if not self._timeline.real:
            return []
        found = [line for record in records if (line := self._rewrite(record)) is not None]
        return sorted(found, key=lambda line: line.time_s)

    def object_times(self, value: Any, *, now_s: float) -> Any:
        """Rewrite the times inside an object.

        Parameters
        ----------
        value
            The object, or a part of it.
        now_s
            Simulated time for what is not known better, epoch seconds.
        """
        if isinstance(value, dict):
            uid = value.get("uid")
            return {
                key: self._time(key, part, uid, now_s)
                if isinstance(part, str)
                else self.object_times(part, now_s=now_s)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [self.object_times(part, now_s=now_s) for part in value]
        return value

    def _wanted(self, record: Record) -> bool:
        """Say whether a record is part of the story."""
        if record["user"].get("username") in self._users:
            self.dropped["the lab's own"] += 1
        elif record["auditID"] in self._ids:
            self.dropped["preparing or cleaning up after attacks"] += 1
        else:
            return True
        return False

    def _rewrite(self, record: Record) -> Line | None:
        """Rewrite one record; ``None`` when it falls outside."""
        real_received_s = world.parse_rfc3339(record["requestReceivedTimestamp"])
        real_stage_s = world.parse_rfc3339(record["stageTimestamp"])
        anchor = self._anchors.get(record["auditID"])
        if anchor is not None:
            received_s = anchor.time_s
            stage_s = received_s + real_stage_s - real_received_s
            if (
                anchor.watch_s
                and record["stage"] == "ResponseComplete"
                and record["responseStatus"].get("code", 0) < 400
            ):
                stage_s = received_s + anchor.watch_s
            record["requestURI"] = anchor.uri or record["requestURI"]
        else:
            received_s = self._timeline.map(real_received_s)
            stage_s = max(received_s + min(real_stage_s - real_received_s, 1.0), self._timeline.map(real_stage_s))
        if not (self._span[0] <= received_s and stage_s < self._span[1]):
            self.dropped["before the start or after the end"] += 1
            return None
        record["requestReceivedTimestamp"] = world.rfc3339(received_s)
        record["stageTimestamp"] = world.rfc3339(stage_s)
        record["sourceIPs"] = _addresses(record)
        self._learn(record, received_s)
        for part in ("requestObject", "responseObject"):
            if part in record:
                record[part] = self.object_times(record[part], now_s=received_s)
        return Line(stage_s, record["auditID"], record["user"].get("username", ""), msgspec.json.encode(record))

    def _learn(self, record: Record, time_s: float) -> None:
        """Remember when an object was created."""
        if record["verb"] == "create" and isinstance(answer := record.get("responseObject"), dict):
            uid = answer.get("metadata", {}).get("uid")
            if uid:
                self.created.setdefault(uid, time_s)

    def _time(self, key: str, text: str, uid: str | None, now_s: float) -> str:
        """Rewrite one text when it is a time of the real recording."""
        if len(text) > 30 or not TIME.fullmatch(text):
            return text
        real_s = world.parse_rfc3339(text)
        if (
            not self._timeline.real
            or not self._timeline.real[0] - world.DAY_S <= real_s <= self._timeline.real[-1] + 366 * world.DAY_S
        ):
            return text
        ahead_s = real_s - self._timeline.real[-1]
        time_s = now_s
        if key == "creationTimestamp" and uid:
            time_s = self.created.get(uid, self._founded(uid))
        elif ahead_s > 0:
            time_s = now_s + ahead_s
        precise = world.rfc3339(time_s)
        return precise if "." in text else precise[:19] + "Z"

    def _founded(self, uid: str) -> float:
        """Give an object from before the recording some earlier day."""
        share = int(uid.replace("-", "")[:8], 16) / 0xFFFFFFFF if _hexadecimal(uid) else 0.5
        return self._span[0] - share * OLDEST_S


def _hexadecimal(uid: str) -> bool:
    """Say whether a uid starts as uids do."""
    return re.match(r"[0-9a-f]{8}", uid.replace("-", "")) is not None


def _addresses(record: Mapping[str, Any]) -> list[str]:
    """Give the addresses of a record without those of this machine."""
    found = list(record.get("sourceIPs") or ())
    if record["user"].get("username") == KEPT_LOOPBACK:
        return found
    kept = [address for address in found if address not in LOOPBACK]
    return kept or [system.CONTROL_PLANE_IP]
