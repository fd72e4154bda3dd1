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

from riverwatch.activity import dedupe, identities, normalise, record
from riverwatch.features import amounts, inventory, node_places, vector, volumes
from riverwatch.models import bank, drift, levels, novelty, routine
from riverwatch.rules import base as rules_base
from riverwatch.rules import engine
from riverwatch.runtime import credential_use
from riverwatch.scoring import judge, learning, policy
from riverwatch.sources import base as sources_base

Fail = Callable[[int, Exception], None]
"""Told the place of a record in its batch, and why it failed."""

_NO_HABIT = levels.Habit(0, 0.0)
"""Stands for a habit while models rest."""

NEVER = -1
"""An edition that no habit has, so that all values are looked up: not everything that was learned is known."""

_NO_OBJECT = record.ObjectReference()

_NODE = identities.PrincipalKind.NODE

_RECEIVED = "RequestReceived"
"""The stage that comes before the result is known."""


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
    time_s: float
    """What `normalise.time_or_never` says about when it was received."""
    key: int
    """Key of its combination."""
    activity: record.Activity | None = None
    """When given, the record is no duplicate, its time is believed, and the next two are final."""
    loud: Sequence[rules_base.RuleHit] = engine.NO_HITS
    volume: amounts.Amount | None = None


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
        self._settings: tuple[object, ...] = (None,) * 7
        self._told = -1
        """Edition of the inventory that was asked last."""
        self._asked_s = -math.inf
        """Record time of that."""
        self._rules_edition = -1

    def clear(self) -> None:
        """Forget everything; what follows is judged anew."""
        self._routine.clear()

    def strange(  # noqa: C901, PLR0912, PLR0915 - the hot loop: a call costs more than a branch
        self, records: Iterable[record.AuditRecord], *, tally: sources_base.Tally, fail: Fail
    ) -> Iterator[Strange]:
        """Pass the quiet records of a batch, and yield the others, to be judged before the next one is asked for.

        Parameters
        ----------
        records
            In order.
        tally
            Takes the copies of quiet records.
        fail
            Told of a record that could not be passed.
        """
        through, memory = self._through, self._routine
        key_of, time_of, learn, absent = vector.context_key, normalise.time_or_never, routine.learn, record.ABSENT
        find, seen, at_home = memory.known.get, through.dedupe.seen, self._at_home
        used = bodies = credentials = duplicates = learned = 0
        far_s, sweep_s, generation = self._look(anew=True)
        learning, models = through.learning, through.models
        now_s, earliest_s, hour_s, next_hour_s, hour = learning.now_s, normalise.EARLIEST_S, 0.0, 0.0, ""
        for place, source in enumerate(records):
            key = key_of(source)
            known, received = find(key), source.request_received_timestamp
            time_s = time_of(received)
            if not hour_s <= time_s < next_hour_s and earliest_s <= time_s < far_s:
                hour_s = time_s - time_s % vector.SECONDS_PER_HOUR
                next_hour_s, hour = hour_s + vector.SECONDS_PER_HOUR, vector.hour_of_week(time_s)
            if (
                known is None
                or not earliest_s <= time_s < far_s
                or not (
                    (known.generation == generation and known.edition == known.habit.edition)
                    or self._still_quiet(known)
                )
                or hour not in known.hours
                or source.stage == _RECEIVED
            ):
                one: Strange | None = Strange(place, source, time_s, key)
            elif seen(source.audit_id or "", received or ""):
                duplicates += 1
                continue
            else:
                now_s = time_s if time_s > now_s else now_s  # noqa: FURB136 - a call costs more
                extra = source.user.extra if source.user is not None else None
                named = extra is not None and extra.credential != ""
                if known.asks or known.kinds or now_s >= sweep_s or (named and not at_home(extra, known)):
                    learning.now_s = now_s
                    try:
                        one = self._ask(Strange(place, source, time_s, key), known, hour)
                    except Exception as error:  # noqa: BLE001 - a record that makes us fail costs that record alone
                        fail(place, error)
                        continue
                    if now_s >= sweep_s:
                        far_s, sweep_s, generation = self._look()
                else:
                    one = None
                    if known.learns and learn(known, time_s, hour=hour) and known.judged:
                        through.drift.feed(known.namespace, (), time_s=time_s)
                if not one:
                    used += 1
                    learned += known.learns
                    bodies += source.request_object is not absent
                    credentials += named
                    continue
            # What follows must find the same state as if the quiet records had been judged one by one.
            models.records, learned = models.records + learned, 0
            if used and now_s > learning.now_s:
                learning.now_s = now_s
            assert one
            yield one
            now_s = learning.now_s
            far_s, sweep_s, generation = self._look()
        models.records += learned
        if used and now_s > learning.now_s:
            learning.now_s = now_s
        through.used += used
        through.bodies_seen += bodies
        through.credentials_seen += credentials
        _count_copies(tally, duplicates)

    def remember(
        self,
        key: int,
        activity: record.Activity,
        *,
        learned: tuple[vector.FeatureVector, novelty.Novelty, levels.Habit] | None,
    ) -> None:
        """Remember that a record was quiet: no rule raised anything, and nothing was new or it was learned.

        Whether that still holds is asked when the combination is seen again; many never are.

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
            edition=NEVER if learned else habit.edition,
            values=routine.without_volume(measured.values) if measured else (),
        )
        self._routine.remember(key, known)

    def _look(self, *, anew: bool = False) -> tuple[float, float, int]:
        """Look at what may have changed since the last record; `anew` also at what only changes between batches.

        Returns
        -------
        tuple
            Record time from which a record must be judged, record time from which cases must be closed first, and
            the generation in which combinations must have been asked about.
        """
        through, memory = self._through, self._routine
        if through.rules.edition != self._rules_edition:
            memory.clear()
            self._rules_edition = through.rules.edition
        if anew or through.relearning is not self._settings[0]:
            settings = (
                *(through.relearning, through.policies, through.own_usernames, through.models_rest, through.frozen),
                *(through.inventory, through.models),
            )
            if any(one is not other for one, other in zip(settings, self._settings, strict=True)):
                memory.expire()
                self._settings = settings
            told, now_s = through.inventory.edition, through.learning.now_s
            if (told != self._told or through.relearning) and now_s >= self._asked_s + routine.ASK_AGAIN_S:
                memory.expire()
                self._told, self._asked_s = told, now_s
        return through.learning.believed_until_s, through.judge.next_sweep_s, memory.generation

    def _still_quiet(self, known: routine.Known) -> bool:
        """Ask again what may have changed about a combination.

        Where a shadow relearns a namespace, each combination is judged anew every `routine.ASK_AGAIN_S`, which is what
        the shadow learns it from; how often exactly depends on batches and restarts, and decides nothing.
        """
        through, principal = self._through, known.principal
        rules = through.policies.effective(known.place)
        mode = rules.mode.models_rest if through.models_rest else rules.mode
        if not (mode.rules_judge or mode.models_learn) or principal.username in through.own_usernames:
            return False
        known.asks = mode.rules_judge and not known.silent
        known.learns, known.judged = mode.models_learn, mode.models_judge
        if known.learns:
            home = through.models.homes.get(known.namespace)
            if (
                home is None
                or home is not known.home
                or home.habit(principal.username) is not known.habit
                or known.namespace in through.frozen
                or (known.generation != routine.UNASKED and known.namespace in through.relearning)
                or known.own_pod != through.inventory.own_pod(principal, known.source_ip)
                or known.siblings != through.inventory.siblings(principal)
                or not routine.still_known(known)
            ):
                return False
        else:
            known.hours = routine.ANY_HOUR
        known.generation = self._routine.generation
        return True

    def _ask(self, one: Strange, known: routine.Known, hour: str) -> Strange | None:
        """Ask the rules, the volumes and the credential model; return what must be judged, or learn it."""
        through, source, time_s = self._through, one.source, one.time_s
        if through.learning.now_s >= through.judge.next_sweep_s:
            through.advance(time_s)
        activity, use = None, None
        loud: Sequence[rules_base.RuleHit] = engine.NO_HITS
        extra = source.user.extra if source.user is not None else None
        if not self._at_home(extra, known):
            activity = normalise.from_audit(source, time_s)
            use = credential_use.of(activity, through.inventory, through.node_places)
        if known.asks:
            activity = activity or normalise.from_audit(source, time_s)
            loud = loud_of(through.rules.match(activity), activity, through)
        volume = None
        if known.kinds and (known.learns or loud):
            target = source.object_ref or _NO_OBJECT
            volume = through.volumes.count_for(
                known.kinds,
                known.principal.username,
                time_s,
                volumes.Asked(source.verb or "", target.resource or "", target.namespace or "", target.name or ""),
            )
        if (
            loud
            or (known.learns and known.edition != known.habit.edition)
            or known.generation != self._routine.generation
            or (volume and not routine.knows_volume(known, volume.text))
            or (use is not None and through.models.credentials.opinion(use) is not None)
        ):
            activity = activity or normalise.from_audit(source, time_s)
            return one._replace(activity=activity, loud=loud, volume=volume)
        if not known.learns:
            return None
        if routine.learn(known, time_s, hour=hour, volume=volume.text if volume else "") and known.judged:
            through.drift.feed(known.namespace, (), time_s=time_s)
        if use is not None:
            through.models.credentials.learn(use)
        return None

    def _at_home(self, extra: record.UserExtra | None, known: routine.Known) -> bool:
        """Tell whether nothing can be learned from the use of a credential: it is bound to nothing, or in its place."""
        if extra is None or not known.learns or not known.source_ip or not (credential := extra.credential):
            return True
        credentials, pods = self._through.models.credentials, self._through.inventory
        pod, uid = extra.pod_name and extra.pod_name[0], extra.pod_uid and extra.pod_uid[0]
        use = hash((credential, pod, uid, credentials.edition, pods.edition))
        if use == known.place_of_use:
            return True
        if known.principal.kind is _NODE:
            settled = credentials.settled_at(credential, known.source_ip, "")
        elif not pod:
            return True
        else:
            settled = not pods.ended(known.principal.namespace, pod)
            settled = settled and credentials.settled_at(credential, known.source_ip, uid or "")
        if settled:
            known.place_of_use = use
        return settled


def loud_of(
    hits: Sequence[rules_base.RuleHit], activity: record.Activity, through: Memory
) -> Sequence[rules_base.RuleHit]:
    """Return the hits that may raise something; those about use from outside say nothing where nodes call from."""
    if not hits:
        return engine.NO_HITS
    loud = [hit for hit in hits if hit.card.raises]
    if any(hit.card.away for hit in loud):
        at_home = through.node_places.explain(activity.record.source_ips, age_s=through.learning.age_s())
        loud = [hit for hit in loud if not (hit.card.away and at_home)]
    return loud


def _count_copies(tally: sources_base.Tally, count: int) -> None:
    if count:
        tally.count_only(sources_base.SkipReason.DUPLICATE, count)
