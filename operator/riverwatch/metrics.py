"""Every metric riverwatch exports: name, help text, and the closed set of values of each label.

The registry belongs to a `Metrics` object that is made once at start and handed down; nothing registers at import.
A label never holds a user, a pod, an address or anything else a sender can choose; namespaces that the models know are
told by name, the ten largest only. Known values exist from the start with 0, so that a rate is right from the first
scrape. Stage 0; the only module that imports
prometheus_client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import prometheus_client
from prometheus_client import registry

from riverwatch import vocabulary

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

STAGES = ("decode", "judge", "deliver")
"""What the worker spends its time on."""

SEVERITIES = tuple(one.value for one in vocabulary.Severity)
"""How bad something is if true."""

HEARTBEATS = ("returned", "missing", "unsent")
"""What became of a heartbeat; the values of `control.heartbeat.Outcome`."""

PHASES = ("WarmingUp", "Learning", "Active", "Degraded", "Frozen")
"""Where the models of a namespace stand; the values of `api.v1alpha1.words.ModelPhase`."""

CHECKPOINT_RESULTS = ("written", "failed", "skipped")
"""What became of a checkpoint that was due."""

TOP_NAMESPACES = 10
"""Namespaces told by name in `namespace_work_seconds` and `namespace_state_bytes`; the rest is one sum."""

OTHERS = "(others)"
"""Label of that sum; no namespace can have such a name."""

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
        self.quota_waiting_records = self._gauge(
            "quota_waiting_records", "Records over the quota of their namespace that wait behind all others."
        )
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
        self.pressure_step = self._gauge("pressure_step", "0: models and rules, 1: rules only, 2: refusing deliveries.")
        self.invalid_policies = self._gauge("invalid_policies", "Policies whose newest version cannot be used.")
        self.invalid_rules = self._gauge("invalid_rules", "DetectionRules whose newest version cannot be used.")
        prometheus_client.ProcessCollector(namespace=PREFIX, registry=self.registry)
        self.ready = self._gauge("ready", "1 when the operator is in service.")
        self._add_stream()
        self._add_inside()

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)

    def _add_stream(self) -> None:
        """Add what tells how the stream is."""
        self.stage_seconds = self._counter("stage_seconds", "Time the worker spent, by stage.", stage=STAGES)
        self.heartbeats = self._counter(
            "heartbeats", "Requests of the operator whose audit records are waited for, by outcome.", outcome=HEARTBEATS
        )
        self.heartbeat_round_trip_seconds = self._gauge(
            "heartbeat_round_trip_seconds", "Time from a heartbeat's request to its audit record, the last one."
        )
        self.stream_healthy = self._gauge("stream_healthy", "1: audit records arrive; 0: they do not; NaN: unknown.")
        self.stream_lag_seconds = self._gauge(
            "stream_lag_seconds", "Age of the newest record of the last delivery when it arrived."
        )
        self.stream_last_delivery_timestamp_seconds = self._gauge(
            "stream_last_delivery_timestamp_seconds", "Unix time of the last delivery's arrival; 0 before the first."
        )
        self.senders = self._gauge("senders", "API servers and files that deliver.")
        self.silent_senders = self._gauge("silent_senders", "Senders that stopped while others go on.")
        self.blind_rules = self._gauge(
            "blind_rules", "Rules that cannot fire with the records as they are, by severity.", severity=SEVERITIES
        )

    def _add_inside(self) -> None:
        """Add what tells what the operator holds and makes."""
        self.detections = self._counter("detections", "New detections, by severity.", severity=SEVERITIES)
        self.shed = self._counter("shed", "Weak candidates that did not fit the alert budget.")
        self.rule_faults = self._counter("rule_faults", "Times that a rule raised an error.")
        self.rules_disabled = self._gauge("rules_disabled", "Rules that are off because they kept raising errors.")
        self.namespaces = self._gauge("namespaces", "Namespaces with models, by phase.", phase=PHASES)
        self.identities = self._gauge("identities", "Identities that the models know.")
        self.drifted_namespaces = self._gauge("drifted_namespaces", "Namespaces in which more is new than usual.")
        self.namespace_work_seconds = self._by_namespace(
            "namespace_work_seconds", "Time spent on the records of a namespace since the start, from a sample"
        )
        self.namespace_state_bytes = self._by_namespace(
            "namespace_state_bytes", "Size of what was learned about a namespace, as a checkpoint stores it"
        )
        self.checkpoints = self._counter(
            "checkpoints", "Checkpoints that were due, by what became of them.", result=CHECKPOINT_RESULTS
        )
        self.checkpoint_age_seconds = self._gauge(
            "checkpoint_age_seconds", "Time since the last checkpoint, or the start; 0 without a state folder."
        )
        self.checkpoint_bytes = self._gauge("checkpoint_bytes", "Size of the last checkpoint.")
        self.checkpoint_pause_seconds = self._gauge(
            "checkpoint_pause_seconds", "Time for which the last checkpoint stopped the judging."
        )
        self.spool_bytes = self._gauge("spool_bytes", "Bytes of acknowledged deliveries on disk.")
        self.queue_fill_ratio = self._gauge("queue_fill_ratio", "How full the queue or spool is, 0 to 1.")

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

    def _by_namespace(self, name: str, text: str) -> prometheus_client.Gauge:
        """Make a gauge whose series are replaced as a whole by `tell_top`."""
        text = f"{text}; the {TOP_NAMESPACES} largest, and the sum of all others."
        gauge = prometheus_client.Gauge(f"{PREFIX}_{name}", text, ("namespace",), registry=self.registry)
        gauge.labels(namespace=OTHERS)
        return gauge

    def _histogram(self, name: str, text: str) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(f"{PREFIX}_{name}", text, registry=self.registry, buckets=SECONDS_BUCKETS)


def tell_top(gauge: prometheus_client.Gauge, values: Mapping[str, float]) -> None:
    """Show the largest values by namespace, and the sum of the others.

    Parameters
    ----------
    gauge
        One with the label ``namespace``; its earlier series go.
    values
        Namespace to value; the empty name, people and the control plane, is told as one of the others.
    """
    named = sorted((item for item in values.items() if item[0]), key=lambda item: (-item[1], item[0]))[:TOP_NAMESPACES]
    gauge.clear()
    for namespace, value in named:
        gauge.labels(namespace=namespace).set(value)
    gauge.labels(namespace=OTHERS).set(sum(values.values()) - sum(value for _, value in named))
