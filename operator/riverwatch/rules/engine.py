"""Stage 4a, judge by rule: `Activity` -> `RuleHit`s.

Rules are indexed by what a record must look like for them to hold at all (verb, resource, subresource, result, kind of
identity, impersonation); a record meets only those, and most records meet none. The index is swapped whole when rules
change. A rule that keeps raising is taken out, the others go on. Called by `runtime.pipeline`, one record at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from riverwatch import errors
from riverwatch.activity import derived, derived_request, identities, record
from riverwatch.rules import base, bounds, correlation, fields, loading, rule, summary

load_catalog = loading.load_catalog
"""The built-in rules; see `rules.loading`."""

NO_HITS: tuple[base.RuleHit, ...] = ()
"""What `RuleEngine.match` gives for most records."""

MAX_FAULTS = 5
"""Times a rule may raise before it is off: one odd record is no reason, a pattern is."""

MAX_CACHED_SHAPES = 4_096
"""Shapes of records whose candidates are remembered; a large cluster shows a few hundred."""

MAX_AGENTS = 4_096
"""User agents that are remembered; a client may invent more, which only costs time."""

MAX_CLASSES = 65_536
"""User names whose class is remembered: several times the identities of the largest clusters supported."""

MAX_SEEN = 8_192
"""Requests whose hits are remembered, so that a later stage of the same request is not counted again."""

MAX_MATCHED = 8
"""Field and value pairs kept in a hit."""

SNAPSHOT_VERSION = 1
"""Version of the plain data of `RuleEngine.snapshot`."""

_HIDDEN = ("data", "stringdata", "token", "password", "binarydata", "value")


class _Entry:
    """One rule in the index, with the correlations that it feeds."""

    __slots__ = ("counters", "key", "rule")

    def __init__(self, key: str, one: rule.Rule) -> None:
        self.key = key
        self.rule = one
        self.counters: list[tuple[_Entry, correlation.Counter]] = []


class _Index:
    """All rules in force, ready to be asked; immutable but for its cache."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self.cache: dict[tuple[object, ...], tuple[_Entry, ...]] = {}
        self.agents: dict[str, int] = {}
        """User agent -> the tests of user agents that hold for it, as bits; nearly always 0."""
        self._by_resource: dict[str, list[_Entry]] = {}
        self._anywhere: list[_Entry] = []
        self._order: dict[str, int] = {}
        tests: dict[bounds.Agent, None] = {}
        for place, entry in enumerate(entries):
            self._order[entry.key] = place
            if entry.rule.condition is None:
                continue
            boxes = entry.rule.condition.boxes
            tests.update(dict.fromkeys(test for box in boxes for test in box.agents))
            if any(box.resources is None for box in boxes):
                self._anywhere.append(entry)
                continue
            for resource in sorted(frozenset().union(*(box.resources or frozenset() for box in boxes))):
                self._by_resource.setdefault(resource, []).append(entry)

        self._agent_tests = tuple(tests)

    def agent_bits(self, user_agent: str) -> int:
        """Work out and remember which tests of user agents hold."""
        if len(self.agents) >= MAX_AGENTS:
            self.agents.clear()
        bits = sum(1 << place for place, test in enumerate(self._agent_tests) if test(user_agent))
        self.agents[user_agent] = bits
        return bits

    def candidates(self, activity: record.Activity, key: tuple[object, ...]) -> tuple[_Entry, ...]:
        """Find the rules that could match records of this shape, and remember them."""
        shape = bounds.Shape(
            verb=activity.verb.lower(),
            resource=activity.resource.lower(),
            subresource=activity.subresource.lower(),
            code=activity.code,
            kind=bounds.class_of(activity.principal),
            impersonated=activity.impersonated is not None,
            public=derived_request.from_public(activity.record.source_ips),
            user_agent=activity.user_agent,
        )
        possible = (*self._anywhere, *self._by_resource.get(shape.resource, ()))
        found = [
            entry
            for entry in possible
            if entry.rule.condition and any(box.holds(shape) for box in entry.rule.condition.boxes)
        ]
        found.sort(key=lambda entry: self._order[entry.key])
        if len(self.cache) >= MAX_CACHED_SHAPES:
            self.cache.clear()
        self.cache[key] = tuple(found)
        return self.cache[key]


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
        self._classes: dict[str, str] = {}
        self._faults: dict[str, int] = {}
        self._seen: OrderedDict[tuple[str, float, str], set[str]] = OrderedDict()
        self.disabled: dict[str, str] = {}
        """Rules that are off because they kept raising -> the last reason."""
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
        principal = activity.principal
        kind = self._classes.get(principal.username)
        if kind is None:
            kind = self._classify(principal)
        agent = index.agents.get(activity.user_agent)
        if agent is None:
            agent = index.agent_bits(activity.user_agent)
        key = (
            activity.verb,
            activity.resource,
            activity.subresource,
            activity.code,
            kind,
            activity.impersonated is None,
            derived_request.from_public(activity.record.source_ips),
            agent,
        )
        entries = index.cache.get(key)
        if entries is None:
            entries = index.candidates(activity, key)
        if not entries or activity.stage == "RequestReceived":
            return NO_HITS
        if facts is None:
            facts = derived.Facts(activity)
        hits: list[base.RuleHit] = []
        for entry in entries:
            condition = entry.rule.condition
            try:
                if condition is None or not condition.test(facts):
                    continue
                if self._already(entry.key, activity):
                    continue
                self._collect(entry, facts, hits)
            except Exception as error:  # noqa: BLE001 - one faulty rule must not stop the others
                self._fault(entry, error)
        return hits or NO_HITS

    def _classify(self, principal: identities.Principal) -> str:
        if len(self._classes) >= MAX_CLASSES:
            self._classes.clear()
        kind = self._classes[principal.username] = bounds.class_of(principal)
        return kind

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
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise errors.StateError(f"rule state has another shape: {error}") from error
        self._waiting, self._seen, self._counters = waiting, seen, {}
        self._index = self._build()

    def _build(self) -> _Index:
        entries: dict[str, _Entry] = {}
        sources = [("", self._built_in), *sorted(self._user.items())]
        counters: dict[str, correlation.Counter] = {}
        fingerprints: dict[str, str] = {}
        for source, rules in sources:
            prefix = f"{source}/" if source else ""
            for one in rules:
                if prefix + one.key not in self.disabled:
                    entries[prefix + one.key] = _Entry(prefix + one.key, one)
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
        return _Index(entries.values())

    def _counter(self, key: str, text: str, spec: rule.Correlation) -> correlation.Counter:
        counter = correlation.Counter(spec)
        fingerprint, groups = self._waiting.pop(key, ("", []))
        if fingerprint == text:
            counter.restore(groups)
        return counter

    def _collect(self, entry: _Entry, facts: derived.Facts, hits: list[base.RuleHit], *, group: str = "") -> None:
        if entry.rule.output:
            hits.append(_hit(entry.rule, facts, group=group))
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
        request = (activity.audit_id, activity.time_s, activity.request_uri[:256])
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

    def _fault(self, entry: _Entry, error: Exception) -> None:
        count = self._faults[entry.key] = self._faults.get(entry.key, 0) + 1
        if count >= MAX_FAULTS and entry.key not in self.disabled:
            self.disabled[entry.key] = f"raised {count} times, last {type(error).__name__}: {error}"[:300]
            self._index = self._build()


def _hit(one: rule.Rule, facts: derived.Facts, *, group: str) -> base.RuleHit:
    return base.RuleHit(
        card=one.card,
        summary=summary.sentence(facts, one.detail),
        matched=_matched(one, facts),
        group=summary.neutral(group, limit=summary.MAX_VALUE_CHARS),
    )


def _matched(one: rule.Rule, facts: derived.Facts) -> tuple[tuple[str, str], ...]:
    if one.condition is None:
        return ()
    pairs: dict[str, str] = {}
    for leaf in one.condition.leaves:
        if len(pairs) >= MAX_MATCHED:
            break
        if leaf.field not in pairs and leaf.test(facts):
            pairs[leaf.field] = _shown(leaf.field, leaf.get(facts))
    return tuple(pairs.items())


def _shown(field: str, value: Any) -> str:
    if value is None:
        return ""
    if fields.is_body(field) and any(part in _HIDDEN for part in field.lower().split(".")):
        return "(not shown)"
    values = value if isinstance(value, (list, tuple)) else (value,)
    text = ", ".join(str(one) for one in values[:16] if not isinstance(one, (dict, list)))
    return summary.neutral(text, limit=summary.MAX_VALUE_CHARS)
