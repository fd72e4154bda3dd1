"""Stages 2 to 6 in one page: audit records in, detections out. Read this first.

``AuditRecord -> Activity -> FeatureVector -> RuleHit*, Surprise* -> Verdict -> Detection``. Pure: opens nothing,
sleeps never, reads time only from records; the same records in the same order give the same detections wherever they
come from. Scores first, learns afterwards, and never learns from what it just flagged. One thread at a time;
`runtime.worker` and `replay` call it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from riverwatch import errors
from riverwatch.activity import dedupe, normalise, record
from riverwatch.api.v1alpha1 import words
from riverwatch.detections import advice, finding, fold
from riverwatch.features import amounts, inventory, node_places, vector, volumes
from riverwatch.models import bank, credential, drift
from riverwatch.rules import base as rules_base
from riverwatch.rules import engine
from riverwatch.runtime import credential_use, memory, relearn, shortcut
from riverwatch.scoring import cases, judge, policy, triage
from riverwatch.scoring import learning as learning_phase
from riverwatch.sources import base as sources_base

ORDINARY_SKIPS = frozenset({sources_base.SkipReason.STAGE_RECEIVED, sources_base.SkipReason.UNAUTHENTICATED})
"""Reasons that every healthy stream has; counted, but not worth a place among the last skips."""


class Pipeline:
    """Everything that is known about one cluster, and the one way through it.

    Parameters
    ----------
    rules
        The rule engine.
    policies
        Policies in force.
    learn_until_s
        Record time (epoch seconds) before which nothing is raised and everything is learned, and after which the
        models count as warm; None leaves it to the policies' learning periods.
    own_usernames
        User names of riverwatch itself; their requests are counted and passed over.
    """

    def __init__(
        self,
        *,
        rules: engine.RuleEngine,
        policies: policy.PolicySet = policy.DEFAULT,
        learn_until_s: float | None = None,
        own_usernames: frozenset[str] = frozenset(),
    ) -> None:
        self.rules = rules
        self.policies = policies
        self.own_usernames = own_usernames
        self.inventory = inventory.Inventory()
        self.node_places = node_places.NodePlaces()
        self.models = bank.Bank()
        self.judge = judge.Judge()
        self.folder = fold.Folder()
        self.verdicts = triage.Triage()
        self.learning = learning_phase.Learning(learn_until_s)
        self.models_rest = False
        """Whether rules alone judge and nothing is learned: asked for, or because the worker is behind."""
        self.frozen: frozenset[str] = frozenset()
        """Home namespaces whose models judge and do not learn, because their DetectionModel says so."""
        self.relearning: frozenset[str] = frozenset()
        """Home namespaces that a shadow of their models relearns."""
        self.drift = drift.Drift()
        self.used = 0
        """Records judged."""
        self.bodies_seen = 0
        """Records judged that had a request body."""
        self.credentials_seen = 0
        """Records judged that named their credential."""
        self.dedupe = dedupe.Dedupe()
        self.volumes = volumes.Volumes()
        self._shortcut = shortcut.Shortcut(self)

    def process(
        self, records: Iterable[record.AuditRecord], *, tally: sources_base.Tally, where: str = ""
    ) -> list[finding.Detection]:
        """Judge records in order.

        Parameters
        ----------
        records
            Records as a source decoded them, already counted as read in `tally`.
        tally
            Takes the skips.
        where
            File and line, or delivery, of the first record.

        Returns
        -------
        list
            The detections that are new or have grown, each once, in order.
        """
        changed: dict[str, finding.Detection] = {}

        def fail(place: int, error: Exception) -> None:
            tally.skip(sources_base.SkipReason.FAULT, where=_place(where, place), detail=_failure(error))

        for one in self._shortcut.strange(records, tally=tally, fail=fail):
            try:
                activity = one.activity or self._admitted(one, tally, where)
                detection = self.step(activity, tally, found=one) if activity is not None else None
            except Exception as error:  # noqa: BLE001 - a record that makes us fail costs that record alone
                fail(one.place, error)
                continue
            if detection is not None:
                changed[detection.uid] = detection
        return list(changed.values())

    def _admitted(self, one: shortcut.Strange, tally: sources_base.Tally, where: str) -> record.Activity | None:
        """Normalise a record that is to be judged; None when it is not, which is counted."""
        source = one.source
        try:
            activity = normalise.from_audit(source, one.time_s)
        except errors.MalformedRecordError as error:
            reason = sources_base.SkipReason(error.reason)
            if reason in ORDINARY_SKIPS:
                tally.count_only(reason, 1)
            else:
                tally.skip(reason, where=_place(where, one.place), detail=error.detail)
            return None
        if self.dedupe.seen(activity.audit_id, source.request_received_timestamp or source.stage_timestamp or ""):
            tally.count_only(sources_base.SkipReason.DUPLICATE, 1)
        elif activity.principal.username in self.own_usernames:
            tally.count_only(sources_base.SkipReason.OWN_IDENTITY, 1)
        elif not self.learning.believes(activity.time_s):
            detail = "its time lies more than three years after everything before it"
            tally.skip(sources_base.SkipReason.FAR_FUTURE, where=_place(where, one.place), detail=detail)
        else:
            return activity
        return None

    def step(
        self, activity: record.Activity, tally: sources_base.Tally, *, found: shortcut.Strange
    ) -> finding.Detection | None:
        """Judge one activity, then learn it; return the detection that it opened or fed."""
        rules = self.policies.effective(activity.principal.namespace or activity.namespace)
        mode = rules.mode.models_rest if self.models_rest else rules.mode
        if not (rules.mode.rules_judge or rules.mode.models_learn):
            tally.count_only(sources_base.SkipReason.DISABLED, 1)
            return None
        self.used += 1
        self.bodies_seen += activity.record.request_object is not record.ABSENT
        self.credentials_seen += activity.credential != ""
        self.advance(activity.time_s)
        loud, volume = found.loud, found.volume
        if found.activity is None:
            hits = self.rules.match(activity) if mode.rules_judge else engine.NO_HITS
            loud = shortcut.loud_of(hits, activity, self)
        if not loud and not mode.models_learn:
            self._shortcut.remember(found.key, activity, learned=None)
            return None
        if found.activity is None:
            volume = self.volumes.count(activity)
        return self._consider(activity, loud, (rules, mode), volume, found.key)

    def advance(self, time_s: float) -> None:
        """Take over the time of a record; cases that have ended by then are closed, and learned if nobody minded."""
        self.learning.advance(time_s)
        if self.learning.now_s < self.judge.next_sweep_s:
            return
        for held in self.judge.sweep(self.learning.now_s, age_s=self.learning.age_s()):
            if held.measured.home not in self.frozen:
                self.models.learn(held.measured, held.use)
        if relearn.begin(self.models, self.drift, frozen=self.frozen, now_s=self.learning.now_s):
            self._look_at_shadows()

    def choose(self, namespace: str, version: str) -> bool:
        """Have another version of a namespace's models judge; return False when there is none of that name."""
        chosen = self.models.choose(namespace, version, now_s=self.learning.now_s)
        self._look_at_shadows()
        self._shortcut.clear()
        return chosen

    def triage(self, uid: str, ruling: triage.Ruling | None, *, subject: triage.Subject | None = None) -> None:
        """Take over a person's verdict about a detection; the same one again changes nothing, None takes it back."""
        keys = self.verdicts.rule(uid, ruling, bank=self.models, now_s=self.learning.now_s, subject=subject)
        if keys is None:
            return
        self._shortcut.clear()
        if ruling is not None and ruling.verdict in triage.QUIETING:
            # What comes after a false alarm is a new story, and must not be hidden in one that is told to the end.
            for key in {*keys, *self.folder.close(uid)}:
                self.judge.cases.open.pop(key, None)

    def snapshot(self) -> dict[str, object]:
        """Return everything learned and open as plain data, shared with the pipeline: encode it before the next record.

        Rules, policies, living objects of the inventory and settings are not part of it; they come from where they came
        from before.
        """
        return memory.dump(self._memory()) | {"counts": [self.used, self.bodies_seen, self.credentials_seen]}

    def restore(self, data: Mapping[str, Any], *, partial: bool = False) -> list[str]:
        """Take over what `snapshot` returned, so that the next record is judged as if nothing had been between.

        Parameters
        ----------
        data
            As `snapshot` returned it, perhaps in another process.
        partial
            Whether parts that cannot be taken over may start empty; what was learned is one such part.

        Returns
        -------
        list
            The parts that start empty and why, for people; none unless `partial`.

        Raises
        ------
        StateError
            When the data, or without `partial` any part of it, has another version or shape; nothing has changed then.
        """
        fresh, empty = (Pipeline(rules=self.rules, learn_until_s=self.learning.until_s) for _ in range(2))
        fresh.inventory = self.inventory
        parts = fresh._memory()  # noqa: SLF001 - another one of us
        lost = memory.load(parts, data, partial=partial)
        got = {name: empty if name in lost else fresh for name in parts}
        self.models, self.judge, self.learning = got["models"].models, got["judge"].judge, got["learning"].learning
        self.folder, self.verdicts, self.drift = got["folder"].folder, got["triage"].verdicts, got["drift"].drift
        self.dedupe, self.volumes = got["dedupe"].dedupe, got["volumes"].volumes
        self.node_places = got["nodes"].node_places
        self._look_at_shadows()
        self._shortcut.clear()
        self.used, self.bodies_seen, self.credentials_seen = data.get("counts", (0, 0, 0))
        return memory.told(lost)

    def _memory(self) -> dict[str, memory.Part]:
        return {
            "models": self.models,
            "judge": self.judge,
            "folder": self.folder,
            "triage": self.verdicts,
            "drift": self.drift,
            "learning": self.learning,
            "dedupe": self.dedupe,
            "volumes": self.volumes,
            "inventory": self.inventory,
            "nodes": self.node_places,
            "rules": memory.RuleMemory(self.rules),
        }

    def _consider(
        self,
        activity: record.Activity,
        hits: Sequence[rules_base.RuleHit],
        ruled: tuple[policy.EffectivePolicy, words.PolicyMode],
        volume: amounts.Amount | None,
        key: int,
    ) -> finding.Detection | None:
        rules, mode = ruled
        released = self.judge.see(activity)
        measured = vector.measure(
            activity,
            rules=_rules_told(activity, hits) if hits else vector.NOT_APPLICABLE,
            own_pod=self.inventory.own_pod(activity.principal, activity.source_ip),
            siblings=self.inventory.siblings(activity.principal),
            volume=volume,
        )
        measured.explained = self.judge.young.explained(activity)
        use = credential_use.of(activity, self.inventory, self.node_places)
        if use is not None:
            self.models.credentials.see(use)
        activity = engine.answering(activity, hits) if hits else activity
        parts = self.models.opinion(measured, use) if mode.models_judge else []
        if (parts or self.models.opens_burst(measured)) and mode.models_judge:
            self.drift.feed(measured.home, parts, time_s=activity.time_s)
        told = hits
        if self.verdicts.about(actor := judge.case_key(activity)):
            told, parts = self.verdicts.hits(actor, activity, hits), self.verdicts.parts(actor, activity, parts)
        worth_it = told or (parts and sum([part.nats for part in parts]) >= judge.LEAST_JUDGED_NATS)
        relearned = mode.models_learn and measured.home in self.relearning and measured.home not in self.frozen
        verdict = None
        if worth_it or relearned:
            question = judge.Question(
                activity=activity,
                measured=measured,
                use=use,
                hits=told,
                parts=parts,
                warm=self.learning.warm(rules, records=self.models.records),
                muted=self.learning.muted,
                policy=rules,
                age_s=self.learning.age_s(),
                renewed=use is not None and self.models.credentials.renewed(use),
                started=use is not None and self.models.credentials.started(use),
                say=advice.summary,
            )
            verdict = self.judge.decide(question) if worth_it else None
        if verdict is not None and verdict.hold:
            self.volumes.doubt(measured.identity, activity.time_s)
        elif mode.models_learn:
            self._learn(activity, measured, use, quiet_key=0 if hits or released else key)
        if relearned:
            relearn.beside(self.models, self.judge, question, verdict)
        if verdict is None:
            return None
        self.folder.note(activity, verdict, runs_as=self.inventory.runs_as)
        if not verdict.raised:
            return None
        version = self.models.versions.of(measured.home)
        found = self.folder.fold(activity, verdict, policy_refs=rules.refs, model_version=version)
        self.verdicts.remember(
            found.uid,
            actor,
            activity,
            now=cases.Held(measured, use),
            before=verdict.case.held,
            hits=told,
            parts=parts,
        )
        return found

    def _look_at_shadows(self) -> None:
        self.relearning = frozenset(self.models.versions.shadows)
        self.judge.comparison.keep(self.relearning)

    def _learn(
        self, activity: record.Activity, measured: vector.FeatureVector, use: credential.Use | None, *, quiet_key: int
    ) -> None:
        """Learn one activity that is not held back; remember it as quiet when its key is given."""
        self.node_places.see(activity)
        if measured.home not in self.frozen:
            home, habit = self.models.learn(measured, use)
            if quiet_key and habit.whole:
                self._shortcut.remember(quiet_key, activity, learned=(measured, home, habit))
        elif use is not None:
            # Where credentials belong is a fact about the cluster, not a habit of the namespace.
            self.models.credentials.learn(use)


def _place(where: str, place: int) -> str:
    return f"{where} (record {place + 1} from there)"


def _failure(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    at = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"{error!r:.200}{at}"


def _rules_told(activity: record.Activity, hits: Sequence[rules_base.RuleHit]) -> str:
    """Return the rules whose first hit is news of its own; a list's rules say no more than its action and scope."""
    told = [hit.card.id for hit in hits if hit.group or activity.verb != "list"]
    return "+".join(sorted(told))
