"""Stage 5, decide: rule hits and surprises about one activity -> `Verdict`.

Order of thought: exceptions and policy first, then the case that the activity belongs to, then rules that are never
shed, then evidence against the calibrated threshold, then the budget. Pure: time comes from the activity; all state
is in the case book, the calibrator and the budget, which the judge owns. Called once per activity that has a hit or
something new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from riverwatch import vocabulary
from riverwatch.activity import record
from riverwatch.features import vector
from riverwatch.models import base as models_base
from riverwatch.models import credential
from riverwatch.rules import base as rules_base
from riverwatch.scoring import (
    argument,
    budget,
    calibrate,
    cases,
    comparison,
    damping,
    policy,
    releases,
    tactics,
    upgrades,
)
from riverwatch.scoring import severity as grave

RULE_NATS = {
    vocabulary.Severity.CRITICAL: 14.0,
    vocabulary.Severity.HIGH: 10.0,
    vocabulary.Severity.MEDIUM: 5.0,
    vocabulary.Severity.LOW: 3.0,
    vocabulary.Severity.INFO: 0.0,
}
"""Evidence that a rule hit adds to its case, nats; tuned on recorded benign life so that Medium needs some novelty
beside it."""

HABIT_NATS = {vocabulary.Severity.MEDIUM: 2.0, vocabulary.Severity.LOW: 0.0, vocabulary.Severity.INFO: 0.0}
"""The same of rules that the identity trips anyway: its job is no evidence against it. Graver rules always count."""

HOLD_SHARE = 0.5
"""A record that alone reaches this share of the threshold is not learned before its case has ended quietly."""

LEAST_JUDGED_NATS = 1.0
"""Novelty below this and without a rule hit is learned and no more: a chance above 1 in 3 is no news."""

LEAST_EVIDENCE_NATS = 1.0
"""Novelty below this is not told as evidence of a case that was not raised yet."""

SWEEP_SHARE = 0.1
"""Time between two sweeps for ended cases, as a share of the time after which a case ends."""

PLACE_FEATURES = frozenset({"network", "zone", "agent", "credential"})
"""Where a credential is used from: while that is strange, every further record is evidence, even of a known action."""


class Question(msgspec.Struct):
    """Everything that is known about one activity when it is judged."""

    activity: record.Activity
    measured: vector.FeatureVector
    use: credential.Use | None
    hits: Sequence[rules_base.RuleHit]
    parts: list[models_base.Surprise]
    warm: bool
    """Whether the models of this identity may raise."""
    muted: bool
    """Whether nothing may be raised, because the record lies before the end of learning that the user named."""
    policy: policy.EffectivePolicy
    age_s: float
    """Seconds of record time since the first record."""
    renewed: bool
    """Whether the pods of the software that acts were replaced within the last day."""
    started: bool
    """Whether its pod has only just started."""
    say: Callable[[record.Activity], str]
    """Writes the one-line summary of an activity; asked only for what becomes evidence."""


class Verdict(msgspec.Struct):
    """What was decided about one activity."""

    raised: bool
    """Whether it opens or feeds a detection."""
    hold: bool
    """Whether it must not be learned now."""
    severity: vocabulary.Severity
    nats: float
    """Evidence of the whole case, rules included."""
    threshold: float
    kind: vocabulary.DetectionKind
    by_rule: bool
    """Whether the rules of the case weigh more than what was new in it."""
    case: cases.Case
    before: list[argument.Evidence]
    """Evidence of the case up to this record."""
    evidence: argument.Evidence | None
    """This record as evidence; None when it is too weak to be told and nothing was raised."""
    behind: list[argument.Evidence] = []
    """The requests by which an author had a controller do this, where they are known."""


class Weighed(msgspec.Struct, frozen=True):
    """One activity and its case on the scale."""

    loud: list[rules_base.RuleHit]
    """Rule hits that may raise."""
    strength: float
    """What was new in this activity, nats."""
    nats: float
    """Evidence of the whole case, rules included."""
    threshold: float
    severity: vocabulary.Severity


class Judge:
    """Takes the decisions of one cluster."""

    def __init__(self) -> None:
        self.cases = cases.CaseBook()
        self.calibrator = calibrate.Calibrator()
        self.budget = budget.Budget()
        self.young = damping.Young()
        self.releases = releases.Releases()
        self.upgrades = upgrades.Upgrades()
        self.comparison = comparison.Comparison()
        self.excepted = 0
        """Rule hits and novelties that exceptions of policies silenced since the process began."""
        self.next_sweep_s = 0.0
        """Record time before which `sweep` finds nothing to do."""

    def sweep(self, now_s: float, *, age_s: float) -> list[cases.Held]:
        """Close cases that have ended by record time `now_s`; return what may be learned after all.

        Parameters
        ----------
        now_s
            Epoch seconds of the latest record.
        age_s
            Seconds since the first record.
        """
        if now_s < self.next_sweep_s:
            return []
        self.next_sweep_s = now_s + SWEEP_SHARE * cases.idle_s(age_s)
        self.calibrator.advance(now_s)
        learnable: list[cases.Held] = []
        for case in self.cases.close_until(now_s, age_s=age_s):
            # A case raised by a rule or with strong evidence is an attack until somebody says otherwise and must not
            # move the tail; weak anomalies count, so that false alarms that keep coming lift the threshold.
            if not case.raised:
                self.calibrator.add(case.nats, time_s=now_s, actor=case.key)
                learnable.extend(case.held)
        return learnable

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "cases": self.cases.dump(),
            "calibrator": self.calibrator.dump(),
            "budget": self.budget.dump(),
            "young": self.young.dump(),
            "releases": self.releases.dump(),
            "upgrades": self.upgrades.dump(),
            "comparison": self.comparison.dump(),
            "next_sweep_s": self.next_sweep_s,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.cases.load(data["cases"])
        self.calibrator.load(data["calibrator"])
        self.budget.load(data["budget"])
        self.young.load(data["young"])
        self.releases.load(data.get("releases", {}))
        self.upgrades.load(data.get("upgrades", {}))
        self.comparison.load(data["comparison"])
        self.next_sweep_s = data["next_sweep_s"]

    def threshold(self, rules: policy.EffectivePolicy) -> float:
        """Return the evidence in nats that a case needs under a policy."""
        return self.budget.threshold(self.calibrator.tail(), rules.alert_budget_per_day)

    def see(self, activity: record.Activity) -> bool:
        """Remember what explains novelty from now on; return whether a revision of a release was written."""
        self.young.see(activity)
        self.upgrades.see(activity)
        return self.releases.see(activity)

    def decide(self, question: Question) -> Verdict | None:
        """Decide about one activity; None when there is nothing to say."""
        loud = [hit for hit in question.hits if hit.card.raises and self._allowed(hit.card.id, question)]
        parts = [part for part in question.parts if self._allowed(part.model, question)]
        if not (loud or parts):
            return None
        activity = question.activity
        parts = self._damped(parts, question)
        case = self.cases.touch(case_key(activity), activity.time_s)
        strength = case.take(parts, activity, loud, age_s=question.age_s)
        case.hit(loud, news=_is_news(question))
        rule_nats = _case_rule_nats(case, question)
        nats = case.nats + rule_nats
        if question.warm:
            self.calibrator.trust()
        threshold = self.threshold(question.policy)
        severity = _severity(case, nats, threshold, question)
        weighed = Weighed(loud, strength, nats, threshold, severity)
        raised = self._raises(question, case, weighed)
        case.raised = case.raised or raised
        before = case.evidence
        evidence = None
        if raised or loud or strength >= LEAST_EVIDENCE_NATS:
            evidence = _evidence(question, weighed)
            case.evidence = [*before, evidence][: cases.MAX_EVIDENCE]
        return Verdict(
            raised=raised,
            hold=self._holds(question, case, weighed),
            severity=severity,
            nats=nats,
            threshold=threshold,
            kind=_kind(case, by_rule=rule_nats > case.nats),
            by_rule=rule_nats > case.nats,
            case=case,
            before=before,
            evidence=evidence,
            behind=argument.behind(loud, activity, evidence),
        )

    def compare(self, question: Question, verdict: Verdict | None, *, version: str, from_s: float) -> None:
        """Note what the shadow of a namespace would have decided beside a verdict.

        Parameters
        ----------
        question
            The same question with what was new to the shadow.
        verdict
            What was decided; None for nothing to say.
        version
            Name of the shadow.
        from_s
            Record time from which the shadow has learned long enough.
        """
        activity = question.activity
        parts = [part for part in question.parts if question.policy.allows(part.model)]
        if verdict is None and not parts:
            return
        self.comparison.see(
            question.measured.home,
            version,
            case_key(activity),
            self._damped(parts, question),
            activity,
            hits=question.hits,
            age_s=question.age_s,
            rule_nats=_case_rule_nats(verdict.case, question) if verdict is not None else 0.0,
            threshold=self.threshold(question.policy),
            raised=verdict is not None and verdict.raised,
            from_s=from_s,
        )

    def _damped(self, parts: list[models_base.Surprise], question: Question) -> list[models_base.Surprise]:
        activity = question.activity
        release = self.releases.explains(activity)
        renewed = damping.NEW_VERSION if question.renewed else self.upgrades.explains(activity)
        if question.started:
            renewed = damping.STARTED_ANEW if renewed else damping.STARTED
        return damping.damp(parts, activity, self.young, renewed=renewed, release=release)

    def _raises(self, question: Question, case: cases.Case, weighed: Weighed) -> bool:
        if question.muted or not question.policy.raises(weighed.severity):
            return False
        if any(_rule_severity(hit, question).rank >= vocabulary.Severity.HIGH.rank for hit in weighed.loud):
            return True
        if case.raised:
            placed = any(part.feature in PLACE_FEATURES for part in question.parts)
            return weighed.strength > 0.0 or bool(weighed.loud) or placed
        if question.warm:
            enough = weighed.nats >= weighed.threshold or _first_medium(question, weighed)
            strong = weighed.nats >= self.budget.strong(self.calibrator.tail(), weighed.threshold)
        else:
            # Without a baseline only rules can be believed, and the budget keeps the weaker ones in bounds.
            enough = any(_rule_severity(hit, question) is vocabulary.Severity.MEDIUM for hit in weighed.loud)
            strong = False
        if not enough:
            return False
        return strong or self._affords(question, case, weighed.nats)

    def _affords(self, question: Question, case: cases.Case, nats: float) -> bool:
        """Take a weak finding's alert out of the budget; what is strong is no part of it, nor are grave rules."""
        rules, time_s = question.policy, question.activity.time_s
        ref = rules.alert_budget_ref
        if self.budget.admits(ref, case.key, nats=nats, per_day=rules.alert_budget_per_day, time_s=time_s):
            self.budget.spend(ref, case.key, nats=nats, time_s=time_s)
            return True
        self.budget.drop(budget.Shed(time_s, case.key, nats, question.say(question.activity)))
        return False

    def _allowed(self, detector: str, question: Question) -> bool:
        rules = question.policy
        if not rules.allows(detector):
            return False
        if not rules.exceptions or rules.exception_for(detector, question.activity) is None:
            return True
        self.excepted += 1
        return False

    @staticmethod
    def _holds(question: Question, case: cases.Case, weighed: Weighed) -> bool:
        if not question.warm or question.muted:
            return False
        if case.raised and question.parts:
            return True
        if weighed.strength < weighed.threshold * HOLD_SHARE:
            return False
        if len(case.held) < cases.MAX_HELD:
            case.held.append(cases.Held(question.measured, question.use))
        return True


def _is_news(question: Question) -> bool:
    """Tell whether the rules that hit are no habit of the identity; those about a list are no more than its action."""
    told = {"action", "scope"} if question.activity.verb == "list" else {"rule"}
    return any(part.feature in told for part in question.parts)


def _first_medium(question: Question, weighed: Weighed) -> bool:
    """Tell whether the identity trips a rule of severity Medium that is not its habit."""
    medium = any(_rule_severity(hit, question) is vocabulary.Severity.MEDIUM for hit in weighed.loud)
    return medium and _is_news(question)


def _evidence(question: Question, weighed: Weighed) -> argument.Evidence:
    by_rule = _rule_nats(weighed.loud, question)
    activity = question.activity
    score = models_base.to_score(max(weighed.strength, by_rule))
    return argument.Evidence(
        activity.audit_id,
        activity.time_s,
        question.say(activity),
        round(score, 3),
        actor=argument.who(activity),
        tactic=tactics.tactic_of(activity),
    )


def _kind(case: cases.Case, *, by_rule: bool) -> vocabulary.DetectionKind:
    if not by_rule:
        return vocabulary.DetectionKind.ANOMALY
    sequence = all(hit.card.sequence for hit in case.hits)
    return vocabulary.DetectionKind.SEQUENCE if sequence else vocabulary.DetectionKind.RULE


def case_key(activity: record.Activity) -> str:
    """Return the key of an actor's cases: the credential's user name and whom it acted as."""
    username = activity.principal.username
    return f"{username} as {activity.impersonated.username}" if activity.impersonated else username


def _rule_severity(hit: rules_base.RuleHit, question: Question) -> vocabulary.Severity:
    return question.policy.severity(hit.card.id, hit.card.severity)


def _rule_nats(hits: Sequence[rules_base.RuleHit], question: Question) -> float:
    """Return the evidence that rule hits add to their case, nats: the strongest one's."""
    return max((RULE_NATS[_rule_severity(hit, question)] for hit in hits), default=0.0)


def _case_rule_nats(case: cases.Case, question: Question) -> float:
    """Return the same for a case, nats: a rule that nobody is surprised to see weighs less."""
    found = 0.0
    for hit in case.hits:
        severity = _rule_severity(hit, question)
        nats = RULE_NATS[severity]
        found = max(found, nats if hit.card.id in case.news else HABIT_NATS.get(severity, nats))
    return found


def _severity(case: cases.Case, nats: float, threshold: float, question: Question) -> vocabulary.Severity:
    ranked = [_rule_severity(hit, question) for hit in case.hits]
    displaced = any(part.feature in PLACE_FEATURES and not part.damped for part in case.parts)
    if question.warm and nats >= threshold:
        ranked.append(grave.anomaly(nats / threshold, displaced=displaced))
    return max(ranked, key=lambda severity: severity.rank, default=vocabulary.Severity.LOW)
