"""Stage 4a, judge by rule: `Activity` -> `RuleHit`s.

`rules.plans` knows what is left to ask of a record of some shape from some client; mostly nothing. The index is swapped
whole when rules change. A rule that keeps raising is taken out, the others go on. What a controller makes of a template
that no rule could see is judged as a deed of the template's author. Called by `runtime.pipeline`, one record at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from riverwatch import errors
from riverwatch.activity import derived, derived_author, derived_pod, identities, record
from riverwatch.rules import base, correlation, loading, plans, remaining, rule, telling

load_catalog = loading.load_catalog
"""The built-in rules; see `rules.loading`."""

NO_HITS: tuple[base.RuleHit, ...] = ()
"""What `RuleEngine.match` gives for most records."""

MAX_FAULTS = 5
"""Times a rule may raise before it is off: one odd record is no reason, a pattern is."""

MAX_SEEN = 8_192
"""Requests whose hits are remembered, so that a later stage of the same request is not counted again."""

SNAPSHOT_VERSION = 1
"""Version of the plain data of `RuleEngine.snapshot`."""


class RuleEngine:
    """All rules in force.

    Parameters
    ----------
    rules
        The built-in rules, as `load_catalog` gives them.
    """

    def __init__(self, rules: Iterable[rule.Rule]) -> None:
        self._built_in = tuple(rules)
        self._user: dict[str, tuple[rule.Rule, ...]] = {}
        self._counters: dict[str, correlation.Counter] = {}
        self._fingerprints: dict[str, str] = {}
        self._waiting: dict[str, tuple[str, list[list[Any]]]] = {}
        """Stored counters of rules that are not there yet -> fingerprint and groups."""
        self._faults: dict[str, int] = {}
        self._seen: OrderedDict[tuple[str, float, str], set[str]] = OrderedDict()
        self._authors = derived_author.Authors()
        self.disabled: dict[str, str] = {}
        """Rules that are off because they kept raising -> the last reason."""
        self.edition = 0
        """Counts the times that the rules in force changed."""
        self._index = self._build()

    @property
    def rules(self) -> tuple[rule.Rule, ...]:
        """Every rule in force, built-in ones first."""
        return (*self._built_in, *(one for source in sorted(self._user) for one in self._user[source]))

    @property
    def cards(self) -> tuple[base.RuleCard, ...]:
        """Cards of the rules that can produce hits."""
        return tuple(one.card for one in self.rules if one.output)

    @property
    def faults(self) -> Mapping[str, int]:
        """Rules that have raised -> how often."""
        return self._faults

    def match(self, activity: record.Activity, facts: derived.Facts | None = None) -> Sequence[base.RuleHit]:
        """Judge one activity.

        Parameters
        ----------
        activity
            What was done.
        facts
            The facts of the same activity when the caller has them already.

        Returns
        -------
        Sequence
            Hits in the order of the rules; the constant `NO_HITS` for most records.
        """
        index = self._index
        source = activity.record
        try:
            addresses = source.source_ips
            client = (
                index.names[activity.principal.username]
                + index.agents[activity.user_agent]
                + (index.addresses[addresses[0]] if len(addresses) == 1 else index.source(addresses))  # type: ignore[index,arg-type]  # None is a TypeError, caught below
            )
            if source.impersonated_user is not None:
                client += plans.IMPERSONATED
            plan = index.shapes[activity.verb][activity.resource][activity.subresource][activity.code][client]
        except (KeyError, TypeError):
            facts = facts or derived.Facts(activity)
            plan = index.find(activity, facts)
        if plan is None:
            return NO_HITS
        if facts is None:
            facts = derived.Facts(activity)
        steps = plan if plan.__class__ is remaining.Steps else index.steps(plan, facts)
        if steps is None or activity.stage == "RequestReceived":
            return NO_HITS
        if index.reads_author:
            behind = self._authors.source_of(activity)
            facts.author = facts.author or (behind.author if behind else "")
        held = self._held(steps, facts)
        if steps.tasks:
            return self._with_authors(held, steps.tasks, facts) or NO_HITS
        if not held:
            return NO_HITS
        hits: list[base.RuleHit] = []
        for entry in held:
            self._hold(entry, facts, hits)
        return hits or NO_HITS

    def silent_about(self, activity: record.Activity) -> bool:
        """Tell whether it is known that no rule in force can say anything about what has the shape of an activity.

        It holds for every record with the same user name, user agent, source addresses, verb, resource, subresource,
        result code and impersonation, or lack of it, until `edition` changes.
        """
        index = self._index
        source = activity.record
        try:
            client = (
                index.names[activity.principal.username]
                + index.agents[activity.user_agent]
                + index.source(source.source_ips)
            )
            if source.impersonated_user is not None:
                client += plans.IMPERSONATED
            plan = index.shapes[activity.verb][activity.resource][activity.subresource][activity.code][client]
        except KeyError:
            return False
        return plan is None

    def _held(self, steps: remaining.Steps, facts: derived.Facts) -> list[remaining.Entry]:
        """Return the rules that hold, in their order."""
        rules = steps.rules
        if steps.needing:
            written = derived_pod.words(facts)
            wanted = [(entry, test) for word, entry, test in steps.needing if word in written]
            if wanted:
                rules = tuple(sorted((*rules, *wanted), key=_place))
        held: list[remaining.Entry] = []
        for entry, test in rules:
            try:
                if test is None or test(facts):
                    held.append(entry)
            except Exception as error:  # noqa: BLE001 - one faulty rule must not stop the others
                self._fault(entry, error)
        return held

    def _with_authors(
        self, held: list[remaining.Entry], tasks: tuple[remaining.Task, ...], facts: derived.Facts
    ) -> list[base.RuleHit]:
        """Judge the write of a workload, or of what a controller made of one."""
        activity = facts.activity
        written = self._authors.observe(activity) if remaining.Task.OBSERVE in tasks else None
        behind = None
        if remaining.Task.ATTRIBUTE in tasks and (held or self._authors.any_unjudged):
            behind = self._authors.source_of(activity)
        hits: list[base.RuleHit] = []
        if behind is not None:
            facts.author, facts.through = behind.author, activity.principal.label
            facts.author_request = (behind.audit_id, behind.time_s)
            if not behind.judged:
                self._on_behalf(facts, hits)
        for entry in held:
            self._hold(entry, facts, hits)
        if behind is not None:
            # What was told about the template, or about an earlier pod of it, is no news.
            hits = [hit for hit in hits if not hit.card.raises or hit.card.id not in behind.told]
        for source in (written, behind):
            if source is not None:
                source.tell(hit.card.id for hit in hits if hit.card.raises)
        return hits

    def _on_behalf(self, facts: derived.Facts, hits: list[base.RuleHit]) -> None:
        """Judge what a controller wrote as if the author of the template had, whose own write no rule could read."""
        author = identities.classify(facts.author)
        acting = derived.Facts(
            msgspec.structs.replace(facts.activity, principal=author),
            author=facts.author,
            through=facts.through,
            author_request=facts.author_request,
        )
        for entry, test in self._index.writers:
            try:
                holds = test(acting)
            except Exception as error:  # noqa: BLE001 - as above
                self._fault(entry, error)
            else:
                if holds:
                    self._hold(entry, acting, hits)

    def _hold(self, entry: remaining.Entry, facts: derived.Facts, hits: list[base.RuleHit]) -> None:
        """Take note that a rule's condition holds."""
        try:
            if not self._already(entry.key, facts.activity):
                self._collect(entry, facts, hits)
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(entry, error)

    def replace_user_rules(self, source_id: str, rules: Iterable[rule.Rule]) -> None:
        """Put the rules of one source (a `DetectionRule`) in force, in place of its earlier ones; none removes them.

        Parameters
        ----------
        source_id
            Name of the source, unique among sources.
        rules
            As `rules.sigma.compile_text` gives them.

        Raises
        ------
        BadRuleError
            When a rule has the id of a rule of another source; nothing is changed then.
        """
        new = tuple(rules)
        taken = {one.card.id for one in self._built_in if one.output}
        for other, theirs in self._user.items():
            if other != source_id:
                taken |= {one.card.id for one in theirs if one.output}
        for one in new:
            if one.output and one.card.id in taken:
                raise errors.BadRuleError(
                    f"the rule id {one.card.id!r} is taken; choose another", where=one.card.origin
                )
        user = dict(self._user)
        if new:
            user[source_id] = new
        else:
            user.pop(source_id, None)
        for key in [key for key in self.disabled if key.startswith(f"{source_id}/")]:
            del self.disabled[key]
            self._faults.pop(key, None)
        self._user = user
        self._index = self._build()

    def snapshot(self) -> dict[str, Any]:
        """Return the counting state as plain data."""
        return {
            "version": SNAPSHOT_VERSION,
            "counters": {
                key: {"fingerprint": self._fingerprints[key], "groups": counter.snapshot()}
                for key, counter in sorted(self._counters.items())
            },
            "seen": [[*request, sorted(keys)] for request, keys in self._seen.items()],
            "authors": self._authors.snapshot(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take over a state; counters of rules whose text has changed start empty.

        A counter of a user's rule that is not there yet waits for it.

        Raises
        ------
        StateError
            When the data has another version or shape; nothing has changed then.
        """
        if data.get("version") != SNAPSHOT_VERSION:
            raise errors.StateError(f"rule state has version {data.get('version')!r}, expected {SNAPSHOT_VERSION}")
        try:
            waiting = {
                str(key): (str(one["fingerprint"]), list(one["groups"])) for key, one in data["counters"].items()
            }
            seen = OrderedDict(
                ((str(audit_id), float(time_s), str(uri)), set(keys)) for audit_id, time_s, uri, keys in data["seen"]
            )
            authors = derived_author.Authors()
            authors.restore(data.get("authors") or authors.snapshot())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise errors.StateError(f"rule state has another shape: {error}") from error
        self._waiting, self._seen, self._counters, self._authors = waiting, seen, {}, authors
        self._index = self._build()

    def _build(self) -> plans.Plans:
        self.edition += 1
        entries: dict[str, remaining.Entry] = {}
        sources = [("", self._built_in), *sorted(self._user.items())]
        counters: dict[str, correlation.Counter] = {}
        fingerprints: dict[str, str] = {}
        for source, rules in sources:
            prefix = f"{source}/" if source else ""
            for one in rules:
                if prefix + one.key not in self.disabled:
                    entries[prefix + one.key] = remaining.Entry(prefix + one.key, one, len(entries))
            for one in rules:
                key = prefix + one.key
                if one.correlation is None or key not in entries:
                    continue
                text = one.fingerprint + "".join(
                    other.fingerprint for other in rules if other.key in one.correlation.feeds
                )
                kept = self._counters.get(key) if self._fingerprints.get(key) == text else None
                counters[key] = kept or self._counter(key, text, one.correlation)
                fingerprints[key] = text
                for feed in one.correlation.feeds:
                    if prefix + feed in entries:
                        entries[prefix + feed].counters.append((entries[key], counters[key]))
        self._counters, self._fingerprints = counters, fingerprints
        return plans.Plans(entries.values())

    def _counter(self, key: str, text: str, spec: rule.Correlation) -> correlation.Counter:
        counter = correlation.Counter(spec)
        fingerprint, groups = self._waiting.pop(key, ("", []))
        if fingerprint == text:
            counter.restore(groups)
        return counter

    def _collect(
        self, entry: remaining.Entry, facts: derived.Facts, hits: list[base.RuleHit], *, group: str = ""
    ) -> None:
        if entry.rule.output:
            hits.append(telling.hit(entry.rule, facts, group=group))
        for target, counter in entry.counters:
            reached = counter.feed(entry.rule.key, facts)
            if reached is not None:
                self._collect(target, facts, hits, group=reached)

    def _already(self, key: str, activity: record.Activity) -> bool:
        """Whether an earlier stage of the same request gave this rule its hit.

        The audit id alone would not do: a client may choose it by a header, and so hide behind its own earlier request.
        """
        if not activity.audit_id:
            return False
        request = (activity.audit_id[:128], activity.time_s, activity.request_uri[:256])
        keys = self._seen.get(request)
        if keys is None:
            self._seen[request] = {key}
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
            return False
        if key in keys:
            return True
        keys.add(key)
        return False

    def _fault(self, entry: remaining.Entry, error: Exception) -> None:
        count = self._faults[entry.key] = self._faults.get(entry.key, 0) + 1
        if count >= MAX_FAULTS and entry.key not in self.disabled:
            self.disabled[entry.key] = f"raised {count} times, last {type(error).__name__}: {error}"[:300]
            self._index = self._build()


def _place(one: tuple[remaining.Entry, object]) -> int:
    return one[0].place


def answering(activity: record.Activity, hits: Sequence[base.RuleHit]) -> record.Activity:
    """Return the activity as a deed of whoever answers for it.

    Parameters
    ----------
    activity
        What was done.
    hits
        What the rules said about it.

    Returns
    -------
    Activity
        The same one, but when a controller did it for an author whom the rules name: then with that author as actor,
        and without the controller's address, which would be a false trace.
    """
    author = next((hit.author for hit in hits if hit.author), "")
    if not author:
        return activity
    return msgspec.structs.replace(activity, principal=identities.classify(author), source_ip="")
