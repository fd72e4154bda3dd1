"""Stage 5, triage: a person's verdict about a detection -> what is learned, and what stays quiet from now on.

False alarms and expected happenings are learned, once and with the few vectors that were kept for it, and the same
finding (same actor, same rule, same object; same actor, same novelty) is quiet until the verdict expires; what it keeps
quiet is counted. A true positive is never learned. Applying a verdict twice changes nothing; taking it back forgets
what it taught the identity. Pure: time is record time; part of the checkpoint; owned by `runtime.pipeline`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from riverwatch import vocabulary
from riverwatch.activity import record
from riverwatch.features import attributes, vector
from riverwatch.models import bank as model_bank
from riverwatch.models import base
from riverwatch.rules import base as rules_base
from riverwatch.scoring import cases

QUIET_S = 90 * 86_400.0
"""Seconds after the last evidence for which a finding stays quiet when the verdict does not say until when."""

MAX_KEPT = 1_000
"""Detections whose material is kept for a verdict, about 4 KB each, 90 KB at worst; the one that grew longest ago goes
first."""

MAX_RULINGS = 2_000
"""Verdicts kept; the oldest goes first."""

MAX_VECTORS = 32
"""Vectors kept per detection: all that a verdict about it can teach."""

MAX_SIGNS = 256
"""Signs kept per detection."""

QUIETING = frozenset({vocabulary.Verdict.FALSE_POSITIVE, vocabulary.Verdict.EXPECTED})
"""Verdicts that teach and keep quiet."""

ANY_OBJECT = "*"
"""Stands for the object in the sign of a rule that counts several requests: its last request is any of them."""


class Subject(msgspec.Struct, frozen=True):
    """What the object of a detection says about itself, for when nothing else is known any more."""

    key: str
    """Case key of the actor."""
    last_s: float
    detectors: tuple[str, ...] = ()
    targets: tuple[tuple[str, str, str], ...] = ()
    """Resource path, namespace and name."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Feature and value of what was new."""


class Material(msgspec.Struct):
    """What a verdict about one detection would be about."""

    last_s: float = 0.0
    keys: list[str] = []
    """Case keys of its identities."""
    signs: dict[str, None] = {}
    vectors: list[cases.Held] = []

    def teaches(self, measured: vector.FeatureVector) -> bool:
        """Tell whether a vector holds a value that none of those kept does."""
        kept = [one.measured.values for one in self.vectors if one.measured.identity == measured.identity]
        return any(
            value and all(values[place] != value for values in kept) for place, value in enumerate(measured.values)
        )


class Ruling(msgspec.Struct):
    """One verdict in force."""

    verdict: vocabulary.Verdict
    until_s: float = 0.0
    """Epoch seconds; 0 before `Triage.rule` has set the default."""
    reason: str = ""
    signs: list[str] = []
    learned: list[tuple[str, str, int, str]] = []
    """Home, identity, place and value of what was new to the identity."""
    suppressed: int = 0
    """Hits and novelties that it kept quiet."""


def sign_of_rule(key: str, rule: str, target: tuple[str, str, str]) -> str:
    """Return the sign of a rule that hits one actor at one object."""
    return "\n".join((key, rule, target[0], target[1], attributes.stable_name(target[2])))


def sign_of_novelty(key: str, feature: str, value: str) -> str:
    """Return the sign of something new about one actor."""
    return f"{key}\n{feature}={value}"


class Triage:
    """Verdicts, and what is needed to carry them out."""

    def __init__(self) -> None:
        self.rulings: dict[str, Ruling] = {}
        """By uid of the detection, the oldest verdict first."""
        self.suppressed = 0
        """Hits and novelties kept quiet since the process began."""
        self._material: dict[str, Material] = {}
        self._quiet: dict[str, str] = {}
        """Sign -> uid of the detection whose verdict keeps it quiet."""
        self._actors: dict[str, int] = {}
        """Case key -> number of signs that are about it."""

    def remember(  # noqa: PLR0913 - one keyword per thing that is kept
        self,
        uid: str,
        key: str,
        activity: record.Activity,
        *,
        now: cases.Held,
        before: Sequence[cases.Held],
        hits: Iterable[rules_base.RuleHit],
        parts: Iterable[base.Surprise],
    ) -> None:
        """Keep what one record of a detection would teach, and with the first one what was held back before it."""
        kept = self._material.pop(uid, None) or Material()
        self._material[uid] = kept
        if len(self._material) > MAX_KEPT:
            del self._material[next(iter(self._material))]
        kept.last_s = max(kept.last_s, activity.time_s)
        held = [now]
        if key not in kept.keys:
            kept.keys.append(key)
            held = [*before, now]
        target = (activity.resource_path, activity.namespace, activity.name)
        signs = [sign_of_rule(key, hit.card.id, _target(hit.card, target)) for hit in hits]
        signs += [sign_of_novelty(key, part.feature, part.observed) for part in parts]
        for sign in signs:
            if len(kept.signs) < MAX_SIGNS:
                kept.signs[sign] = None
        for one in held:
            if len(kept.vectors) < MAX_VECTORS and kept.teaches(one.measured):
                kept.vectors.append(one)

    def rule(
        self, uid: str, ruling: Ruling | None, *, bank: model_bank.Bank, now_s: float, subject: Subject | None = None
    ) -> list[str] | None:
        """Carry out a verdict.

        Parameters
        ----------
        uid
            Uid of the detection.
        ruling
            The verdict; its `until_s` 0 stands for the default. None takes the verdict back.
        bank
            The models that learn.
        now_s
            Record time.
        subject
            What the object says, for detections that are known no more.

        Returns
        -------
        list
            Case keys that the verdict is about; None when it was in force already.
        """
        before = self.rulings.get(uid)
        kept = self._material.get(uid)
        last_s = kept.last_s if kept else subject.last_s if subject else now_s
        if ruling is not None and not ruling.until_s:
            ruling.until_s = last_s + QUIET_S
        if (before and (before.verdict, before.until_s)) == (ruling and (ruling.verdict, ruling.until_s)):
            return None
        if before is not None:
            self._revoke(uid, before, bank, unlearn=ruling is None or ruling.verdict not in QUIETING)
        keys = list(kept.keys) if kept else [subject.key] if subject else []
        if ruling is None:
            return keys
        if ruling.verdict in QUIETING:
            self._quieten(uid, ruling, kept, subject)
            if before is not None and before.verdict in QUIETING:
                ruling.learned, ruling.suppressed = before.learned, before.suppressed
            elif kept is not None:
                ruling.learned = [part for one in kept.vectors for part in _teach(bank, one, now_s)]
        self.rulings[uid] = ruling
        if len(self.rulings) > MAX_RULINGS:
            oldest = next(iter(self.rulings))
            self._revoke(oldest, self.rulings[oldest], bank, unlearn=False)
        return keys

    def about(self, key: str) -> bool:
        """Tell whether anything about an actor is kept quiet."""
        return key in self._actors

    def hits(
        self, key: str, activity: record.Activity, hits: Sequence[rules_base.RuleHit]
    ) -> Sequence[rules_base.RuleHit]:
        """Return the rule hits that no verdict keeps quiet; the others are counted."""
        target = (activity.resource_path, activity.namespace, activity.name)
        return [
            hit
            for hit in hits
            if not self._silenced(sign_of_rule(key, hit.card.id, _target(hit.card, target)), activity.time_s)
        ]

    def parts(self, key: str, activity: record.Activity, parts: list[base.Surprise]) -> list[base.Surprise]:
        """Return the novelties that no verdict keeps quiet; the others are counted."""
        return [
            part
            for part in parts
            if not self._silenced(sign_of_novelty(key, part.feature, part.observed), activity.time_s)
        ]

    def counts(self) -> dict[str, int]:
        """Return how much each verdict kept quiet, by uid of the detection; nothing where it was nothing."""
        return {uid: ruling.suppressed for uid, ruling in self.rulings.items() if ruling.suppressed}

    def dump(self) -> dict[str, object]:
        """Return plain data for a checkpoint."""
        return {
            "rulings": {uid: msgspec.to_builtins(ruling) for uid, ruling in self.rulings.items()},
            "material": [[uid, msgspec.to_builtins(kept)] for uid, kept in self._material.items()],
        }

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.rulings = msgspec.convert(data["rulings"], dict[str, Ruling])
        self._material = dict(msgspec.convert(data["material"], list[tuple[str, Material]]))
        self._quiet, self._actors = {}, {}
        for uid, ruling in self.rulings.items():
            self._index(uid, ruling.signs)

    def _silenced(self, sign: str, time_s: float) -> bool:
        uid = self._quiet.get(sign)
        ruling = self.rulings.get(uid) if uid is not None else None
        if ruling is None or time_s >= ruling.until_s:
            return False
        ruling.suppressed += 1
        self.suppressed += 1
        return True

    def _quieten(self, uid: str, ruling: Ruling, kept: Material | None, subject: Subject | None) -> None:
        ruling.signs = list(kept.signs) if kept else list(_signs(subject))[:MAX_SIGNS] if subject else []
        self._index(uid, ruling.signs)

    def _index(self, uid: str, signs: Iterable[str]) -> None:
        for sign in signs:
            if sign not in self._quiet:
                key = sign.partition("\n")[0]
                self._actors[key] = self._actors.get(key, 0) + 1
            self._quiet[sign] = uid

    def _revoke(self, uid: str, ruling: Ruling, bank: model_bank.Bank, *, unlearn: bool) -> None:
        del self.rulings[uid]
        for sign in ruling.signs:
            if self._quiet.get(sign) == uid:
                del self._quiet[sign]
                key = sign.partition("\n")[0]
                self._actors[key] -= 1
                if not self._actors[key]:
                    del self._actors[key]
        if not unlearn:
            return
        for home, identity, place, value in ruling.learned:
            model = bank.homes.get(home)
            habit = model.habit(identity) if model is not None else None
            if habit is not None and habit.attributes[place].values.pop(value, None) is not None:
                habit.edition += 1


def _target(card: rules_base.RuleCard, target: tuple[str, str, str]) -> tuple[str, str, str]:
    return (ANY_OBJECT, "", "") if card.sequence else target


def _signs(subject: Subject) -> Iterable[str]:
    for rule in subject.detectors:
        yield sign_of_rule(subject.key, rule, (ANY_OBJECT, "", ""))
        for target in subject.targets or (("", "", ""),):
            yield sign_of_rule(subject.key, rule, target)
    for feature, value in subject.pairs:
        yield sign_of_novelty(subject.key, feature, value)


def _teach(bank: model_bank.Bank, one: cases.Held, now_s: float) -> list[tuple[str, str, int, str]]:
    """Learn one vector as if it came now; return what was new to the identity."""
    measured = msgspec.structs.replace(one.measured, time_s=now_s)
    model = bank.homes.get(measured.home)
    habit = model.habit(measured.identity) if model is not None else None
    fresh = [
        (measured.home, measured.identity, place, value)
        for place, value in enumerate(measured.values)
        if value and (habit is None or value not in habit.attributes[place].values)
    ]
    bank.learn(measured, one.use)
    return fresh
