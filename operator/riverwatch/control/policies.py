"""Follows DetectionPolicy, ClusterDetectionPolicy and the labels of namespaces -> the `PolicySet` in force.

A policy that cannot be compiled gets ``Ready=False`` with the field paths, and its last good version stays in force.
The set is built on the worker's thread, once for any number of changes that came together.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from riverwatch import clock, errors
from riverwatch.control import last_good, statuses, watched
from riverwatch.kube import resources
from riverwatch.scoring import policy, policy_compile

_log = logging.getLogger(__name__)

ACCEPTED = "Accepted"
"""Reason of a policy that is in force."""

INVALID = "InvalidSpec"
"""Reason of a policy that cannot be compiled."""


@dataclasses.dataclass(frozen=True)
class Held:
    """One policy as far as we know it."""

    good: policy.CompiledPolicy | None
    """The last version that could be compiled."""
    good_generation: int
    problem: str
    """What is wrong with the newest version; empty when nothing is."""


class PolicyKeeper:
    """Holds all policies.

    Parameters
    ----------
    report
        Where conditions go.
    publish
        Told that the set changed; `policy_set` gives the new one.
    time
        Clock, to count exceptions that are over.
    memory
        Last good versions of an earlier run; they hold until the first list says otherwise.
    """

    follows = (resources.CLUSTER_POLICIES, resources.POLICIES, resources.NAMESPACES)

    def __init__(
        self,
        report: statuses.Statuses,
        publish: Callable[[], None],
        *,
        time: clock.Clock,
        memory: last_good.LastGood | None = None,
    ) -> None:
        self._memory = memory or last_good.LastGood(None)
        self._report = report
        self._publish = publish
        self._time = time
        self._lock = threading.Lock()
        self._held: dict[resources.Resource, dict[watched.Key, Held]] = {
            kind: {watched.key_of(body): compiled(body, None) for body in self._memory.bodies(kind)}
            for kind in (resources.POLICIES, resources.CLUSTER_POLICIES)
        }
        self._labels: dict[watched.Key, Mapping[str, str]] = {}

    def take(self, resource: resources.Resource, body: Mapping[str, Any]) -> None:
        """Compile a policy, or note the labels of a namespace."""
        key = watched.key_of(body)
        if resource is resources.NAMESPACES:
            labels = dict((body.get("metadata") or {}).get("labels") or {})
            with self._lock:
                changed = self._labels.get(key) != labels
                self._labels[key] = labels
            if changed:
                self._publish()
            return
        with self._lock:
            before = self._held[resource].get(key)
        held = compiled(body, before)
        with self._lock:
            self._held[resource][key] = held
        if not held.problem:
            self._memory.put(resource, body)
        if before is None or held.good != before.good:
            self._publish()
        self._report.observe(resource, body, self._observation(held))

    def forget(self, resource: resources.Resource, key: watched.Key) -> None:
        """Drop a policy or a namespace."""
        with self._lock:
            if resource is resources.NAMESPACES:
                self._labels.pop(key, None)
            else:
                self._held[resource].pop(key, None)
                self._memory.drop(resource, key)
        self._publish()

    def known(self, resource: resources.Resource) -> Iterable[watched.Key]:
        """Return what is held of a kind."""
        with self._lock:
            return list(self._labels if resource is resources.NAMESPACES else self._held[resource])

    def policy_set(self) -> policy.PolicySet:
        """Build the set of everything that is in force now."""
        with self._lock:
            good = [held.good for group in self._held.values() for held in group.values() if held.good is not None]
            labels = {name: labels for (_, name), labels in self._labels.items()}
        return policy.PolicySet(good, namespace_labels=labels)

    def broken(self) -> int:
        """Return how many policies cannot be compiled as they stand."""
        with self._lock:
            return sum(1 for group in self._held.values() for held in group.values() if held.problem)

    def _observation(self, held: Held) -> Any:
        if held.problem:
            kept = (
                f"; the version of generation {held.good_generation} stays in force"
                if held.good is not None
                else "; nothing of it is in force"
            )
            return statuses.not_ready(INVALID, held.problem + kept)
        assert held.good is not None
        return statuses.ready(ACCEPTED, summary(held.good, now_s=self._time.now_s()))


def compiled(body: Mapping[str, Any], before: Held | None) -> Held:
    """Compile a policy; when that fails keep what was good before."""
    try:
        good = policy_compile.compile_body(body)
    except errors.BadPolicyError as error:
        if before is not None:
            return dataclasses.replace(before, problem=error.detail)
        return Held(None, 0, error.detail)
    return Held(good, watched.generation_of(body), "")


def summary(good: policy.CompiledPolicy, *, now_s: float) -> str:
    """Say in a line what a policy does."""
    parts = ["in force"]
    if good.mode is not None:
        parts.append(f"mode {good.mode.value}")
    if good.alert_budget_per_day is not None:
        parts.append(f"{good.alert_budget_per_day:g} alerts a day")
    if good.overrides:
        parts.append(f"{len(good.overrides)} detector overrides")
    if good.exceptions:
        over = sum(1 for one in good.exceptions if one.expires_s is not None and one.expires_s <= now_s)
        parts.append(f"{len(good.exceptions)} exceptions" + (f", {over} of them expired" if over else ""))
    return "; ".join(parts)
