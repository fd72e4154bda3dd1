"""What the audit stream shows at all: records looked at now and then -> `Report` of rules and models that are blind.

The audit policy in force is inferred: per resource and class of verbs the highest level that was seen. A rule that
needs a body cannot fire where only metadata is recorded, and nothing else would ever say so. Pure and bounded; fed a
sample by `runtime.stream_watch`, or every record by ``riverwatch surface``. Owned by one thread.
"""

from __future__ import annotations

import copy
import enum
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from riverwatch.activity import record
from riverwatch.models import base as models_base
from riverwatch.rules import bounds, rule

MAX_CELLS = 4_096
"""Pairs of resource and class of verbs remembered; a large cluster with many custom resources shows about 1,500."""

ENOUGH = 200
"""Records looked at before anything is said: fewer would report a quiet minute as blindness."""

PLENTY = 1_000
"""Records looked at after which the complete absence of reads, refusals or addresses is no chance any more."""

BODY_TRIES = 3
"""Writes without any body, although their level promises one, after which bodies count as lost on the way."""

MAX_SHOWN = 3
"""Resources named in one line."""


class Access(enum.StrEnum):
    """Classes of verbs, as audit policies tell them apart."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    OTHER = "other"


_ACCESS = {
    **dict.fromkeys(("get", "list", "watch"), Access.READ),
    **dict.fromkeys(("create", "update", "patch"), Access.WRITE),
    **dict.fromkeys(("delete", "deletecollection"), Access.DELETE),
}

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
"""Audit levels, each with everything of the one before."""

_RANK = {name: rank for rank, name in enumerate(LEVELS)}
_METADATA = _RANK["Metadata"]
_REQUEST = _RANK["Request"]


class Field(enum.StrEnum):
    """Parts of a record that some wrappers and older API servers leave out."""

    ADDRESS = "source addresses"
    AGENT = "user agents"
    CREDENTIAL = "credential ids"
    CODE = "response codes"


INPUTS = {
    "address": Field.ADDRESS,
    "network": Field.ADDRESS,
    "agent": Field.AGENT,
    "user_agent": Field.AGENT,
    "credential": Field.CREDENTIAL,
    "code": Field.CODE,
    "outcome": Field.CODE,
}
"""Input of a model, as its card names it -> the part of the record that it comes from."""


class Cell(msgspec.Struct):
    """One resource and class of verbs."""

    group: str
    resource: str
    """Empty for paths that are no resources."""
    subresource: str
    access: Access
    level: int = 0
    """Highest level seen, as a place in `LEVELS`."""
    records: int = 0
    bodies: int = 0
    """Records with a request body."""

    @property
    def name(self) -> str:
        """``group/resource/subresource``, or what stands for paths."""
        if not self.resource:
            return "(paths)"
        return "/".join(part for part in (self.group, self.resource, self.subresource) if part)

    @property
    def effective(self) -> int:
        """The level that rules can count on: bodies that never arrive are not there, whatever the level says."""
        if self.level >= _REQUEST and self.access is Access.WRITE and not self.bodies and self.records >= BODY_TRIES:
            return _METADATA
        return self.level


class Sight(enum.StrEnum):
    """How much a rule sees; a closed set."""

    SEES = "sees"
    PARTLY = "partly"
    """Some of the resources it is about are recorded at too low a level."""
    TOO_LOW = "level_too_low"
    """It cannot fire: every resource it is about is recorded at too low a level."""
    NOT_RECORDED = "not_recorded"
    """It cannot fire: a whole class of requests is missing from the stream."""
    NOT_SEEN = "not_seen_yet"
    """Nothing of the kind happened so far, so nothing can be told."""


class RuleSight(msgspec.Struct, frozen=True):
    """What one rule sees."""

    rule: str
    title: str
    severity: str
    sight: Sight
    needs: str
    """Audit level."""
    where: tuple[str, ...]
    """Resources recorded too low, with their level; empty when none is."""


class ModelSight(msgspec.Struct, frozen=True):
    """What one model misses."""

    model: str
    missing: tuple[str, ...]


class Report(msgspec.Struct, frozen=True):
    """What can be told about the stream."""

    looked_at: int
    """Records looked at."""
    policy: tuple[tuple[str, str, str, int], ...]
    """The inferred audit policy: resource, class of verbs, effective level, records."""
    rules: tuple[RuleSight, ...]
    """Every rule that raises or feeds, those that see least first."""
    models: tuple[ModelSight, ...]
    """Models that miss something."""
    notes: tuple[str, ...]
    """What else people should know, one sentence each."""

    def of(self, *sights: Sight) -> tuple[RuleSight, ...]:
        """Return the rules of some sights."""
        return tuple(one for one in self.rules if one.sight in sights)

    @property
    def blind(self) -> tuple[RuleSight, ...]:
        """Rules that cannot fire."""
        return self.of(Sight.TOO_LOW, Sight.NOT_RECORDED)

    @property
    def gaps(self) -> tuple[RuleSight, ...]:
        """Return the rules that cannot fire and matter.

        From Medium on: the shipped audit policy keeps the bodies of config maps out, at the price of rules of severity
        Low.
        """
        return tuple(one for one in self.blind if one.severity not in ("Low", "Info"))

    @property
    def enough(self) -> bool:
        """Whether enough was looked at to judge."""
        return self.looked_at >= ENOUGH


class Coverage:
    """What was seen so far.

    Examples
    --------
    >>> seen = Coverage()
    >>> seen.report((), ()).enough
    False
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str, Access], Cell] = {}
        self._fields = dict.fromkeys(Field, 0)
        self.looked_at = 0
        self._refused = 0
        self._reads = 0
        self._truncated = 0

    def look(self, one: record.AuditRecord) -> None:
        """Take one record into account."""
        self.looked_at += 1
        code = (one.response_status.code or 0) if one.response_status else 0
        extra = one.user.extra if one.user else None
        self._fields[Field.ADDRESS] += bool(one.source_ips and one.source_ips[0])
        self._fields[Field.AGENT] += bool(one.user_agent)
        self._fields[Field.CREDENTIAL] += bool(extra and extra.credential)
        self._fields[Field.CODE] += bool(code)
        self._refused += code in (401, 403)
        if one.annotations and b"audit.k8s.io/truncated" in bytes(one.annotations):
            self._truncated += 1
        access = _ACCESS.get(one.verb or "", Access.OTHER)
        self._reads += access is Access.READ
        cell = self._cell(one, access, code)
        if cell is not None:
            cell.records += 1
            cell.level = max(cell.level, _RANK.get(one.level or "", 0))
            cell.bodies += bool(one.request_object)

    def copy(self) -> Coverage:
        """Return a copy that another thread may ask for its report, which takes a moment in a large cluster."""
        other = Coverage()
        other.__dict__.update(self.__dict__)
        other._fields = dict(self._fields)
        other._cells = {key: copy.copy(cell) for key, cell in self._cells.items()}
        return other

    def report(self, rules: Sequence[rule.Rule], models: Iterable[models_base.ModelCard]) -> Report:
        """Say what rules and models can see.

        Parameters
        ----------
        rules
            All rules in force, those that only feed others included.
        models
            Cards of the models in force.
        """
        cells = sorted(self._cells.values(), key=lambda cell: (cell.group, cell.resource, cell.subresource))
        sights = [self._sight(one, rules, cells) for one in rules if one.output and one.card.raises]
        order = (Sight.NOT_RECORDED, Sight.TOO_LOW, Sight.PARTLY, Sight.NOT_SEEN, Sight.SEES)
        ranks = {name: -rank for rank, name in enumerate(("Info", "Low", "Medium", "High", "Critical"))}
        sights.sort(key=lambda one: (order.index(one.sight), ranks[one.severity], one.rule))
        return Report(
            looked_at=self.looked_at,
            policy=tuple((one.name, one.access.value, LEVELS[one.effective], one.records) for one in cells),
            rules=tuple(sights),
            models=tuple(self._blind_models(models)),
            notes=tuple(self._notes()),
        )

    def _cell(self, one: record.AuditRecord, access: Access, code: int) -> Cell | None:
        target = one.object_ref
        group, resource, subresource = (
            (target.api_group or "", target.resource or "", target.subresource or "") if target else ("", "", "")
        )
        key = (group, resource, subresource, access)
        cell = self._cells.get(key)
        # What was refused or not found may name anything: a client must not be able to fill the memory.
        if cell is None and code < 400 and len(self._cells) < MAX_CELLS:
            cell = self._cells[key] = Cell(*key)
        return cell

    def _sight(self, one: rule.Rule, rules: Sequence[rule.Rule], cells: list[Cell]) -> RuleSight:
        boxes = boxes_of(one, rules)
        wanted = _RANK[one.card.audit_level.value]
        fitting = [cell for cell in cells if any(_fits(box, cell) for box in boxes)]
        low = [cell for cell in fitting if cell.effective < wanted]
        if not fitting:
            unrecorded = self.looked_at >= PLENTY and not self._reads and _reads_only(boxes)
            sight = Sight.NOT_RECORDED if unrecorded else Sight.NOT_SEEN
        elif len(low) == len(fitting):
            sight = Sight.TOO_LOW
        else:
            sight = Sight.PARTLY if low else Sight.SEES
        return RuleSight(
            rule=one.card.id,
            title=one.card.title,
            severity=one.card.severity.value,
            sight=sight,
            needs=one.card.audit_level.value,
            where=tuple(f"{cell.access.value} {cell.name}: {LEVELS[cell.effective]}" for cell in low),
        )

    def _blind_models(self, models: Iterable[models_base.ModelCard]) -> Iterator[ModelSight]:
        if self.looked_at < ENOUGH:
            return
        for card in models:
            wanted = dict.fromkeys(INPUTS[name] for name in card.inputs if name in INPUTS)
            missing = tuple(field.value for field in wanted if not self._fields[field])
            if missing:
                yield ModelSight(card.name, missing)

    def _notes(self) -> Iterator[str]:
        for cell in self._cells.values():
            if cell.resource == "secrets" and not cell.subresource and cell.bodies:
                yield "Bodies of secrets are recorded: the audit log holds credentials. Record secrets at Metadata."
        if self._truncated:
            yield f"{self._truncated} records were truncated by the API server; their bodies cannot be judged."
        if self.looked_at < PLENTY:
            return
        if not self._reads:
            yield "No reads are recorded: who reads secrets, and who looks around, stays unseen."
        if not self._refused:
            yield "No refused request was seen in all this: the stream may leave refusals out."


def boxes_of(one: rule.Rule, rules: Sequence[rule.Rule]) -> bounds.Boxes:
    """Return the records that a rule could be about; of a correlation, those of the rules it counts."""
    if one.condition is not None:
        return one.condition.boxes
    feeds = one.correlation.feeds if one.correlation else ()
    found = [other for other in rules if other.key in feeds and other is not one]
    return tuple(box for other in found for box in boxes_of(other, rules))


def _fits(box: bounds.Box, cell: Cell) -> bool:
    """Whether records of a cell can be inside a box."""
    return (
        (box.resources is None or cell.resource.lower() in box.resources)
        # Status reports are kept at Metadata everywhere; a rule that names no subresource is not about them.
        and (cell.subresource != "status" if box.subresources is None else cell.subresource.lower() in box.subresources)
        and (box.verbs is None or any(_ACCESS.get(verb, Access.OTHER) is cell.access for verb in box.verbs))
    )


def _reads_only(boxes: bounds.Boxes) -> bool:
    return bool(boxes) and all(
        box.verbs is not None and all(_ACCESS.get(verb) is Access.READ for verb in box.verbs) for box in boxes
    )
