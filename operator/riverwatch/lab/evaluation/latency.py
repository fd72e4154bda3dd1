"""Live latency: an attack against a running operator, seconds until its ThreatDetection is visible through the API.

A stage, attacks and a way to list ThreatDetections in, `report.Latency` out. The clock starts with the first request
that the object shows as evidence (with the attack's first one if it shows none) and stops when the object is first
listed, within `POLL_S`. Called by `lab latency`.
"""

from __future__ import annotations

import random
import statistics
import threading
from collections.abc import Callable, Sequence

from riverwatch import clock, errors
from riverwatch.lab.attacks import base, context, run, session, stage, staging
from riverwatch.lab.evaluation import alerts, measures, report

POLL_S = 0.1
"""Pause between two looks at the API, seconds: the error of one measurement."""

PATIENCE_S = 60.0
"""How long a detection is waited for after the attack's last request, seconds."""

DETECTIONS = "/apis/riverwatch.dev/v1alpha1/threatdetections"
"""Where ThreatDetections of all namespaces are listed."""

Look = Callable[[], Sequence[alerts.Alert]]
"""Lists the ThreatDetections that there are."""


class Sighting:
    """Waits, beside an attack under way, for the first object about it.

    Parameters
    ----------
    look
        Lists what there is.
    sent
        The attack's requests; grows meanwhile.
    today
        Times requests and sightings.
    """

    def __init__(self, look: Look, sent: Sequence[base.Sent], *, today: clock.Clock) -> None:
        self.delay_s: float | None = None
        self.problem: errors.RiverwatchError | None = None
        self._look = look
        self._sent = sent
        self._today = today
        self._over = threading.Event()
        self._seen = threading.Event()
        self._before = {alert.key for alert in look()}
        self._thread = threading.Thread(target=self._watch, name="sighting", daemon=True)
        self._thread.start()

    def wait(self, patience_s: float) -> float | None:
        """Wait for the object, and stop looking.

        Parameters
        ----------
        patience_s
            Seconds to wait at most.

        Returns
        -------
        float or None
            Seconds from request to sighting; none when nothing was seen.

        Raises
        ------
        RiverwatchError
            When the objects could not be listed.
        """
        self._seen.wait(patience_s)
        self._over.set()
        self._thread.join()
        if self.problem is not None:
            raise self.problem
        return self.delay_s

    def _watch(self) -> None:
        """Look until something is seen or nobody waits any more."""
        try:
            while not self._over.is_set():
                began_s = self._first_request(self._look())
                if began_s is not None:
                    self.delay_s = max(0.0, self._today.now_s() - began_s)
                    return
                self._over.wait(POLL_S)
        except errors.RiverwatchError as problem:
            self.problem = problem
        finally:
            self._seen.set()

    def _first_request(self, found: Sequence[alerts.Alert]) -> float | None:
        """Give the time of the request from which the clock runs; none when nothing is about the attack."""
        own = [one for one in list(self._sent) if one.purpose is base.Purpose.ATTACK]
        names = {name for one in own for name in (one.username, one.impersonated) if name}
        for alert in found:
            shown = {audit_id for audit_id, _ in alert.evidence}
            times = [one.time_s for one in own if one.audit_id in shown]
            if times:
                return min(times)
            if alert.key not in self._before and names.intersection(alert.actors):
                return own[0].time_s
        return None


def measure(
    scene: stage.Stage,
    attacks: Sequence[base.Attack],
    *,
    seed: int,
    issue: stage.Issuer | None = None,
    patience_s: float = PATIENCE_S,
) -> report.Latency:
    """Run attacks one after the other and time their detections.

    Parameters
    ----------
    scene
        Not built yet.
    attacks
        What to run.
    seed
        Seeds every choice.
    issue
        Makes client certificates where the caller owns the cluster's CA.
    patience_s
        Seconds to wait after an attack's last request.

    Raises
    ------
    RiverwatchError
        When an attack fails, or ThreatDetections cannot be listed.
    """
    today = clock.SystemClock()
    delays: dict[str, float | None] = {}

    def perform(attack: base.Attack, given: context.AttackContext) -> run.Label:
        sighting = Sighting(lister(scene), given.sent, today=today)
        label = run.live(attack, given, today=today)
        delays[attack.card.id] = sighting.wait(patience_s)
        return label

    played = list(staging.play(scene, attacks, seed=seed, issue=issue, perform=perform))
    failed = [f"{one.attack}: {one.failed}" for one in played if one.failed]
    if failed:
        raise errors.PermanentError("; ".join(failed))
    return summarise(delays)


def summarise(delays: dict[str, float | None]) -> report.Latency:
    """Give median and 95th percentile over what was seen.

    Parameters
    ----------
    delays
        Seconds for each attack; none where nothing was seen.
    """
    seen = [delay for delay in delays.values() if delay is not None]
    return report.Latency(
        attacks=len(delays),
        seen=len(seen),
        median_s=statistics.median(seen) if seen else None,
        p95_s=measures.percentile(seen, 0.95),
        missed=sorted(name for name, delay in delays.items() if delay is None),
    )


def lister(scene: base.Scene) -> Look:
    """Give a function that lists ThreatDetections through the API.

    Parameters
    ----------
    scene
        Where, and with whose credential.
    """
    wire = session.Wire(scene=scene, rng=random.Random(), clock=lambda: 0.0, observer=lambda _sent: None)
    manner = session.Manner(source_ip="", user_agent=scene.director.user_agent)
    director = session.Session(wire, scene.director, manner=manner, purpose=base.Purpose.PREPARE)

    def look() -> Sequence[alerts.Alert]:
        answer = director.get(DETECTIONS).action()
        if not answer.ok or not isinstance(answer.body, dict):
            raise errors.BadInputError(
                f"cannot be listed ({answer.status}); is riverwatch installed on this cluster?", where=DETECTIONS
            )
        return alerts.of_bodies(answer.body.get("items") or [])

    return look
