"""Stage 4a, the index: the shape of a record and its client -> what of which rules is left to ask.

A *shape* is verb, resource, subresource and result code; a *client* is a class of user names, a class of user agents,
whether the source is public, and whether somebody is impersonated. Two names are of one class when no test in any rule
tells them apart. Whatever a condition says about shape, client and namespace is evaluated once and remembered, so for
most records a few dictionary look-ups answer all rules. Every memory is bounded; when one is full it starts empty,
which costs time and changes nothing. Called by `rules.engine`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from riverwatch.activity import derived, derived_author, derived_facts, derived_request, identities, record
from riverwatch.rules import bounds, nodes, remaining

MAX_PLANS = 16_384
"""Remembered combinations of shape, client and namespace; a large cluster shows a few thousand."""

MAX_NAMES = 65_536
"""Remembered user names: several times the identities of the largest clusters supported."""

MAX_AGENTS = 4_096
"""Remembered user agents; a client may invent more."""

MAX_ADDRESSES = 65_536
"""Remembered source addresses."""

MAX_KEY_CHARS = 512
"""Characters of what is remembered by; real names and agents stay below, and a client may send a megabyte."""

MAX_CLASSES = 8_192
"""Classes of names and of agents that fit their bits of a client number."""

IMPERSONATED = 1
"""Bit of a client number: somebody is impersonated."""

_PUBLIC = 2
_NO_ADDRESS = 4
_NAME_UNIT = 8
_AGENT_UNIT = _NAME_UNIT * MAX_CLASSES

_NAME_FIELDS = frozenset(
    {
        "user.username",
        "identity.kind",
        "identity.namespace",
        "identity.name",
        "identity.controller",
        "identity.node",
        "identity.controlPlane",
        "identity.platform",
        "request.anonymous",
    }
)
"""Fields that the user name decides; for kubelets together with the group that every kubelet has."""

_GROUP_FIELDS = frozenset({"identity.node", "identity.controlPlane"})
"""Those of `_NAME_FIELDS` that ask for a kubelet's group."""

_SHAPE_FIELDS = frozenset(
    {
        "verb",
        "objectRef.resource",
        "objectRef.subresource",
        "responseStatus.code",
        "request.refused",
        "request.allowed",
        "request.failed",
    }
)


class OfKubelet:
    """A plan for kubelets that says more about somebody with a kubelet's name and without its group."""

    __slots__ = ("plan",)

    def __init__(self, plan: Plan) -> None:
        self.plan = plan


Plan: TypeAlias = "remaining.Steps | remaining.ByNamespace | OfKubelet | None"
"""What to do with a record; None when that is nothing."""


class Plans:
    """All rules in force, ready to be asked.

    Parameters
    ----------
    entries
        The rules in their order.
    """

    __slots__ = (
        "_agent_classes",
        "_agent_tests",
        "_anywhere",
        "_by_resource",
        "_left",
        "_name_classes",
        "_name_tests",
        "addresses",
        "agents",
        "names",
        "reads_author",
        "shapes",
        "size",
        "writers",
    )

    def __init__(self, entries: Iterable[remaining.Entry]) -> None:
        self.names: dict[str, int] = {}
        """User name -> its class, as part of a client number."""
        self.agents: dict[str, int] = {}
        """User agent -> its class, as part of a client number."""
        self.addresses: dict[str, int] = {}
        """Source address -> whether it is public, as part of a client number."""
        self.shapes: dict[str, dict[str, dict[str, dict[int, dict[int, Plan]]]]] = {}
        """Verb -> resource -> subresource -> code -> client -> plan; nested, since that is faster than a tuple."""
        self.size = 0
        """Plans remembered."""
        self.reads_author = False
        """Whether any rule asks for the field `author`."""
        self.writers: list[tuple[remaining.Entry, nodes.Predicate]] = []
        """Rules that judge the pods that are written, in their order, with their whole conditions."""
        self._left: dict[tuple[str, str, str, int], remaining.Left] = {}
        self._by_resource: dict[str, list[remaining.Entry]] = {}
        self._anywhere: list[remaining.Entry] = []
        self._name_classes: dict[int, int] = {}
        self._agent_classes: dict[int, int] = {}
        name_tests: dict[nodes.Predicate, None] = {}
        agent_tests: dict[nodes.Predicate, None] = {}
        for entry in entries:
            condition = entry.rule.condition
            if condition is None:
                continue
            self._place(entry)
            self.reads_author = self.reads_author or "author" in condition.fields
            if any(name.startswith("pod.") for name in condition.fields):
                self.writers.append((entry, condition.test))
            for leaf in nodes.leaves(condition.node):
                if leaf.lone and leaf.field in _NAME_FIELDS:
                    name_tests[leaf.test] = None
                elif leaf.lone and leaf.field == "userAgent":
                    agent_tests[leaf.test] = None
        self._name_tests = tuple(name_tests)
        self._agent_tests = tuple(agent_tests)

    def find(self, activity: record.Activity, facts: derived.Facts) -> Plan:
        """Work out the plan of a record, and remember it and the classes that lead to it."""
        kubelet = activity.principal.kind is identities.PrincipalKind.NODE
        if (kubelet and not derived_request.is_node(facts)) or _too_long(activity):
            # A kubelet's name without the group that every kubelet has is of no class, and rare.
            return self._plan(facts, remember=False)
        if self.size >= MAX_PLANS or max(len(self._name_classes), len(self._agent_classes)) >= MAX_CLASSES:
            self._forget()
        client = self._client(activity, facts)
        by_client = (
            self.shapes.setdefault(activity.verb, {})
            .setdefault(activity.resource, {})
            .setdefault(activity.subresource, {})
            .setdefault(activity.code, {})
        )
        if client in by_client:
            return by_client[client]
        self.size += 1
        plan = self._plan(facts)
        if kubelet and self._asks_for_group(activity) and (plan or self._plan(_without_groups(facts), remember=False)):
            plan = OfKubelet(plan)
        by_client[client] = plan
        return plan

    def steps(self, plan: Plan, facts: derived.Facts) -> remaining.Steps | None:
        """Return what to do with one record."""
        if isinstance(plan, OfKubelet):
            plan = plan.plan if derived_request.is_node(facts) else self._plan(facts, remember=False)
        if isinstance(plan, remaining.ByNamespace):
            try:
                return plan.steps[facts.activity.namespace]
            except KeyError:
                return self._at(plan, facts)
        return plan  # type: ignore[return-value]  # a plan of a kubelet holds no other

    def _at(self, plan: remaining.ByNamespace, facts: derived.Facts) -> remaining.Steps | None:
        steps = plan.work_out(facts)
        if len(facts.activity.namespace) <= MAX_KEY_CHARS:
            if self.size >= MAX_PLANS:
                plan.forget()
            self.size += 1
            plan.steps[facts.activity.namespace] = steps
        return steps

    def source(self, addresses: list[str] | None) -> int:
        """Return the part of a client number that speaks of the source."""
        if not addresses:
            return _NO_ADDRESS
        return _PUBLIC if derived_request.from_public(addresses) else 0

    def _asks_for_group(self, activity: record.Activity) -> bool:
        """Return whether any rule for this shape tells kubelets from those who only have a kubelet's name."""
        left = self._left[(activity.verb, activity.resource, activity.subresource, activity.code)]
        return any(leaf.field in _GROUP_FIELDS for _, node in left for leaf in nodes.leaves(node))

    def _forget(self) -> None:
        for memory in (self.shapes, self._left, self.names, self.agents, self._name_classes, self._agent_classes):
            memory.clear()
        self.size = 0

    def _place(self, entry: remaining.Entry) -> None:
        boxes = entry.rule.condition.boxes if entry.rule.condition else ()
        if any(box.resources is None for box in boxes):
            self._anywhere.append(entry)
            return
        for resource in sorted(frozenset().union(*(box.resources or frozenset() for box in boxes))):
            self._by_resource.setdefault(resource, []).append(entry)

    def _client(self, activity: record.Activity, facts: derived.Facts) -> int:
        username, agent = activity.principal.username, activity.user_agent
        client = self.source(activity.record.source_ips)
        for address in (activity.record.source_ips or ())[:1]:
            _bounded(self.addresses, MAX_ADDRESSES)[address] = self.source([address])
        if username not in self.names:
            number = self._class(self._name_classes, self._name_tests, facts) * _NAME_UNIT
            _bounded(self.names, MAX_NAMES)[username] = number
        if agent not in self.agents:
            number = self._class(self._agent_classes, self._agent_tests, facts) * _AGENT_UNIT
            _bounded(self.agents, MAX_AGENTS)[agent] = number
        client += self.names[username] + self.agents[agent]
        return client + (IMPERSONATED if activity.record.impersonated_user is not None else 0)

    def _class(self, classes: dict[int, int], tests: tuple[nodes.Predicate, ...], facts: derived.Facts) -> int:
        bits = 0
        for place, test in enumerate(tests):
            try:
                bits |= bool(test(facts)) << place
            except Exception:  # noqa: BLE001, S112 - a faulty test is left to the record, where its faults are counted
                continue
        return classes.setdefault(bits, len(classes))

    def _plan(self, facts: derived.Facts, *, remember: bool = True) -> Plan:
        activity = facts.activity
        key = (activity.verb, activity.resource, activity.subresource, activity.code)
        left = self._left.get(key)
        if left is None:
            left = self._for_shape(activity, facts)
            if remember:
                self._left[key] = left
        plain = activity.record.impersonated_user is None

        def known(field: str) -> bool:
            return (
                field in _NAME_FIELDS
                or field in ("userAgent", "source.public")
                or (plain and (field == "identity.impersonatedGroups" or field.startswith("impersonatedUser.")))
            )

        left = remaining.settled(left, facts, known)
        tasks = _tasks(facts)
        if any(
            leaf.lone and leaf.field in remaining.NAMESPACE_FIELDS for _, node in left for leaf in nodes.leaves(node)
        ):
            return remaining.ByNamespace(tasks, left)
        return remaining.Steps(tasks, left) if left or tasks else None

    def _for_shape(self, activity: record.Activity, facts: derived.Facts) -> remaining.Left:
        possible = [*self._anywhere, *self._by_resource.get(activity.resource.lower(), ())]
        possible.sort(key=lambda entry: entry.place)
        known = _known_by_shape(activity)
        rules: remaining.Left = [(entry, entry.rule.condition.node) for entry in possible if entry.rule.condition]
        return remaining.settled(rules, facts, known)


def _tasks(facts: derived.Facts) -> tuple[remaining.Task, ...]:
    activity = facts.activity
    if activity.verb not in derived_facts.WRITE_VERBS or activity.subresource or activity.failed:
        return ()
    if activity.resource == "secrets":
        return _tasks_of_secret(activity.verb, controller=derived_request.is_controller(facts))
    tasks: list[remaining.Task] = []
    if activity.resource in derived_author.KINDS:
        tasks.append(remaining.Task.OBSERVE)
    if activity.verb == "create" and (activity.resource == "pods" or tasks) and derived_request.is_controller(facts):
        tasks.append(remaining.Task.ATTRIBUTE)
    return tuple(tasks)


def _tasks_of_secret(verb: str, *, controller: bool) -> tuple[remaining.Task, ...]:
    """Return what is to be done with a secret: remember who made it, and tell when the control plane fills it."""
    if controller:
        return (remaining.Task.ATTRIBUTE,) if verb in {"update", "patch"} else ()
    return (remaining.Task.OBSERVE,) if verb == "create" else ()


def _known_by_shape(activity: record.Activity) -> Callable[[str], bool]:
    """Return which fields have the same value in all records of this shape, be it that they are absent."""
    shape = bounds.Shape(
        verb=activity.verb,
        resource=activity.resource,
        subresource=activity.subresource,
        code=activity.code,
        kind="",
        impersonated=False,
        public=False,
        user_agent="",
    )

    @functools.cache
    def known(field: str) -> bool:
        if field in _SHAPE_FIELDS:
            return True
        if field == "request.succeeded":
            return activity.failed
        if field == "request.bulk":
            return activity.verb not in ("list", "watch", "deletecollection")
        return not any(box.possible(shape) for box in bounds.present(field))

    return known


def _too_long(activity: record.Activity) -> bool:
    return (
        max(
            len(activity.principal.username),
            len(activity.user_agent),
            len(activity.source_ip),
            len(activity.verb),
            len(activity.resource),
            len(activity.subresource),
        )
        > MAX_KEY_CHARS
    )


def _without_groups(facts: derived.Facts) -> derived.Facts:
    source = facts.activity.record
    nobody = msgspec.structs.replace(source.user, groups=None) if source.user else None
    anonymous = msgspec.structs.replace(source, user=nobody)
    return derived.Facts(msgspec.structs.replace(facts.activity, record=anonymous))


def _bounded(memory: dict[str, int], limit: int) -> dict[str, int]:
    if len(memory) >= limit:
        memory.clear()
    return memory
