"""Stage 6, record: `Verdict` -> `Detection`, one per incident: of one actor, or of several that a hand-over links.

While an actor's incident is open (`calibrate.goes_on`, by record time), whatever is raised about it grows the same
detection, unless it is a later and graver story. Its uid is made from actor and first evidence, so a restart or a
second replica that reads the same stream makes the same object. Owns the open incidents and forgets those that are
over.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec

from riverwatch import clock, vocabulary
from riverwatch.activity import record
from riverwatch.detections import advice, finding, linking
from riverwatch.detections import party as telling
from riverwatch.features import attributes
from riverwatch.models import bank
from riverwatch.scoring import argument, calibrate, cases, explain, judge, tactics

MAX_OPEN = 5_000
"""Open incidents kept; the one with the oldest evidence goes first."""

KEEP_FIRST = 15
"""Evidence items kept from the beginning."""

KEEP_STRONGEST = 15
"""Evidence items kept for their strength; the rest of `finding.MAX_EVIDENCE` are the last ones."""

RULE_SCORE = {
    vocabulary.Severity.CRITICAL: 0.95,
    vocabulary.Severity.HIGH: 0.8,
    vocabulary.Severity.MEDIUM: 0.5,
    vocabulary.Severity.LOW: 0.3,
    vocabulary.Severity.INFO: 0.1,
}
"""Score that a rule of this severity has alone, 0..1."""


class Folder:
    """Open incidents of one cluster."""

    def __init__(self) -> None:
        self.open: dict[str, finding.Detection] = {}
        """Case key of the first identity -> its incident."""
        self.links = linking.Links()
        self._homes: dict[str, str] = {}
        """Case key -> case key under which its incident is kept, for identities that joined one."""

    def note(self, activity: record.Activity, verdict: judge.Verdict, *, runs_as: linking.RunsAs) -> None:
        """Remember whom the activity hands power to, when it is evidence; before `fold`."""
        if verdict.evidence is not None:
            told = verdict.raised or verdict.case.raised
            for link in linking.links_of(activity, key=verdict.case.key, told=told, runs_as=runs_as):
                self.links.add(link)

    def fold(
        self,
        activity: record.Activity,
        verdict: judge.Verdict,
        *,
        policy_refs: tuple[str, ...],
        model_version: str = bank.MODEL_VERSION,
    ) -> finding.Detection:
        """Open or grow the detection of the actor, or of the incident that the actor belongs to."""
        key = verdict.case.key
        home, link = self._home(key, activity, verdict)
        found = self.open.pop(home, None)
        if found is None or _over(found, activity.time_s) or (link is None and _graver(found, verdict)):
            home, link = key, None
            found = _opened(key, activity, verdict, policy_refs)
            found.model_version = model_version
        self.open[home] = found
        if len(self.open) > MAX_OPEN:
            del self.open[next(iter(self.open))]
        _grow(found, activity, verdict, link)
        found.revision += 1
        return found

    def close(self, uid: str) -> list[str]:
        """End an incident, so that the next finding is a new one; return the case keys that belonged to it."""
        home = next((key for key, found in self.open.items() if found.uid == uid), None)
        if home is None:
            return []
        keys = [party.key for party in self.open.pop(home).parties]
        for key in keys:
            self._homes.pop(key, None)
        return keys

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint, the incident with the oldest evidence first."""
        return {
            "open": [[key, msgspec.to_builtins(found)] for key, found in self.open.items()],
            "links": self.links.dump(),
            "homes": self._homes,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.open = dict(msgspec.convert(data["open"], list[tuple[str, finding.Detection]]))
        self.links.load(data["links"])
        self._homes = dict(data["homes"])

    def _home(self, key: str, activity: record.Activity, verdict: judge.Verdict) -> tuple[str, linking.Link | None]:
        """Return the key of the incident that the actor belongs to, and the link when it joins one now."""
        home = self._homes.get(key, key)
        own = self._alive(home, activity.time_s)
        told = [item.audit_id for item in verdict.before]
        self.links.confirm(key, [*told, activity.audit_id])
        pods = [linking.pod_key(activity.principal.namespace, activity.token_pod)] if activity.token_pod else []
        # What the actor had raised by itself before it was handed power is another story.
        ways = [
            (self._homes.get(link.source, link.source), link)
            for link in self.links.coming_in([key, *pods], now_s=activity.time_s)
            if own is None or own.last_seen_s < link.time_s
        ]
        if own is None:
            ways += [
                (self._homes.get(link.target, link.target), link)
                for link in self.links.going_out(key)
                if link.told and activity.time_s - link.time_s <= linking.LIFE_S
            ]
        joined = [
            (found.first_seen_s, found.uid, other, link)
            for other, link in ways
            if other != home
            and (found := self._alive(other, activity.time_s)) is not None
            and (link.target == key or link.target in pods or found.last_seen_s >= link.time_s)
        ]
        if not joined:
            return home, None
        _, _, other, link = min(joined, key=lambda one: one[:2])
        self._homes[key] = other
        if len(self._homes) > MAX_OPEN:
            del self._homes[next(iter(self._homes))]
        return other, link

    def _alive(self, home: str, time_s: float) -> finding.Detection | None:
        found = self.open.get(home)
        return None if found is None or _over(found, time_s) else found


def _over(found: finding.Detection, time_s: float) -> bool:
    return not calibrate.goes_on(found.first_seen_s, found.last_seen_s, time_s)


def _graver(found: finding.Detection, verdict: judge.Verdict) -> bool:
    """Tell whether a finding is a story of its own: begun after the last one had ended, and graver than it.

    A break-in must not be hidden in an odd morning of the same account, nor told to have begun with it. Not to be asked
    about who joins the incident of somebody who handed him power: that is one story, however much graver it becomes.
    """
    apart = verdict.case.opened_s > found.last_seen_s and len(found.parties) <= 1
    return apart and verdict.severity.rank > max(found.severity.rank, vocabulary.Severity.LOW.rank)


def _opened(
    key: str, activity: record.Activity, verdict: judge.Verdict, policy_refs: tuple[str, ...]
) -> finding.Detection:
    actor = activity.actor
    first_s = min((item.time_s for item in verdict.before), default=activity.time_s)
    digest = hashlib.sha256(f"{key}\n{clock.rfc3339(first_s)}".encode()).hexdigest()
    return finding.Detection(
        uid=digest[:16],
        namespace=actor.namespace or activity.principal.namespace or activity.namespace,
        title="",
        use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
        severity=vocabulary.Severity.INFO,
        score=0.0,
        confidence=0.0,
        kind=verdict.kind,
        detectors=[],
        actor=finding.Actor(actor.kind.value, actor.name, actor.namespace),
        impersonated_by=activity.principal.username if activity.impersonated else "",
        source_ips=[],
        user_agents=[],
        targets=[],
        techniques=[],
        first_seen_s=first_s,
        last_seen_s=activity.time_s,
        observed_at_s=activity.time_s,
        evidence=[],
        evidence_count=0,
        explanation=[],
        counterfactual="",
        recommendations=[],
        model_version=bank.MODEL_VERSION,
        policy_refs=list(policy_refs),
    )


def _grow(
    found: finding.Detection, activity: record.Activity, verdict: judge.Verdict, link: linking.Link | None
) -> None:
    case = verdict.case
    party, joins = _party(found, case.key, argument.who(activity))
    detectors = [hit.card.id for hit in case.hits] + [part.model for part in case.parts]
    spoke = len(found.detectors)
    found.detectors.extend(name for name in dict.fromkeys(detectors) if name not in found.detectors)
    fresh = list(verdict.before) if joins or not found.revision else []
    if verdict.behind:
        told = {item.audit_id for item in (*found.evidence, *fresh)}
        fresh += [item for item in verdict.behind if item.audit_id not in told]
    if verdict.evidence is not None:
        fresh.append(verdict.evidence)
    for item in fresh:
        _remember(found, item)
        found.first_seen_s = min(found.first_seen_s, item.time_s)
    found.last_seen_s = max(found.last_seen_s, activity.time_s)
    found.first_seen_s = min(found.first_seen_s, activity.time_s)
    for address in activity.addresses:
        _extend(found.source_ips, address)
    _extend(found.user_agents, activity.user_agent[:256])
    target = finding.Target(
        activity.api_group, activity.resource, activity.subresource, activity.namespace, activity.name
    )
    if activity.resource and target not in found.targets and len(found.targets) < finding.MAX_TARGETS:
        found.targets.append(target)
    for hit in case.hits:
        found.techniques.extend(item for item in hit.card.techniques if item not in found.techniques)
    if link is not None:
        _join(found, party, link)
    telling.walk(found, fresh, place=_strange_place(case, activity))
    if verdict.severity.rank > found.severity.rank:
        found.severity = verdict.severity
    strength = _strength(verdict)
    if _tells_more(party, verdict, strength, news=len(found.detectors) > spoke):
        party.strength, party.rank = max(strength, party.strength), verdict.severity.rank
        leads = all(party.strength >= other.strength for other in found.parties)
        _describe(found, party, activity, verdict, leads=leads)
        telling.tell(found)
    found.confidence = round(max(found.confidence, _confidence(verdict)), 2)


def _strange_place(case: cases.Case, activity: record.Activity) -> str:
    """Say where a request came from, when that is part of what was new; empty when it is where it always is."""
    address, agent = activity.source_ip, activity.user_agent
    here = {
        ("network", attributes.origin_of(activity.addresses)),
        ("agent", attributes.agent_family(agent)),
        ("credential", address),
    }
    if not address or not any((part.feature, part.observed.partition(" with ")[0]) in here for part in case.parts):
        return ""
    return f"from {address} with {advice.printable(agent.partition(' ')[0], 60) or 'no user agent'}"


def _party(found: finding.Detection, key: str, label: str) -> tuple[finding.Party, bool]:
    """Return the identity's part of the incident, and whether it is new in it."""
    for party in found.parties:
        if party.key == key:
            return party, False
    party = finding.Party(key, label)
    if len(found.parties) >= finding.MAX_PARTIES:
        return party, False
    found.parties.append(party)
    return party, True


def _join(found: finding.Detection, party: finding.Party, link: linking.Link) -> None:
    """Say by which hand-over an identity came into the incident, or brought its first identity into it."""
    other = next((one for one in found.parties if one.key in {link.source, link.target} and one is not party), None)
    other = other or found.parties[0]
    giver, taker = (party, other) if link.source == party.key else (other, party)
    party.link, party.by = link.phrase, giver.label
    if giver is party:
        party.link, party.by = "", ""
        taker.link, taker.by = link.phrase, giver.label
    by = next((one for one in found.evidence if one.audit_id == link.audit_id), None)
    tactic = tactics.PRIVILEGE_ESCALATION if link.phrase.startswith("acted as ") else by.tactic if by else ""
    telling.hand_over(
        found, finding.Step(link.time_s, giver.label, tactic, link.phrase, audit_id=link.audit_id, link=True)
    )


def _describe(
    found: finding.Detection, party: finding.Party, activity: record.Activity, verdict: judge.Verdict, *, leads: bool
) -> None:
    case = verdict.case
    telling_hits = [hit for hit in case.hits if hit.card.severity.rank >= vocabulary.Severity.MEDIUM.rank]
    telling_hits = case.hits if verdict.by_rule else telling_hits
    party.title = explain.title(party.label, case.parts, telling_hits)
    party.deed = explain.deed(case.parts, telling_hits)
    if not telling_hits:
        found.techniques.extend(item for item in advice.techniques(case.parts) if item not in found.techniques)
    if leads:
        found.kind = verdict.kind
        found.use_case = telling_hits[0].card.use_case if telling_hits else advice.use_case(case.parts)
    share = (verdict.nats - case.nats) / verdict.nats if verdict.nats > 0 else 1.0
    home = "in its namespace" if activity.principal.namespace else "among people, nodes and the control plane"
    party.explanation = explain.reasons(case.parts, case.hits, share_of_rules=share, home=home, weight=case.weight)
    party.counterfactual = explain.counterfactual(
        case.parts,
        case.hits,
        weights=explain.Weights(case.nats, verdict.nats - case.nats, verdict.threshold),
    )
    party.recommendations = advice.recommendations(activity, case.hits, found)


def _tells_more(party: finding.Party, verdict: judge.Verdict, strength: float, *, news: bool) -> bool:
    """Tell whether a finding says more about an identity than what is told of it: it is graver, or as grave and more.

    A burst of the same changes nothing that is told, nor does an odd morning after a break-in.
    """
    if verdict.severity.rank != party.rank:
        return verdict.severity.rank > party.rank
    return strength > party.strength or news


def _strength(verdict: judge.Verdict) -> float:
    case = verdict.case
    anomaly = 1.0 - math.exp2(-case.nats / max(verdict.threshold, 1.0))
    rule = max((RULE_SCORE[hit.card.severity] for hit in case.hits), default=0.0)
    return 1.0 - (1.0 - anomaly) * (1.0 - rule)


def _confidence(verdict: judge.Verdict) -> float:
    case = verdict.case
    ratio = verdict.nats / max(verdict.threshold, 1.0)
    by_rule = 0.7 if case.hits else 0.0
    return min(0.99, max(by_rule, 1.0 - math.exp2(-ratio)) + (0.1 if case.hits and case.parts else 0.0))


def _remember(found: finding.Detection, item: finding.Evidence) -> None:
    found.evidence_count += 1
    found.evidence.append(item)
    if len(found.evidence) > 1 and item.time_s < found.evidence[-2].time_s:
        found.evidence.sort(key=lambda one: one.time_s)
    if len(found.evidence) <= finding.MAX_EVIDENCE:
        return
    head, rest = found.evidence[:KEEP_FIRST], found.evidence[KEEP_FIRST:]
    keep_last = finding.MAX_EVIDENCE - KEEP_FIRST - KEEP_STRONGEST
    middle, last = rest[:-keep_last], rest[-keep_last:]
    weakest = min(range(len(middle)), key=lambda place: middle[place].score)
    del middle[weakest]
    found.evidence = head + middle + last


def _extend(values: list[str], value: str) -> None:
    if value and value not in values and len(values) < finding.MAX_VALUES:
        values.append(value)
