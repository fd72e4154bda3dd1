"""Conditions `AuditStreamHealthy` and `CoverageComplete`: judged at intervals, kept for the status, told as Events.

They stand on the DetectionModel of the operator's namespace, which `models.ModelReporter` writes. A change of a
condition's status or reason is also a Kubernetes Event there, retried until the API server takes it. All on the
control thread, but for copies that the worker makes of its figures.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable
from typing import Any

from riverwatch import clock, errors, models
from riverwatch.api.v1alpha1 import conditions, words
from riverwatch.control import heartbeat, stream_peers
from riverwatch.kube import client as kube_client
from riverwatch.kube import resources
from riverwatch.rules import rule
from riverwatch.runtime import coverage, pipeline, stream_watch

_log = logging.getLogger(__name__)

TICK_S = 5.0
"""Seconds between two judgements."""

COVERAGE_S = 300.0
"""Seconds between two coverage reports; the first comes as soon as there is enough to look at."""

MAX_TOLD = 5
"""Rules named in a message."""

MAX_PENDING = 20
"""Events that wait for the API server; older ones are dropped, the status tells the newest state anyway."""

_STATUS = {
    heartbeat.Health.RETURNED: words.ConditionStatus.TRUE,
    heartbeat.Health.WAITING: words.ConditionStatus.UNKNOWN,
    heartbeat.Health.API_SERVER_AWAY: words.ConditionStatus.UNKNOWN,
    heartbeat.Health.NOT_RECORDED: words.ConditionStatus.UNKNOWN,
    heartbeat.Health.DIVIDED: words.ConditionStatus.UNKNOWN,
}
"""Status for each reason; False for all others."""

Change = Callable[[Callable[[pipeline.Pipeline], None]], None]
"""Runs something with the pipeline on the worker's thread."""


class StreamHealth:
    """Owns both conditions.

    Parameters
    ----------
    client
        API server.
    watch
        The worker's figures.
    change
        Runs something on the worker's thread.
    beat
        The heartbeat; its `hear` must be connected to `watch`.
    namespace, object_name
        Where the conditions stand.
    every_s
        Seconds between two heartbeats.
    time
        Clock.
    """

    def __init__(  # noqa: PLR0913 - what it joins
        self,
        client: kube_client.Client,
        watch: stream_watch.StreamWatch,
        change: Change,
        beat: heartbeat.Heartbeat,
        *,
        namespace: str,
        object_name: str,
        every_s: float,
        time: clock.Clock,
    ) -> None:
        self._client = client
        self._watch = watch
        self._change = change
        self._beat = beat
        self._namespace = namespace
        self._object_name = object_name
        self._every_s = every_s
        self.changed: Callable[[], object] = lambda: None
        """Called when a condition has another status or reason."""
        self.leads: Callable[[], bool] = lambda: True
        """Whether this replica writes the Events."""
        self.further: list[Callable[[], conditions.Observation]] = []
        """Conditions that others judge, told and shown with ours."""
        self._time = time
        self._next_beat_s = self._next_coverage_s = float("-inf")
        self._copied: tuple[coverage.Coverage, tuple[rule.Rule, ...]] | None = None
        self._known: dict[str, conditions.Observation] = {}
        self._troubled: set[str] = set()
        """Conditions whose trouble was told and whose end was not."""
        self._pending: collections.deque[dict[str, Any]] = collections.deque(maxlen=MAX_PENDING)
        self.report: coverage.Report | None = None
        """The last coverage report."""
        self._peers: stream_peers.Peers | None = None

    def share(self, peers: stream_peers.Peers) -> None:
        """Judge what all replicas see together from now on."""
        self._peers = peers
        self._beat.shares = True

    def seen(self) -> heartbeat.Seen:
        """Return what is seen of the stream, by all replicas that tell each other."""
        return self._peers.together(self._alone()) if self._peers is not None else self._alone()

    def _alone(self) -> heartbeat.Seen:
        senders = {where: (one.last_s, one.deliveries) for where, one in dict(self._watch.senders).items()}
        return heartbeat.Seen(lag_s=self._watch.lag_s, last_s=self._watch.last_s, senders=senders)

    def observations(self) -> tuple[conditions.Observation, ...]:
        """Return the conditions as they stand."""
        return tuple(self._known.values())

    def healthy(self) -> float:
        """Return 1 when the stream is healthy, 0 when it is not, NaN while nobody knows; a metric."""
        seen = self._known.get(conditions.AUDIT_STREAM_HEALTHY)
        if seen is None or seen.status is words.ConditionStatus.UNKNOWN:
            return float("nan")
        return float(seen.status is words.ConditionStatus.TRUE)

    def blind_rules(self) -> collections.Counter[str]:
        """Return how many rules cannot fire, by severity; a metric."""
        known = self.report.blind if self.report and self.report.enough else ()
        return collections.Counter(one.severity for one in known)

    def run(self) -> None:
        """Beat, judge, tell; a chore of the steward."""
        now_s = self._time.monotonic_s()
        if now_s >= self._next_beat_s:
            self._next_beat_s = now_s + self._every_s
            self._beat.send()
        if self._peers is not None:
            self._peers.exchange(self._alone(), self._beat.foreign())
            self._beat.returned(self._peers.heard())
        health, why = self._beat.judge(self.seen())
        status = _STATUS.get(health, words.ConditionStatus.FALSE)
        self._set(conditions.Observation(conditions.AUDIT_STREAM_HEALTHY, status, health.value, why))
        self._look_at_coverage(now_s)
        for look in self.further:
            self._set(look())
        self._tell()

    def _look_at_coverage(self, now_s: float) -> None:
        copied, self._copied = self._copied, None
        if copied is not None:
            seen, rules = copied
            self.report = seen.report(rules, models.CARDS)
            self._set(observe(self.report))
            if self.report.enough:
                self._next_coverage_s = now_s + COVERAGE_S
        elif now_s >= self._next_coverage_s:
            self._next_coverage_s = now_s + TICK_S
            self._change(self._copy)

    def _copy(self, source: pipeline.Pipeline) -> None:
        self._copied = (self._watch.coverage.copy(), source.rules.rules)

    def _set(self, observation: conditions.Observation) -> None:
        before = self._known.get(observation.type)
        self._known[observation.type] = observation
        if before is not None and (before.status, before.reason) == (observation.status, observation.reason):
            return
        _log.info("condition changed", extra={"kind": observation.type, "reason": observation.reason})
        self.changed()
        bad = observation.status is words.ConditionStatus.FALSE
        # Neither a start nor a moment of not knowing is news: only trouble, and its end.
        if bad or (observation.type in self._troubled and observation.status is words.ConditionStatus.TRUE):
            self._pending.append(self._event(observation))
            (self._troubled.add if bad else self._troubled.discard)(observation.type)

    def _tell(self) -> None:
        if not self.leads():
            self._pending.clear()
        while self._pending:
            try:
                self._client.create(resources.K8S_EVENTS, self._pending[0])
            except errors.TemporaryError:
                return
            except errors.PermanentError as error:
                _log.warning("an Event was refused", extra={"cause": str(error)})
            self._pending.popleft()

    def _event(self, observation: conditions.Observation) -> dict[str, Any]:
        now_s = self._time.now_s()
        now = clock.rfc3339(now_s)
        bad = observation.status is words.ConditionStatus.FALSE
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{self._object_name}.{observation.type.lower()}.{int(now_s * 1000):x}",
                "namespace": self._namespace,
                "labels": {"app.kubernetes.io/managed-by": "riverwatch"},
            },
            "type": "Warning" if bad else "Normal",
            "reason": observation.reason,
            "action": "Watch",
            "message": f"{observation.type} is {observation.status.value}: {observation.message}"[:1024],
            "involvedObject": {
                "apiVersion": resources.MODELS.api_version,
                "kind": resources.MODELS.kind,
                "namespace": self._namespace,
                "name": self._object_name,
            },
            "source": {"component": "riverwatch"},
            "reportingComponent": f"{resources.GROUP}/riverwatch",
            "reportingInstance": "riverwatch",
            "firstTimestamp": now[:19] + "Z",
            "lastTimestamp": now[:19] + "Z",
            "eventTime": now,
            "count": 1,
        }


def observe(report: coverage.Report) -> conditions.Observation:
    """Say in a condition whether the stream shows what rules and models need."""
    if not report.enough:
        text = f"{report.looked_at} records looked at, {coverage.ENOUGH} are needed"
        return conditions.Observation(conditions.COVERAGE_COMPLETE, words.ConditionStatus.UNKNOWN, "TooFew", text)
    parts = []
    if report.blind:
        names = ", ".join(one.rule for one in report.blind[:MAX_TOLD])
        more = f" and {len(report.blind) - MAX_TOLD} more" if len(report.blind) > MAX_TOLD else ""
        counted = "1 rule" if len(report.blind) == 1 else f"{len(report.blind)} rules"
        parts.append(f"{counted} cannot fire: {names}{more}")
    parts += [f"the model {one.model} misses {', '.join(one.missing)}" for one in report.models]
    parts += report.notes
    if not report.gaps and not report.models:
        status, reason = words.ConditionStatus.TRUE, "MinorGaps" if report.blind else "EverythingSeen"
    else:
        status = words.ConditionStatus.FALSE
        reason = "RulesBlind" if report.gaps else "FieldsMissing"
    text = "; ".join(parts) or "no rule and no model is blind"
    return conditions.Observation(conditions.COVERAGE_COMPLETE, status, reason, text)
