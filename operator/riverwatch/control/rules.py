"""Follows DetectionRule: compiles `spec.sigma`, runs its cases, puts it in force without a restart.

A rule that cannot be compiled or fails a case gets ``Ready=False`` with the reason; its last good version stays in
force.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from riverwatch import errors
from riverwatch.api import parse
from riverwatch.api.v1alpha1 import rule as types
from riverwatch.control import last_good, statuses, watched
from riverwatch.kube import resources
from riverwatch.rules import cases as rule_cases
from riverwatch.rules import rule as rule_types
from riverwatch.rules import sigma

Publish = Callable[[str, tuple[rule_types.Rule, ...]], None]
"""Told the name of a DetectionRule and its rules in force; none removes it."""

ACCEPTED = "Accepted"
"""Reason of a rule in force."""

INVALID = "InvalidRule"
"""Reason of a rule that cannot be compiled."""

FAILED = "CasesFailed"
"""Reason of a rule that judges its own cases wrongly."""

TAKEN = "IdTaken"
"""Reason of a rule whose id another rule has."""

_SHOWN = 5
"""Failed cases named in a message."""


@dataclasses.dataclass(frozen=True)
class Examined:
    """What became of one DetectionRule."""

    rules: tuple[rule_types.Rule, ...]
    """Empty when it cannot be put in force."""
    reason: str
    message: str
    passed: int = 0
    failed: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids under which it speaks."""
        return tuple(one.card.id for one in self.rules if one.output)


class RuleKeeper:
    """Holds all DetectionRules.

    Parameters
    ----------
    report
        Where conditions go.
    publish
        Puts rules in force.
    built_in
        Ids of the built-in rules, which stay theirs.
    memory
        Last good versions of an earlier run; they are put in force at once, until the first list says otherwise.
    """

    follows = (resources.RULES,)

    def __init__(
        self,
        report: statuses.Statuses,
        publish: Publish,
        *,
        built_in: frozenset[str],
        memory: last_good.LastGood | None = None,
    ) -> None:
        self._memory = memory or last_good.LastGood(None)
        self._report = report
        self._publish = publish
        self._built_in = built_in
        self._lock = threading.Lock()
        self._in_force: dict[watched.Key, Examined] = {}
        self._seen: dict[watched.Key, tuple[int, Examined]] = {}
        for body in self._memory.bodies(resources.RULES):
            self._recall(body)

    def take(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:
        """Examine a rule whose generation is new, and report."""
        key, generation = watched.key_of(body), watched.generation_of(body)
        with self._lock:
            seen = self._seen.get(key)
            taken = self._built_in.union(*(one.ids for other, one in self._in_force.items() if other != key))
        if seen is not None and seen[0] == generation:
            examined = seen[1]
        else:
            examined = examine(body, taken=taken)
            with self._lock:
                self._seen[key] = (generation, examined)
                if examined.rules:
                    self._in_force[key] = examined
            if examined.rules:
                self._memory.put(resource, body)
                self._publish(key[1], examined.rules)
        self._report.observe(resource, body, self._observation(key, examined), further=self._further(examined))

    def forget(self, resource: resources.Resource, key: watched.Key) -> None:
        """Take a rule out of force."""
        with self._lock:
            self._seen.pop(key, None)
            self._in_force.pop(key, None)
            self._memory.drop(resource, key)
        self._publish(key[1], ())

    def known(self, resource: resources.Resource) -> Iterable[watched.Key]:  # noqa: ARG002 - there is one kind
        """Return what is held."""
        with self._lock:
            return list(self._seen)

    def broken(self) -> int:
        """Return how many rules cannot be put in force as they stand."""
        with self._lock:
            return sum(1 for _, examined in self._seen.values() if not examined.rules)

    def _recall(self, body: Mapping[str, Any]) -> None:
        """Put a rule of an earlier run in force."""
        key, examined = watched.key_of(body), examine(body, taken=self._built_in)
        if examined.rules:
            self._in_force[key] = examined
            self._seen[key] = (watched.generation_of(body), examined)
            self._publish(key[1], examined.rules)

    def _observation(self, key: watched.Key, examined: Examined) -> Any:
        if examined.rules:
            return statuses.ready(examined.reason, examined.message)
        with self._lock:
            kept = key in self._in_force
        tail = "; the last good version stays in force" if kept else "; the rule is off"
        return statuses.not_ready(examined.reason, examined.message + tail)

    def _further(self, examined: Examined) -> dict[str, Any]:
        return {"ruleIds": list(examined.ids), "casesPassed": examined.passed, "casesFailed": examined.failed}


def examine(body: Mapping[str, Any], *, taken: frozenset[str] = frozenset()) -> Examined:
    """Compile a DetectionRule and run its cases.

    Parameters
    ----------
    body
        The whole object.
    taken
        Ids that belong to other rules.
    """
    name = watched.key_of(body)[1]
    origin = f"{resources.RULES.kind}/{name}"
    try:
        spec = parse.parse(types.DetectionRule, body).spec
        rules = sigma.compile_text(spec.sigma, origin=origin, default_id=name)
        listed = [{"name": one.name, "fires": one.fires, "records": list(one.inputs)} for one in spec.cases]
        cases = rule_cases.from_data(listed, base=None, origin="spec")
    except errors.BadInputError as error:
        return Examined((), INVALID, str(error))
    if spec.severity is not None:
        rules = tuple(
            msgspec.structs.replace(one, card=msgspec.structs.replace(one.card, severity=spec.severity))
            for one in rules
        )
    ids = [one.card.id for one in rules if one.output]
    double = sorted(taken.intersection(ids))
    if double:
        return Examined(
            (), TAKEN, f"spec.sigma: the id {double[0]!r} belongs to another rule; choose a name of its own"
        )
    failures = failed_cases(rules, cases, ids=ids)
    if failures:
        told = "; ".join(f"{one.case!r}: {one.reason}" for one in failures[:_SHOWN])
        message = f"{len(failures)} of {len(cases)} cases are judged wrongly: {told}"
        return Examined((), FAILED, message, len(cases) - len(failures), len(failures))
    proof = f"{len(cases)} cases pass" if cases else "it has no cases; add some to spec.cases"
    return Examined(rules, ACCEPTED, f"in force as {', '.join(ids)}; {proof}", len(cases))


def failed_cases(
    rules: tuple[rule_types.Rule, ...], cases: Iterable[rule_cases.Case], *, ids: Iterable[str]
) -> list[rule_cases.Failure]:
    """Run cases; with several ids one that fires is enough, and for a quiet case none may."""
    failures = []
    for case in cases:
        wrong = [rule_cases.run(rules, [case], rule_id=one) for one in ids]
        bad = [failed[0] for failed in wrong if failed]
        if bad and (not case.fires or len(bad) == len(wrong)):
            failures.append(bad[0])
    return failures
