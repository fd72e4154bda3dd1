"""Puts the running operator together and takes it down again; the wiring, on one page.

::

    sources -> worker.offer -> [worker thread: pipeline] -> dispatcher -> lanes -> API server
    kopf watches, lists -> followers -> worker.change, status lane

Order of the start: lanes, worker, receivers, then the steward, who waits for the API server. Order of the stop:
receivers first, so that nothing new comes, then the worker drains its queue, then the lanes theirs. Called by
`cli.run`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence

from riverwatch import clock, errors, metrics, outputs, settings
from riverwatch.control import (
    durable,
    figures,
    figures_inside,
    inventory,
    ladder,
    last_good,
    model_wishes,
    models,
    policies,
    probes,
    receivers,
    rules,
    statuses,
    steward,
    stream_health,
    stream_parts,
    triage,
    watched,
)
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection as connections
from riverwatch.outputs import (
    base,
    dispatch,
    housekeeping,
    json_lines,
    k8s_event,
    lane,
    ledger,
    pending,
    references,
    threat_detection,
)
from riverwatch.rules import engine
from riverwatch.rules import rule as rule_types
from riverwatch.runtime import context as contexts
from riverwatch.runtime import fairness, history, leader, pipeline, worker, worker_queue
from riverwatch.sources import audit_file, audit_webhook, host
from riverwatch.sources import base as sources_base

_log = logging.getLogger(__name__)

TIDY_S = 600.0
"""Seconds between two rounds of expiring and deleting detections."""

TRIAGE_S = 10.0
"""Seconds between two looks at what verdicts and exceptions keep quiet."""

HOLD_S = 60.0
"""Seconds for which judging waits at the start until policies, rules and inventory were read; an API server that is
away for longer must not stop it."""

RESYNC_S = 900.0
"""Seconds between two full lists of everything followed."""


class Operator:
    """One running operator.

    Parameters
    ----------
    chosen
        Settings.
    time
        Clock.

    Raises
    ------
    BadInputError
        When a setting, a certificate or the kubeconfig cannot be used.
    """

    def __init__(self, chosen: settings.Settings, *, time: clock.Clock | None = None) -> None:
        self._settings = chosen
        self._time = time or clock.SystemClock()
        self.metrics = metrics.Metrics(
            skip_reasons=[reason.value for reason in sources_base.SkipReason],
            outputs=[card.id for card in outputs.CARDS],
        )
        connection = connections.discover(chosen.kubeconfig)
        client = kube_client.Client(connection, timeout_s=chosen.request_timeout_s)
        standing = ledger.Ledger(cap=chosen.detections_per_namespace)
        known = references.References()
        writer = threat_detection.ThreatDetectionOutput(
            client,
            known,
            standing,
            operator_namespace=chosen.namespace,
            max_bytes=chosen.detection_bytes,
        )
        announcer = k8s_event.K8sEventOutput(
            client,
            known,
            operator_namespace=chosen.namespace,
            instance=leader.instance(),
            time=self._time,
        )
        dispatcher = self._dispatcher([writer, announcer])
        self._report = statuses.Statuses(client, time=self._time, report=self._count_status)
        rule_engine = engine.RuleEngine(engine.load_catalog())
        memory = self._memory = pipeline.Pipeline(rules=rule_engine)
        self._learns_history = False
        self._durable = self._opened(memory)
        self.context = contexts.Context(
            settings=chosen,
            time=self._time,
            connection=connection,
            client=client,
            worker=self._worker(memory, dispatcher),
            dispatcher=dispatcher,
            housekeeper=housekeeping.Housekeeper(
                client,
                standing,
                ages=housekeeping.Ages(open_s=chosen.open_ttl_s, closed_s=chosen.closed_ttl_s),
                time=self._time,
            ),
            announcer=announcer,
            readiness=contexts.Readiness(),
        )
        self._ladder = ladder.install(memory, self.context.worker, rules_only=chosen.rules_only)
        self._leader = (
            leader.Leader(client, namespace=chosen.namespace, me=leader.instance(), time=self._time)
            if chosen.leader_election
            else None
        )
        built_in = frozenset(card.id for card in rule_engine.cards)
        kept = last_good.LastGood(chosen.state_dir)
        self._policies = policies.PolicyKeeper(self._report, self._policies_changed, time=self._time, memory=kept)
        self._rules = rules.RuleKeeper(self._report, self._rules_changed, built_in=built_in, memory=kept)
        self._desk = triage.TriageDesk(self._report, self._told)
        self._policies_changed()
        self._wishes = model_wishes.ModelWishes(self.context.worker.change_once, operator_namespace=chosen.namespace)
        self._steward = steward.Steward(self.context, self._followers(), chores=self._chores())
        self._receiving = self._sources()
        self._receivers = host.SourceHost(self._receiving)
        self._remember()
        self._figures = figures.Figures(
            self.context, self.metrics, report=self._report, policy_keeper=self._policies, rule_keeper=self._rules
        )
        self._figures.desk, self._figures.durable = self._desk, self._durable
        self._figures.stream = (self._beat, self._stream)
        self.context.worker.add_duty(worker.Duty(figures_inside.EVERY_S, lambda: self._figures.inside.collect(memory)))
        self._probes = probes.Probes(
            chosen.probe_host,
            chosen.probe_port,
            health=self.health,
            readiness=self.context.readiness.checks,
            metrics=lambda: (self._figures.exposition(), "text/plain; version=0.0.4; charset=utf-8"),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises
        ------
        BadInputError
            When a port is taken.
        """
        self.context.readiness.wait_for("receivers", "starting")
        await self._probes.start()
        if self._settings.history:
            await self._learn_history(stop)
        self.context.dispatcher.start()
        self._report.lane.start()
        self.context.worker.hold(within_s=HOLD_S)
        self.context.worker.start()
        try:
            await asyncio.to_thread(self._receivers.start)
            self.context.readiness.done("receivers")
            self._steward.start()
            self._announce()
            await stop.wait()
        finally:
            _log.info("stopping")
            self.context.readiness.wait_for("receivers", "stopping")
            await asyncio.to_thread(self._take_down)
            await self._probes.stop()
            _log.info("stopped")

    async def _learn_history(self, stop: asyncio.Event) -> None:
        """Learn audit logs of the past, when nothing was learned before; until `stop` is set.

        Raises
        ------
        BadInputError
            When a file is missing or holds no audit record.
        """
        self.context.readiness.wait_for("history", "learning from audit logs of the past")
        tally = sources_base.Tally()
        batches = audit_file.read_paths([str(path) for path in self._settings.history], tally=tally)
        going_on = itertools.takewhile(lambda _: not stop.is_set(), batches)
        self._learns_history = True
        try:
            learned = await asyncio.to_thread(history.learn, going_on, self._memory, tally=tally)
        except errors.BadInputError:
            await self._probes.stop()
            raise
        finally:
            self._learns_history = False
        if learned:
            _log.info("history learned", extra={"count": tally.used, "reason": tally.summary()})
        else:
            _log.info("history is not read again: what was learned before is in force")
        self.context.readiness.done("history")

    def health(self) -> Mapping[str, str]:
        """Say which threads have ended that must not; while history is learned there are none yet."""
        if self._learns_history:
            return {}
        parts = {"worker": self.context.worker.alive, "receivers": self._receivers.alive}
        return {name: "" if alive else "its thread has ended" for name, alive in parts.items()}

    def _take_down(self) -> None:
        """Stop everything in the order of the flow."""
        deadline_s = self._time.monotonic_s() + self._settings.stop_s

        def left_s() -> float:
            return max(0.5, deadline_s - self._time.monotonic_s())

        self._receivers.stop()
        self._steward.stop(within_s=min(5.0, left_s()))
        if self._leader is not None:
            self._leader.resign()
        if not self.context.worker.stop(within_s=left_s()):
            _log.error("the worker did not finish its queue", extra={"left": self.context.worker.queue.depth})
        if self._durable is not None and not self._durable.close(within_s=left_s()):
            _log.error("the last checkpoint was not written in time")
        lost = self.context.dispatcher.stop(within_s=left_s()) + self._report.lane.stop(within_s=min(3.0, left_s()))
        if lost:
            told = "are made after the next start" if self._durable else "could not be made any more"
            _log.warning("some deliveries %s", told, extra={"left": lost})
        self.context.client.close()

    def _announce(self) -> None:
        """Log the addresses, which a caller that chose port 0 needs."""
        for source in self._receiving:
            if isinstance(source, audit_webhook.AuditWebhook):
                _log.info("audit receiver listens", extra={"address": source.url})
        address = f"http://{self._settings.probe_host}:{self._probes.port}"
        _log.info("probes listen", extra={"address": address})

    def _opened(self, memory: pipeline.Pipeline) -> durable.Durable | None:
        """Open the state folder, if there is one, and take over what it holds."""
        chosen = self._settings
        if chosen.state_dir is None:
            _log.warning("no state folder: what is learned ends with the process")
            return None
        return durable.Durable(
            chosen.state_dir,
            checkpoints=chosen.checkpoints,
            every_s=chosen.checkpoint_s,
            memory=memory,
            time=self._time,
        )

    def _remember(self) -> None:
        """Connect checkpoints to worker and outputs, and hand over again what an earlier run could not deliver."""
        if self._durable is None:
            return
        fair = self.context.worker.fairness
        self._durable.follow(unfinished=self.context.dispatcher.waiting, behind=fair.dump)
        fair.load(self._durable.recovery.waiting)
        self.context.worker.add_duty(self._durable.duty())
        self.context.dispatcher.submit(self._durable.recovery.unfinished)

    def _dispatcher(self, api_outputs: Sequence[base.Output]) -> dispatch.Dispatcher:
        chosen = self._settings
        every: list[base.Output] = list(api_outputs)
        if chosen.json_lines is not None:
            every.append(json_lines.JsonLinesOutput(chosen.json_lines, operator_namespace=chosen.namespace))
        return dispatch.Dispatcher(
            every,
            capacity=chosen.pending_max,
            bucket=pending.TokenBucket(rate_per_s=chosen.writes_per_s, burst=chosen.writes_burst),
            count=lambda output, outcome: self.metrics.deliveries.labels(output=output, outcome=outcome).inc(),
            time=self._time,
        )

    def _count_status(self, outcome: lane.Outcome) -> None:
        self.metrics.deliveries.labels(output="status", outcome=outcome.value).inc()

    def _sources(self) -> tuple[sources_base.Source, ...]:
        return receivers.build(
            self._settings,
            self.context.worker.offer,
            client=self.context.client,
            tail_position=self._durable.tail_position() if self._durable and self._settings.audit_log else None,
            counters=self.metrics,
            time=self._time,
        )

    def _worker(self, memory: pipeline.Pipeline, dispatcher: dispatch.Dispatcher) -> worker.Worker[pipeline.Pipeline]:
        chosen = self._settings
        bounds = worker_queue.Bounds(batches=chosen.queue_batches, octets=chosen.queue_bytes)
        return worker.Worker(
            memory,
            figures_inside.Raised(self.metrics, dispatcher.submit),
            queue=self._durable.queue if self._durable else worker_queue.WorkQueue[pipeline.Pipeline](bounds),
            time=self._time,
            observe=self.metrics.batch_seconds.observe,
            quota=fairness.Quota(chosen.namespace_records_per_s, chosen.namespace_burst),
        )

    def _followers(self) -> list[watched.Follower]:
        change = self.context.worker.change

        def inventory_changed(kind: str, body: Mapping[str, object] | None, key: watched.Key) -> None:
            if body is None:
                change(lambda one: one.inventory.remove(kind, *key))
            else:
                change(lambda one: one.inventory.upsert(kind, body))

        return [
            self._policies,
            self._rules,
            inventory.InventoryFeed(inventory_changed),
            self._desk,
            self._wishes,
        ]

    def _chores(self) -> list[steward.Chore]:
        self._beat, self._stream = stream_parts.build(self.context, self._leader)
        reporter = models.ModelReporter(
            self._report,
            operator_namespace=self._settings.namespace,
            change=self.context.worker.change,
            time=self._time,
            stream=self._stream.observations,
            wishes=self._wishes,
            checkpoints=self._durable.counts if self._durable else None,
        )
        self._stream.changed = self._if_leading(reporter.run)
        self._stream.further.append(self._ladder.observation)
        chores = [
            steward.Chore("stream", stream_health.TICK_S, self._stream.run),
            steward.Chore("models", models.EVERY_S, self._if_leading(reporter.run)),
            steward.Chore("tidy", TIDY_S, self._if_leading(self.context.housekeeper.tidy)),
            steward.Chore("resync", RESYNC_S, self._resync),
            steward.Chore("triage", TRIAGE_S, self._count_quiet),
        ]
        if self._leader is not None:
            chores.insert(0, steward.Chore("lead", leader.STEP_S, self._leader.step))
        return chores

    def _if_leading(self, run: Callable[[], object]) -> Callable[[], None]:
        """Have something done only while this replica leads, or always when nobody is elected."""

        def when_leading() -> None:
            if self._leader is None or self._leader.leads:
                run()

        return when_leading

    def _resync(self) -> None:
        self._steward.sync()

    def _policies_changed(self) -> None:
        keeper = self._policies
        self.context.worker.change_once("policies", lambda one: setattr(one, "policies", keeper.policy_set()))

    def _rules_changed(self, name: str, found: tuple[rule_types.Rule, ...]) -> None:
        source = f"DetectionRule/{name}"
        self.context.worker.change(lambda one: one.rules.replace_user_rules(source, found))

    def _told(self, verdict: triage.Triage) -> None:
        _log.info("verdict", extra={"object": verdict.uid, "reason": str(verdict.verdict)})
        self.context.worker.change(lambda one: one.triage(verdict.uid, verdict.ruling(), subject=verdict.subject))

    def _count_quiet(self) -> None:
        self.context.worker.change_once("triage", self._desk.count)
