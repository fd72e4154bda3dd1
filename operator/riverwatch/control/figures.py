"""Copies the figures of the running parts into the metrics, at each scrape.

The hot path keeps plain numbers; nothing there knows Prometheus. Called by the /metrics probe only.
"""

from __future__ import annotations

from riverwatch import metrics
from riverwatch.control import (
    durable,
    figures_inside,
    heartbeat,
    policies,
    rules,
    statuses,
    stream_health,
    triage,
)
from riverwatch.runtime import context as contexts
from riverwatch.sources import base as sources_base


class Figures:
    """Knows where every figure is.

    Parameters
    ----------
    context
        Shared objects.
    exported
        The metrics.
    report
        The status lane.
    policy_keeper, rule_keeper
        Know what is invalid.
    """

    def __init__(
        self,
        context: contexts.Context,
        exported: metrics.Metrics,
        *,
        report: statuses.Statuses,
        policy_keeper: policies.PolicyKeeper,
        rule_keeper: rules.RuleKeeper,
    ) -> None:
        self._context = context
        self._exported = exported
        self._report = report
        self._policies = policy_keeper
        self._rules = rule_keeper
        self._before: dict[str, float] = {}
        self.desk: triage.TriageDesk | None = None
        """Knows what was kept quiet."""
        self.inside = figures_inside.Inside()
        """Knows what the pipeline holds."""
        self.durable: durable.Durable | None = None
        """Knows checkpoints and spool, where there is a state folder."""
        self.stream: tuple[heartbeat.Heartbeat, stream_health.StreamHealth] | None = None
        """Know how the stream is."""
        self._started_s = context.time.now_s()

    def exposition(self) -> bytes:
        """Bring the metrics up to date and return them as text."""
        worker, exported = self._context.worker, self._exported
        tally = worker.tally
        exported.records_read.inc(self._grown("read", tally.read))
        exported.records_used.inc(self._grown("used", tally.used))
        for reason, count in tally.skipped.items():
            exported.records_skipped.labels(reason=reason.value).inc(self._grown(f"skip {reason}", count))
        counts = worker.counts
        exported.detection_revisions.inc(self._grown("revisions", counts.detections))
        for why, count in self.desk.suppressed.items() if self.desk else ():
            exported.suppressed.labels(reason=why).inc(self._grown(f"suppressed {why}", count))
        exported.worker_faults.inc(self._grown("faults", tally.skipped.get(sources_base.SkipReason.FAULT, 0)))
        exported.worker_seconds.inc(self._grown("busy", counts.busy_s))
        spent = zip(metrics.STAGES, (counts.decode_s, counts.judge_s, counts.deliver_s), strict=True)
        for stage, seconds in spent:
            exported.stage_seconds.labels(stage=stage).inc(self._grown(f"stage {stage}", seconds))
        exported.judge_lag_seconds.set(counts.lag_s)
        exported.queue_batches.set(worker.queue.depth)
        exported.queue_bytes.set(worker.queue.octets)
        exported.quota_waiting_records.set(worker.fairness.waiting)
        exported.queue_fill_ratio.set(worker.queue.fill)
        exported.queue_age_seconds.set(worker.queue.age_s(self._context.time.now_s()))
        exported.pressure_step.set(worker.step)
        for output, depth in self._context.dispatcher.depths().items():
            exported.pending_deliveries.labels(output=output).set(depth)
        exported.pending_deliveries.labels(output="status").set(self._report.lane.depth)
        exported.invalid_policies.set(self._policies.broken())
        exported.invalid_rules.set(self._rules.broken())
        self.inside.update(exported, self._grown, dict(worker.watch.work_s))
        self._tell_stream()
        self._tell_durable()
        exported.ready.set(0 if any(self._context.readiness.checks().values()) else 1)
        return exported.exposition()

    def _tell_stream(self) -> None:
        exported, watch = self._exported, self._context.worker.watch
        exported.stream_lag_seconds.set(watch.lag_s)
        exported.stream_last_delivery_timestamp_seconds.set(watch.last_s)
        exported.senders.set(len(watch.senders))
        if self.stream is not None:
            beat, health = self.stream
            silent = heartbeat.silent_senders(health.seen().senders, self._context.time.now_s())
            exported.silent_senders.set(len(silent))
            for outcome, count in beat.counts.items():
                exported.heartbeats.labels(outcome=outcome.value).inc(self._grown(f"beat {outcome}", count))
            exported.heartbeat_round_trip_seconds.set(beat.round_trip_s)
            exported.stream_healthy.set(health.healthy())
            blind = health.blind_rules()
            for severity in metrics.SEVERITIES:
                exported.blind_rules.labels(severity=severity).set(blind[severity])

    def _tell_durable(self) -> None:
        if self.durable is None:
            return
        exported, counts = self._exported, self.durable.counts
        for result, count in zip(
            metrics.CHECKPOINT_RESULTS, (counts.written, counts.failed, counts.skipped), strict=True
        ):
            exported.checkpoints.labels(result=result).inc(self._grown(f"checkpoint {result}", count))
        since_s = counts.written_at_s or self._started_s
        exported.checkpoint_age_seconds.set(max(0.0, self._context.time.now_s() - since_s))
        exported.checkpoint_bytes.set(counts.stored_bytes)
        exported.checkpoint_pause_seconds.set(counts.pause_s)
        exported.spool_bytes.set(self.durable.spool_bytes)

    def _grown(self, name: str, now: float) -> float:
        """Return by how much a number grew since the last scrape."""
        before = self._before.get(name, 0.0)
        # Read while the worker writes, a difference of two counts may go back for a moment.
        self._before[name] = max(before, now)
        return max(0.0, now - before)
