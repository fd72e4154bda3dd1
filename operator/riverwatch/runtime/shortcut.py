"""Stages 2 to 4 for records of which everything is known: most of a cluster's life, most of the time.

A record is quiet when no rule has anything to say about it, its identity's habit knows all that is measured of it, and
its credential is where it belongs. Such a record raises nothing and teaches only how often and when, so it needs no
`Activity`, no vector and no verdict. That it is quiet was found out by `runtime.pipeline` with an earlier record of the
same combination and is remembered (`models.routine`); what may have changed since is asked again here. Detections and
everything learned are the same with and without this module, and a test holds it to that.

Called by `runtime.pipeline` for every batch; hands back, in order, the records that must be judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from riverwatch.activity import dedupe, normalise, record
from riverwatch.features import inventory, node_places, vector, volumes
from riverwatch.models import bank, drift, levels, novelty, routine
from riverwatch.rules import base as rules_base
from riverwatch.rules import engine
from riverwatch.runtime import credential_use
from riverwatch.scoring import judge, learning, policy
from riverwatch.sources import base as sources_base

_NO_HABIT = levels.Habit(0, 0.0)
"""Stands for a habit while models rest."""

NEVER = -1
"""An edition that no habit has, so that all values are looked up: not everything that was learned is known."""

_NO_OBJECT = record.ObjectReference()


class Memory(Protocol):
    """What is read and written of a pipeline; its parts may be replaced between two batches."""

    rules: engine.RuleEngine
    policies: policy.PolicySet
    own_usernames: frozenset[str]
    models_rest: bool
    frozen: frozenset[str]
    relearning: frozenset[str]
    inventory: inventory.Inventory
    node_places: node_places.NodePlaces
    models: bank.Bank
    judge: judge.Judge
    learning: learning.Learning
    drift: drift.Drift
    dedupe: dedupe.Dedupe
    volumes: volumes.Volumes
    used: int
    bodies_seen: int
    credentials_seen: int

    def advance(self, time_s: float) -> None:
        """Take over the time of a record, and close the cases that have ended by then."""


class Strange(NamedTuple):
    """A record that must be judged, and what was found out about it so far."""

    place: int
    """Its place in the batch."""
    source: record.AuditRecord
    key: int
    """Key of its combination."""
    activity: record.Activity | None = None
    """When given, the record is no duplicate, its time is believed, and the next two are final."""
    loud: Sequence[rules_base.RuleHit] = engine.NO_HITS
    volume: str = ""


class _Passed(msgspec.Struct, gc=False):
    """Counts of quiet records that the pipeline was not told yet."""

    used: int = 0
    bodies: int = 0
    credentials: int = 0
    learned: int = 0
    duplicates: int = 0


class Shortcut:
    """The known combinations of one pipeline.

    Parameters
    ----------
    through
        The pipeline.
    """

    def __init__(self, through: Memory) -> None:
        self._through = through
        self._routine = routine.Routine()
        self._settings: tuple[object, ...] = ()
        self._rules_edition = -1

    def clear(self) -> None:
        """Forget everything; what follows is judged anew."""
        self._routine.clear()

    def strange(  # noqa: C901, PLR0912 - the hot loop: a call costs more than a branch
        self,
        records: Iterable[record.AuditRecord],
        *,
        tally: sources_base.Tally,
        fail: Callable[[int, Exception], None],
    ) -> Iterator[Strange]:
        """Pass the quiet records of a batch, and hand back the others.

        Parameters
        ----------
        records
            In order.
        tally
            Takes the duplicates among the quiet records.
        fail
            Told the place of a record that could not be passed, and why.

        Yields
        ------
        Strange
            A record that must be judged before the next one is asked for.
        """
        through = self._through
        key_of, parse_time, learn = vector.context_key, normalise.parse_time, routine.learn
        find, settled_until, seen = self._routine.known.get, self._routine.settled.get, through.dedupe.seen
        passed = _Passed()
        far_s, sweep_s, now_s = self._look()
        for place, source in enumerate(records):
            key = key_of(source)
            known, received = find(key), source.request_received_timestamp
            time_s = math.inf
            if known is not None and received:
                try:
                    time_s = parse_time(received)
                except (ValueError, OverflowError):
                    time_s = math.inf
            if (
                known is None
                or time_s >= far_s
                or not (
                    (known.from_s <= time_s < known.until_s and known.edition == known.habit.edition)
                    or self._still_quiet(known, time_s)
                )
            ):
                one: Strange | None = Strange(place, source, key)
            elif seen(source.audit_id or "", received or ""):
                passed.duplicates += 1
                continue
            else:
                swept = False
                if time_s > now_s:
                    now_s = time_s
                    if now_s >= sweep_s:
                        swept = True
                        self._settle(passed, now_s, tally)
                        through.advance(now_s)
                        far_s, sweep_s, now_s = self._look()
                where = _place_of_credential(source)
                if swept or known.asks or known.kinds or (where and settled_until(where, 0.0) <= time_s):
                    try:
                        one = self._ask(Strange(place, source, key), known, time_s, where)
                    except Exception as error:  # noqa: BLE001 - a record that makes us fail costs that record alone
                        fail(place, error)
                        continue
                else:
                    one = None
                    if known.learns and learn(known, time_s) and known.judged:
                        through.drift.feed(known.namespace, (), time_s=time_s)
            if one is None:
                assert known is not None
                passed.used += 1
                passed.learned += known.learns
                passed.bodies += source.request_object is not record.ABSENT
                passed.credentials += where != 0
            else:
                self._settle(passed, now_s, tally)
                yield one
                far_s, sweep_s, now_s = self._look()
        self._settle(passed, now_s, tally)

    def remember(
        self,
        key: int,
        activity: record.Activity,
        *,
        learned: tuple[vector.FeatureVector, novelty.Novelty, levels.Habit] | None,
    ) -> None:
        """Remember that a record was quiet: no rule raised anything, and nothing was new or it was learned.

        Parameters
        ----------
        key
            Key of its combination.
        activity
            What was done.
        learned
            What the models learned from it, and where; None while they rest.
        """
        if not activity.principal.username or activity.record.user is None or not activity.record.user.username:
            return
        through, principal = self._through, activity.principal
        measured, home, habit = learned or (None, None, _NO_HABIT)
        known = routine.Known(
            principal=principal,
            place=principal.namespace or activity.namespace,
            source_ip=activity.source_ip,
            kinds=volumes.kinds_of_activity(activity),
            silent=through.rules.silent_about(activity),
            own_pod=through.inventory.own_pod(principal, activity.source_ip),
            siblings=through.inventory.siblings(principal),
            namespace=principal.namespace,
            home=home,
            habit=habit,
            edition=NEVER,
            values=routine.without_volume(measured.values) if measured else (),
        )
        if self._still_quiet(known, activity.time_s):
            self._routine.remember(key, known)

    def _look(self) -> tuple[float, float, float]:
        """Look at what may have changed.

        Returns
        -------
        tuple
            Record time from which a record must be judged, record time from which cases must be closed first, and the
            latest record time.
        """
        through = self._through
        settings = (
            *(through.policies, through.own_usernames, through.models_rest, through.frozen, through.relearning),
            *(through.inventory, through.models),
        )
        if through.rules.edition != self._rules_edition:
            self._routine.clear()
            self._rules_edition = through.rules.edition
        if any(one is not other for one, other in zip(settings, self._settings, strict=False)) or not self._settings:
            self._routine.expire()
            self._settings = settings
        return through.learning.believed_until_s, through.judge.next_sweep_s, through.learning.now_s

    def _still_quiet(self, known: routine.Known, time_s: float) -> bool:
        """Ask again what may have changed about a combination."""
        through, principal = self._through, known.principal
        rules = through.policies.effective(known.place)
        mode = rules.mode.models_rest if through.models_rest else rules.mode
        if not (mode.rules_judge or mode.models_learn) or principal.username in through.own_usernames:
            return False
        known.asks = mode.rules_judge and not known.silent
        known.learns, known.judged = mode.models_learn, mode.models_judge
        if not known.learns:
            known.from_s, known.until_s = normalise.EARLIEST_S, math.inf
            return time_s >= normalise.EARLIEST_S
        home = through.models.homes.get(known.namespace)
        return (
            time_s >= normalise.EARLIEST_S
            and home is not None
            and home is known.home
            and home.habit(principal.username) is known.habit
            and known.namespace not in through.frozen
            and known.namespace not in through.relearning
            and known.own_pod == through.inventory.own_pod(principal, known.source_ip)
            and known.siblings == through.inventory.siblings(principal)
            and routine.still_known(known, time_s)
        )

    def _ask(self, one: Strange, known: routine.Known, time_s: float, where: int) -> Strange | None:
        """Ask the rules, the volumes and the credential model; return what must be judged, or learn it."""
        through, source = self._through, one.source
        activity, use = None, None
        loud: Sequence[rules_base.RuleHit] = engine.NO_HITS
        if where and known.learns and self._routine.settled.get(where, 0.0) <= time_s:
            activity = normalise.from_audit(source)
            use = credential_use.of(activity, through.inventory)
        if known.asks:
            activity = activity or normalise.from_audit(source)
            loud = loud_of(through.rules.match(activity), activity, through)
        volume = ""
        if known.kinds and (known.learns or loud):
            target = source.object_ref or _NO_OBJECT
            volume = through.volumes.count_for(
                known.kinds, known.principal.username, time_s, target.namespace or "", target.name or ""
            )
        if (
            loud
            or known.edition != known.habit.edition
            or (volume and not routine.knows_volume(known, volume))
            or (use is not None and through.models.credentials.opinion(use) is not None)
        ):
            return one._replace(activity=activity or normalise.from_audit(source), loud=loud, volume=volume)
        if not known.learns:
            return None
        if routine.learn(known, time_s, volume=volume) and known.judged:
            through.drift.feed(known.namespace, (), time_s=time_s)
        if use is not None:
            through.models.credentials.learn(use)
        if where and (use is None or through.models.credentials.settled(use)):
            self._routine.settle(where, time_s)
        return None

    def _settle(self, passed: _Passed, now_s: float, tally: sources_base.Tally) -> None:
        """Tell the pipeline what was passed since the last time."""
        through = self._through
        through.used += passed.used
        through.bodies_seen += passed.bodies
        through.credentials_seen += passed.credentials
        through.models.records += passed.learned
        if passed.used:
            through.learning.advance(now_s)
        if passed.duplicates:
            tally.count_only(sources_base.SkipReason.DUPLICATE, passed.duplicates)
        passed.used = passed.bodies = passed.credentials = passed.learned = passed.duplicates = 0


def loud_of(
    hits: Sequence[rules_base.RuleHit], activity: record.Activity, through: Memory
) -> Sequence[rules_base.RuleHit]:
    """Return the hits that may raise something; those about use from outside say nothing where nodes call from."""
    loud = [hit for hit in hits if hit.card.raises] if hits else engine.NO_HITS
    if any(hit.card.away for hit in loud):
        at_home = through.node_places.explain(activity.record.source_ips, age_s=through.learning.age_s())
        loud = [hit for hit in loud if not (hit.card.away and at_home)]
    return loud


def _place_of_credential(source: record.AuditRecord) -> int:
    """Return a number for the credential of a record, its pod and where it is used; 0 when it names none."""
    extra = source.user.extra if source.user is not None else None
    if extra is None or not extra.credential_id or not extra.credential_id[0]:
        return 0
    return hash(
        (
            extra.credential_id[0],
            extra.pod_name and extra.pod_name[0],
            extra.pod_uid and extra.pod_uid[0],
            source.source_ips and source.source_ips[0],
        )
    )
