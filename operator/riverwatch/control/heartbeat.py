"""The heartbeat: a harmless request of ours whose audit record must come back through the real path.

Out: a SelfSubjectReview, which everybody may create, stores nothing, and carries an id that nobody can guess in its
name; audit logs and admission reviews both tell the name. Back: the worker hands over the records that bear the
operator's name. One that another replica heard is as good: `stream_peers` tells of it. `send`, `returned` and `judge`
run on the control thread, `hear` on the worker's.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence

from riverwatch import clock, errors
from riverwatch.activity import normalise, record
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources

PREFIX = "riverwatch-heartbeat-"
"""Beginning of the name; the id of the process and one of the heartbeat follow, both random."""

MAX_WAITING = 64
"""Heartbeats waited for at most; older ones are given up."""

LAG_MAX_S = 300.0
"""Lag from which detections come too late to matter, in seconds."""

SILENT_S = 600.0
"""Seconds without a delivery after which a sender is silent, when others go on; an idle API server still sends the
records of its own controllers every few seconds."""

UNPROVEN_SILENT_S = 1_800.0
"""The same for the whole stream where the operator's own requests are not recorded: Data Firehose gathers up to 15
minutes."""

GONE_S = 7_200.0
"""Seconds after which a silent sender is taken for removed, such as a control-plane node that was replaced."""

KNOWN_DELIVERIES = 10
"""Deliveries that make a sender one that is missed."""

DIVIDED_TIMES = 2.0
"""Times the patience for which another replica's heartbeat proves that there is one."""


class Outcome(enum.StrEnum):
    """What became of a heartbeat; the labels of a metric."""

    RETURNED = "returned"
    MISSING = "missing"
    UNSENT = "unsent"


class Health(enum.StrEnum):
    """How the stream is: the reasons of the condition `AuditStreamHealthy`."""

    RETURNED = "HeartbeatReturned"
    WAITING = "Waiting"
    API_SERVER_AWAY = "ApiServerAway"
    DIVIDED = "ReplicasDoNotShare"
    NOT_RECORDED = "HeartbeatNotRecorded"
    MISSING = "HeartbeatMissing"
    SILENT = "StreamSilent"
    LAGGING = "StreamLagging"
    REPLICA_SILENT = "ReplicaSilent"


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the judgement is made of, besides the heartbeats."""

    lag_s: float
    last_s: float
    """Wall time of the last delivery, 0 before the first."""
    senders: Mapping[str, tuple[float, int]]
    """Sender -> wall time of its last delivery, and how many it sent."""


class Heartbeat:
    """Sends, hears, judges.

    Parameters
    ----------
    client
        API server.
    time
        Clock.
    patience_s
        Seconds in which a record must come back.
    """

    def __init__(self, client: kube_client.Client, *, time: clock.Clock, patience_s: float) -> None:
        self._client = client
        self._time = time
        self._patience_s = patience_s
        self._prefix = f"{PREFIX}{secrets.token_hex(4)}-"
        self._began_s = time.now_s()
        self._lock = threading.Lock()
        self._foreign: collections.deque[str] = collections.deque(maxlen=MAX_WAITING)
        self._foreign_s = float("-inf")
        """When another replica's heartbeat was last heard."""
        self.shares = False
        """Whether replicas tell each other of what they hear."""
        self._waiting: dict[str, float] = {}
        self._returned_sent_s = float("-inf")
        """When the newest heartbeat that came back was sent."""
        self._missing = False
        """Whether the newest heartbeat that is due did not come back."""
        self._away = ""
        self.counts = dict.fromkeys(Outcome, 0)
        self.round_trip_s = 0.0
        """Seconds that the last one took."""

    def send(self) -> None:
        """Send one; an API server that is away is remembered."""
        name = self._prefix + secrets.token_hex(8)
        kind = resources.SELF_SUBJECT_REVIEWS
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
        with self._lock:
            while len(self._waiting) >= MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[name] = self._time.now_s()
        try:
            self._client.call("POST", kind.path(), body=body)
        except (errors.TemporaryError, errors.PermanentError) as error:
            with self._lock:
                self._waiting.pop(name, None)
            self.counts[Outcome.UNSENT] += 1
            self._away = str(error)
        else:
            self._away = ""

    def hear(self, records: Sequence[record.AuditRecord]) -> None:
        """Find heartbeats among the records that bear the operator's name."""
        for one in records:
            name = (one.object_ref.name or "") if one.object_ref else ""
            if name.startswith(self._prefix):
                self.returned([name])
            elif name.startswith(PREFIX) and self._is_young(one):
                with self._lock:
                    self._foreign.append(name)
                    self._foreign_s = self._time.now_s()

    def returned(self, names: Iterable[str]) -> None:
        """Take heartbeats that were heard, here or by another replica; those that are not waited for say nothing."""
        for name in names:
            with self._lock:
                sent_s = self._waiting.pop(name, None)
                if sent_s is not None:
                    self.counts[Outcome.RETURNED] += 1
                    self.round_trip_s = max(0.0, self._time.now_s() - sent_s)
                    self._returned_sent_s = max(self._returned_sent_s, sent_s)
                    self._missing = False

    def foreign(self) -> list[str]:
        """Return other replicas' heartbeats that were heard here, the last ones."""
        with self._lock:
            return list(self._foreign)

    def _is_young(self, one: record.AuditRecord) -> bool:
        """Whether a record is from this run, and no heartbeat of an earlier one that waited in the spool."""
        with contextlib.suppress(ValueError, OverflowError):
            return normalise.parse_time(one.request_received_timestamp or "") > self._began_s
        return False

    def judge(self, seen: Seen) -> tuple[Health, str]:
        """Say how the stream is, and why, for people."""
        now_s = self._time.now_s()
        self._give_up(now_s)
        returned = self.counts[Outcome.RETURNED]
        # Where heartbeats never came back, a pause is no proof: a cloud may gather records for a quarter of an hour.
        pause_s = self._patience_s if returned or not seen.last_s else max(self._patience_s, UNPROVEN_SILENT_S)
        flows = now_s - seen.last_s < pause_s
        if self._away:
            return Health.API_SERVER_AWAY, f"no heartbeat could be sent: {self._away}"
        divided = not self.shares and now_s - self._foreign_s < DIVIDED_TIMES * self._patience_s
        if self._missing and divided:
            return Health.DIVIDED, (
                "another replica's heartbeats arrive here, and ours perhaps there; with leader election switched on, "
                "replicas tell each other"
            )
        if self._missing and not flows:
            ago = f"none for {now_s - seen.last_s:.0f} s" if seen.last_s else "none has ever arrived"
            return Health.SILENT, (
                f"no audit records arrive ({ago}); look for 'audit plugin' in the API server's log, "
                "and check the webhook's address, CA and token"
            )
        if self._missing and not returned:
            return Health.NOT_RECORDED, (
                "records arrive, but none of the operator's own requests; the audit policy or the provider leaves "
                "them out, so that a loss of records cannot be noticed"
            )
        if self._missing:
            return Health.MISSING, f"records arrive, but a heartbeat did not come back within {self._patience_s:g} s"
        if seen.lag_s > LAG_MAX_S and flows:
            return Health.LAGGING, f"records arrive {seen.lag_s:.0f} s after they were made"
        silent = [] if divided else silent_senders(seen.senders, now_s)
        if silent:
            return Health.REPLICA_SILENT, f"others go on, but nothing comes from {', '.join(silent)[:500]}"
        if returned:
            return Health.RETURNED, "heartbeats come back"
        return Health.WAITING, "the first heartbeat is on its way"

    def _give_up(self, now_s: float) -> None:
        with self._lock:
            late = [name for name, sent_s in self._waiting.items() if now_s - sent_s > self._patience_s]
            for name in late:
                # One that was lost in an outage says nothing once a younger one came back.
                self._missing |= self._waiting.pop(name) > self._returned_sent_s
            self.counts[Outcome.MISSING] += len(late)


def silent_senders(senders: Mapping[str, tuple[float, int]], now_s: float) -> list[str]:
    """Name the senders that stopped while others go on.

    Examples
    --------
    >>> silent_senders({"a": (1000.0, 50), "b": (2000.0, 50)}, 2000.0)
    ['a']
    """
    quiet_s = {name: now_s - last_s for name, (last_s, count) in senders.items() if count >= KNOWN_DELIVERIES}
    if not any(one < SILENT_S for one in quiet_s.values()):
        return []
    return sorted(name for name, one in quiet_s.items() if SILENT_S <= one < GONE_S)
