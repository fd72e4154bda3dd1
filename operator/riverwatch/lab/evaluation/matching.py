"""Which alert belongs to which attack or happening.

Labels and alerts in, `Matched` out. An alert belongs to an attack when an attack's record is among its evidence, or
when its actor is one of the attack's identities, their intervals overlap, and it was raised after the attack began. All
else is a false alert; one that falls into a benign happening is counted under it. Pure; called by `measures`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts

SLACK_S = 1.0
"""Rounding of times in detections and labels, seconds."""


class By(enum.StrEnum):
    """Why an alert was given to an episode."""

    EVIDENCE = "evidence"
    """A labelled record is among its evidence."""
    INTERVAL = "interval"
    """Same identity, overlapping interval; none of the evidence kept is labelled."""


class Hit(msgspec.Struct, frozen=True):
    """An alert that belongs to an attack."""

    alert: alerts.Alert
    by: By
    detected_s: float
    """Record time at which the attack was seen through this alert, epoch seconds."""


class MatchedAttack(msgspec.Struct, frozen=True):
    """An attack and what was raised about it."""

    episode: world.Episode
    start_s: float
    end_s: float
    hits: tuple[Hit, ...]
    """In order of detection."""

    @property
    def detected(self) -> bool:
        """Whether anything was raised about it."""
        return bool(self.hits)

    @property
    def delay_s(self) -> float:
        """Seconds from the attack's first request to its detection; only for a detected one."""
        return max(0.0, min(hit.detected_s for hit in self.hits) - self.start_s)


class FalseAlert(msgspec.Struct, frozen=True):
    """An alert that belongs to no attack."""

    alert: alerts.Alert
    happening: str
    """Name of the benign happening it falls into; empty for everyday life."""


class Matched(msgspec.Struct, frozen=True):
    """Everything matched."""

    attacks: tuple[MatchedAttack, ...]
    true_alerts: tuple[alerts.Alert, ...]
    false_alerts: tuple[FalseAlert, ...]


class _Interval(msgspec.Struct, frozen=True):
    """An episode with its times read and its records as a set."""

    episode: world.Episode
    start_s: float
    end_s: float
    records: frozenset[str]
    names: frozenset[str]


def match(labels: world.Labels, found: Sequence[alerts.Alert]) -> Matched:
    """Give each alert to the attacks it belongs to.

    Parameters
    ----------
    labels
        The truth.
    found
        What was raised.
    """
    attacks = [_interval(episode) for episode in labels.attacks()]
    happenings = [_interval(episode) for episode in labels.happenings()]
    hits: dict[str, list[Hit]] = {attack.episode.id: [] for attack in attacks}
    true_alerts: list[alerts.Alert] = []
    false_alerts: list[FalseAlert] = []
    for alert in found:
        owned = [(attack, hit) for attack in attacks if (hit := _hit(attack, alert)) is not None]
        for attack, hit in owned:
            hits[attack.episode.id].append(hit)
        if owned:
            true_alerts.append(alert)
        else:
            false_alerts.append(FalseAlert(alert=alert, happening=_happening(happenings, alert)))
    return Matched(
        attacks=tuple(
            MatchedAttack(
                episode=attack.episode,
                start_s=attack.start_s,
                end_s=attack.end_s,
                hits=tuple(sorted(hits[attack.episode.id], key=lambda hit: (hit.detected_s, hit.alert.key))),
            )
            for attack in attacks
        ),
        true_alerts=tuple(true_alerts),
        false_alerts=tuple(false_alerts),
    )


def _interval(episode: world.Episode) -> _Interval:
    """Read an episode's times and names."""
    return _Interval(
        episode=episode,
        start_s=world.parse_rfc3339(episode.start),
        end_s=world.parse_rfc3339(episode.end),
        records=frozenset(episode.audit_ids),
        names=frozenset((*episode.identities, *episode.impersonated)),
    )


def _hit(attack: _Interval, alert: alerts.Alert) -> Hit | None:
    """Say whether and when an alert saw an attack."""
    labelled = [time_s for audit_id, time_s in alert.evidence if audit_id in attack.records]
    if labelled:
        # An incident may have been open before the attack: then it saw the attack when the first labelled record came.
        detected_s = max(alert.observed_s, min(labelled), attack.start_s)
        return Hit(alert=alert, by=By.EVIDENCE, detected_s=detected_s)
    if alert.observed_s + SLACK_S >= attack.start_s and _overlaps(attack, alert):
        return Hit(alert=alert, by=By.INTERVAL, detected_s=max(alert.observed_s, attack.start_s))
    return None


def _overlaps(episode: _Interval, alert: alerts.Alert) -> bool:
    """Say whether an alert is about one of an episode's identities while it lasted."""
    if not episode.names.intersection(alert.actors):
        return False
    return alert.first_s <= episode.end_s + SLACK_S and alert.last_s >= episode.start_s - SLACK_S


def _happening(happenings: Sequence[_Interval], alert: alerts.Alert) -> str:
    """Name the happening that a false alert falls into: the one with its evidence, else one of its actor's."""
    for happening in happenings:
        if any(audit_id in happening.records for audit_id, _ in alert.evidence):
            return happening.episode.name
    for happening in happenings:
        if _overlaps(happening, alert):
            return happening.episode.name
    return ""
