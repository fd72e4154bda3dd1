"""Every metric riverwatch exports: name, help text, and the closed set of values of each label.

The registry belongs to a `Metrics` object that is made once at start and handed down; nothing registers at import.
A label never holds a user, a pod, an address or anything else a sender can choose; known values exist from the
start with 0, so that a rate is right from the first scrape. Stage 0; the only module that imports
prometheus_client.
"""

from __future__ import annotations

from collections.abc import Iterable

import prometheus_client
from prometheus_client import registry

PREFIX = "riverwatch"
"""First word of every metric's name."""

SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds for durations in seconds: from one quiet batch to the API server's own patience of 30 s."""

RECEIVER_ANSWERS = ("200", "400", "401", "404", "405", "408", "413", "415", "429", "503", "other")
"""HTTP codes the audit receiver answers with."""

DELIVERY_OUTCOMES = ("delivered", "retried", "given_up", "dropped")
"""What became of an attempt to deliver; the values of `outputs.lane.Outcome`."""

REVIEW_RESULTS = ("taken", "dry_run", "no_room", "malformed")
"""What became of an admission review; it is allowed whatever it is."""

SUPPRESSED = ("exception", "triage")
"""What keeps findings quiet: an exception of a policy, or a person's verdict."""

RELOADS = ("done", "failed")
"""What became of changed certificate and token files."""


class Metrics:
    """All metrics of one process, in a registry of their own.

    Parameters
    ----------
    skip_reasons
        The values of `sources.base.SkipReason`, which label `records_skipped`.
    outputs
        Ids of the outputs, which label `deliveries`.

    Examples
    --------
    >>> metrics = Metrics(skip_reasons=("not_audit",))
    >>> metrics.records_read.inc(400)
    >>> "riverwatch_records_read_total 400.0" in metrics.exposition().decode()
    True
    """

    def __init__(self, *, skip_reasons: Iterable[str] = (), outputs: Iterable[str] = ()) -> None:
        outputs = tuple(outputs)
        # One more series per counter that nobody reads, and that looks like the counter to a prefix search.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry.CollectorRegistry(auto_describe=True)
        self.records_read = self._counter("records_read", "Candidate audit records seen.")
        self.records_used = self._counter("records_used", "Audit records judged.")
        self.records_skipped = self._counter(
            "records_skipped", "Audit records not used, by reason.", reason=tuple(skip_reasons)
        )
        self.queue_batches = self._gauge("queue_batches", "Deliveries that wait for the worker.")
        self.queue_bytes = self._gauge("queue_bytes", "Bytes of the deliveries that wait for the worker.")
        self.queue_age_seconds = self._gauge("queue_age_seconds", "Age of the oldest delivery that waits.")
        self.batch_seconds = self._histogram("batch_seconds", "Time the worker takes for one delivery.")
        self.receiver_answers = self._counter(
            "receiver_answers", "Requests the audit receiver answered, by HTTP code.", code=RECEIVER_ANSWERS
        )
        self.receiver_bytes = self._counter("receiver_bytes", "Bytes of audit batches accepted, uncompressed.")
        self.receiver_seconds = self._histogram("receiver_seconds", "Time from a request's head to its answer.")
        self.receiver_reloads = self._counter(
            "receiver_reloads", "Changes of the receiver's certificate, CA and token files.", result=RELOADS
        )
        self.admission_reviews = self._counter(
            "admission_reviews", "Admission reviews received, by what became of them.", result=REVIEW_RESULTS
        )
        self.tail_lag_bytes = self._gauge("tail_lag_bytes", "Bytes of the followed audit log not delivered yet.")
        self.tail_rotations = self._counter("tail_rotations", "Rotations and truncations of the followed audit log.")

        self.deliveries = prometheus_client.Counter(
            f"{PREFIX}_deliveries",
            "Deliveries of detections and statuses, by output and outcome.",
            ("output", "outcome"),
            registry=self.registry,
        )
        for output in (*outputs, "status"):
            for outcome in DELIVERY_OUTCOMES:
                self.deliveries.labels(output=output, outcome=outcome)
        self.pending_deliveries = self._gauge(
            "pending_deliveries", "Detections that wait for an output.", output=(*outputs, "status")
        )
        self.detection_revisions = self._counter("detection_revisions", "Detections raised or grown, each change once.")
        self.suppressed = self._counter(
            "suppressed", "Rule hits and novelties that were kept quiet, by reason.", reason=SUPPRESSED
        )
        self.worker_faults = self._counter("worker_faults", "Records on which judging failed; they are lost.")
        self.worker_seconds = self._counter("worker_seconds", "Time the worker spent on deliveries.")
        self.judge_lag_seconds = self._gauge(
            "judge_lag_seconds", "Time from arrival to judgement of the last delivery."
        )
        self.pressure_step = self._gauge("pressure_step", "0: at ease, 1: the queue fills, 2: refusing deliveries.")
        self.invalid_policies = self._gauge("invalid_policies", "Policies whose newest version cannot be used.")
        self.invalid_rules = self._gauge("invalid_rules", "DetectionRules whose newest version cannot be used.")
        self.ready = self._gauge("ready", "1 when the operator is in service.")

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)

    def _counter(self, name: str, text: str, **labels: tuple[str, ...]) -> prometheus_client.Counter:
        counter = prometheus_client.Counter(f"{PREFIX}_{name}", text, tuple(labels), registry=self.registry)
        for label, values in labels.items():
            for value in values:
                counter.labels(**{label: value})
        return counter

    def _gauge(self, name: str, text: str, **labels: tuple[str, ...]) -> prometheus_client.Gauge:
        gauge = prometheus_client.Gauge(f"{PREFIX}_{name}", text, tuple(labels), registry=self.registry)
        for label, values in labels.items():
            for value in values:
                gauge.labels(**{label: value})
        return gauge

    def _histogram(self, name: str, text: str) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(f"{PREFIX}_{name}", text, registry=self.registry, buckets=SECONDS_BUCKETS)
