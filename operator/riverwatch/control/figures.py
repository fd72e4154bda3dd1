"""Copies the figures of the running parts into the metrics, at each scrape.

The hot path keeps plain numbers; nothing there knows Prometheus. Called by the /metrics probe only.
"""

from __future__ import annotations

from riverwatch import metrics
from riverwatch.control import policies, rules, statuses, triage
from riverwatch.runtime import context as contexts


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
        exported.worker_faults.inc(self._grown("faults", counts.faults))
        exported.worker_seconds.inc(self._grown("busy", counts.busy_s))
        exported.judge_lag_seconds.set(counts.lag_s)
        exported.queue_batches.set(worker.queue.depth)
        exported.queue_bytes.set(worker.queue.octets)
        exported.queue_age_seconds.set(worker.queue.age_s(self._context.time.now_s()))
        exported.pressure_step.set(worker.step)
        for output, depth in self._context.dispatcher.depths().items():
            exported.pending_deliveries.labels(output=output).set(depth)
        exported.pending_deliveries.labels(output="status").set(self._report.lane.depth)
        exported.invalid_policies.set(self._policies.broken())
        exported.invalid_rules.set(self._rules.broken())
        exported.ready.set(0 if any(self._context.readiness.checks().values()) else 1)
        return exported.exposition()

    def _grown(self, name: str, now: float) -> float:
        """Return by how much a number grew since the last scrape."""
        before = self._before.get(name, 0.0)
        # Read while the worker writes, a difference of two counts may go back for a moment.
        self._before[name] = max(before, now)
        return max(0.0, now - before)
