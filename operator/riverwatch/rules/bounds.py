"""Stage 4a: a rule's condition -> the records it could match at all, as boxes for the index of `rules.engine`.

A box names, per dimension (verb, resource, subresource, result code, class of identity, impersonation, public source,
user agent), the only values under which the condition can hold; a missing dimension means any. The union of a rule's
boxes always covers every record the condition holds for: being too wide costs time, being too narrow would lose hits,
so when in doubt it is wider. Called by `rules.conditions` and `rules.engine`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import msgspec

from riverwatch.activity import derived_facts, derived_objects, derived_pod, derived_request, identities

MAX_BOXES = 24
"""Boxes kept per rule before they are merged into one."""

MAX_LINES = 4
"""Lines in which boxes are told."""

Code = Callable[[int], bool]
"""Whether a result code is inside."""

Agent = Callable[[str], bool]
"""Whether a user agent is inside."""


class Shape(msgspec.Struct, frozen=True):
    """What the index knows about a record; texts in lower case."""

    verb: str
    resource: str
    subresource: str
    code: int
    kind: str
    impersonated: bool
    public: bool
    user_agent: str


CONTROLLER = "controller"
"""Class of the control plane's own names; the other classes are the kinds of identity in lower case."""

CLASSES = frozenset({kind.value.lower() for kind in identities.PrincipalKind} | {CONTROLLER})
"""All classes of identities."""


def class_of(principal: identities.Principal) -> str:
    """Return the class of an identity for the index."""
    return CONTROLLER if derived_request.is_controller_name(principal.username) else principal.kind.value.lower()


class Box(msgspec.Struct, frozen=True):
    """One conjunction of limits; None and () mean any value."""

    verbs: frozenset[str] | None = None
    resources: frozenset[str] | None = None
    subresources: frozenset[str] | None = None
    codes: tuple[Code, ...] = ()
    kinds: frozenset[str] | None = None
    """Classes of identities as `class_of` gives them."""
    impersonated: bool | None = None
    public: bool | None = None
    agents: tuple[Agent, ...] = ()

    def possible(self, shape: Shape) -> bool:
        """Return whether a record of this verb, resource and subresource may match."""
        return (
            (self.verbs is None or shape.verb in self.verbs)
            and (self.resources is None or shape.resource in self.resources)
            and (self.subresources is None or shape.subresource in self.subresources)
        )

    def holds(self, shape: Shape) -> bool:
        """Return whether a record of this shape may match."""
        return (
            self.possible(shape)
            and (self.kinds is None or shape.kind in self.kinds)
            and (self.impersonated is None or shape.impersonated == self.impersonated)
            and (self.public is None or shape.public == self.public)
            and all(test(shape.code) for test in self.codes)
            and all(test(shape.user_agent) for test in self.agents)
        )


Boxes = tuple[Box, ...]
"""A union of boxes; the empty union holds for no record."""

ANYTHING: Boxes = (Box(),)
"""The union that excludes nothing."""


def of_texts(field: str, texts: Iterable[str]) -> Boxes:
    """Limit a field, by its full name, to some plain lower-case texts."""
    values = frozenset(texts)
    if field in _BY_VALUES:
        return _BY_VALUES[field](values)
    if field in _FLAGS and len(values) == 1:
        return _FLAGS[field].get(next(iter(values)), ANYTHING)
    return ANYTHING if "" in values else present(field)


def _codes(values: frozenset[str]) -> Boxes:
    codes = frozenset(int(text) for text in values if text.isdigit())
    return (Box(codes=(codes.__contains__,)),)


def _usernames(values: frozenset[str]) -> Boxes:
    # Sigma compares without case, so a name in other letters, which is an ordinary user, may match too.
    found = {class_of(identities.classify(text)) for text in values}
    return (Box(kinds=frozenset(found | {"user"})),)


_BY_VALUES: dict[str, Callable[[frozenset[str]], Boxes]] = {
    "verb": lambda values: (Box(verbs=values),),
    "objectRef.resource": lambda values: (Box(resources=values),),
    "objectRef.subresource": lambda values: (Box(subresources=values),),
    "responseStatus.code": _codes,
    "identity.kind": lambda values: (Box(kinds=values | {CONTROLLER}),),
    "user.username": _usernames,
}
"""Fields of the index with more than two values -> their boxes."""


def _code_box(test: Code) -> Boxes:
    return (Box(codes=(test,)),)


_FLAGS: dict[str, dict[str, Boxes]] = {
    "request.refused": {
        "true": _code_box(lambda code: code in (401, 403)),
        "false": _code_box(lambda code: code not in (401, 403)),
    },
    "request.allowed": {
        "true": _code_box(lambda code: code not in (401, 403)),
        "false": _code_box(lambda code: code in (401, 403)),
    },
    "request.failed": {"true": _code_box(lambda code: code >= 400), "false": _code_box(lambda code: code < 400)},
    "request.succeeded": {"true": _code_box(lambda code: code < 400)},
    "request.anonymous": {"true": (Box(kinds=frozenset({"anonymous"})),)},
    "identity.controller": {"true": (Box(kinds=frozenset({CONTROLLER})),)},
    "identity.controlPlane": {"true": (Box(kinds=frozenset({CONTROLLER, "node"})),)},
    "source.public": {"true": (Box(public=True),)},
}
"""Fields that are true or false -> the boxes of either; what is missing limits nothing."""


def of_texts_negated(field: str, texts: Iterable[str]) -> Boxes:
    """Limit to the records for which a field may be none of these texts."""
    values = frozenset(texts)
    if values == {"true"}:
        if field in ("identity.controlPlane", "identity.controller"):
            return (Box(kinds=CLASSES - {CONTROLLER}),)
        if field == "request.anonymous":
            return (Box(kinds=CLASSES - {"anonymous"}),)
    return ANYTHING


_WRITES = derived_facts.WRITE_VERBS

_PRESENT: dict[str, Boxes] = {
    "impersonatedUser": (Box(impersonated=True),),
    "proxy": (Box(subresources=frozenset({"proxy"})),),
    "exec": (Box(subresources=frozenset({"exec", "attach", "proxy"})),),
    "token": (Box(subresources=frozenset({"token"})),),
    "csr": (Box(resources=frozenset({"certificatesigningrequests"})),),
    "pod": (Box(verbs=_WRITES, resources=derived_pod.WORKLOADS, subresources=derived_pod.SPEC_SUBRESOURCES),),
    "rbac": (Box(verbs=_WRITES, resources=frozenset({"roles", "clusterroles"})),),
    "binding": (Box(verbs=_WRITES, resources=frozenset({"rolebindings", "clusterrolebindings"})),),
    "webhook": (Box(verbs=_WRITES, resources=frozenset(derived_objects.WEBHOOKS)),),
    "configmap": (Box(verbs=_WRITES, resources=frozenset({"configmaps"})),),
    "secret": (Box(verbs=_WRITES, resources=frozenset({"secrets"})),),
    "service": (Box(verbs=_WRITES, resources=frozenset({"services"})),),
    "ingress": (Box(verbs=_WRITES, resources=frozenset({"ingresses"})),),
    "object": (Box(verbs=_WRITES),),
}
"""Family of derived fields -> the records in which any of them can be present."""


def present(field: str) -> Boxes:
    """Limit to the records in which a field can be present at all."""
    if field == "pod.name":
        return (Box(resources=derived_pod.WORKLOADS, subresources=derived_pod.SPEC_SUBRESOURCES),)
    return _PRESENT.get(field.partition(".")[0], ANYTHING)


def absent(field: str) -> Boxes:
    """Limit to the records in which a field is absent."""
    if field == "objectRef.subresource":
        return (Box(subresources=frozenset({""})),)
    if field == "objectRef.resource":
        return (Box(resources=frozenset({""})),)
    if field.startswith("impersonatedUser"):
        return (Box(impersonated=False),) if field == "impersonatedUser.username" else ANYTHING
    return ANYTHING


def lines(boxes: Boxes) -> list[str]:
    """Say in one line per box which records a rule is asked about; one line in all when that is most of it."""
    found = list(dict.fromkeys(_line(box) for box in boxes))
    return found if len(found) <= MAX_LINES else [_line(_hull(boxes))]


def _line(box: Box) -> str:
    def some(values: frozenset[str] | None, otherwise: str) -> str:
        return otherwise if values is None else ", ".join(sorted(values))

    verbs, resources = some(box.verbs, "any verb"), some(box.resources, "any resource")
    parts = [f"{verbs} of {resources or 'no resource'}"]
    if box.subresources is not None:
        parts.append("/" + some(frozenset(one or "(itself)" for one in box.subresources), ""))
    if box.kinds is not None and len(box.kinds) < len(CLASSES) - 1:
        parts.append("by " + some(box.kinds, ""))
    elif box.kinds is not None:
        parts.append("not by " + some(CLASSES - box.kinds, ""))
    if box.impersonated:
        parts.append("acting as somebody else")
    if box.public:
        parts.append("from the internet")
    if box.agents:
        parts.append("with certain user agents")
    if box.codes:
        parts.append("with certain results")
    return " ".join(parts)


def union(parts: Iterable[Boxes]) -> Boxes:
    """Cover every record that any part covers."""
    boxes = tuple(dict.fromkeys(itertools.chain.from_iterable(parts)))
    return boxes if len(boxes) <= MAX_BOXES else (_hull(boxes),)


def intersection(parts: Iterable[Boxes]) -> Boxes:
    """Cover every record that all parts cover."""
    result: Boxes = ANYTHING
    for part in parts:
        product = (_both(left, right) for left in result for right in part)
        result = tuple(dict.fromkeys(box for box in product if box is not None))
        if len(result) > MAX_BOXES:
            result = (_hull(result),)
    return result


def _both(left: Box, right: Box) -> Box | None:
    if _clash(left.impersonated, right.impersonated) or _clash(left.public, right.public):
        return None
    verbs = _meet(left.verbs, right.verbs)
    resources = _meet(left.resources, right.resources)
    subresources = _meet(left.subresources, right.subresources)
    kinds = _meet(left.kinds, right.kinds)
    if any(values is not None and not values for values in (verbs, resources, subresources, kinds)):
        return None
    return Box(
        verbs=verbs,
        resources=resources,
        subresources=subresources,
        codes=tuple(dict.fromkeys((*left.codes, *right.codes))),
        kinds=kinds,
        impersonated=left.impersonated if right.impersonated is None else right.impersonated,
        public=left.public if right.public is None else right.public,
        agents=tuple(dict.fromkeys((*left.agents, *right.agents))),
    )


def _clash(left: bool | None, right: bool | None) -> bool:  # noqa: FBT001 - two equal operands
    return left is not None and right is not None and left != right


def _meet(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _hull(boxes: Boxes) -> Box:
    def join(sets: list[frozenset[str] | None]) -> frozenset[str] | None:
        return None if None in sets else frozenset().union(*(one for one in sets if one is not None))

    return Box(
        verbs=join([box.verbs for box in boxes]),
        resources=join([box.resources for box in boxes]),
        subresources=join([box.subresources for box in boxes]),
        kinds=join([box.kinds for box in boxes]),
    )
