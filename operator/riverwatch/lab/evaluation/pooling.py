"""Several recordings as one: labels and alerts put behind each other in time.

``[(Labels, alerts)] -> (Labels, alerts)``. Each recording is moved by whole days behind the one before and its keys are
marked, so every figure (a day's budget too) means the same as for one recording. Pure; called by `lab evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts


class Judged(msgspec.Struct, frozen=True):
    """One recording: its truth, and what was raised on it."""

    labels: world.Labels
    found: tuple[alerts.Alert, ...]


def pool(recordings: Sequence[Judged]) -> Judged:
    """Put recordings behind each other; one alone is given back as it is.

    Parameters
    ----------
    recordings
        At least one, in any order.
    """
    if len(recordings) == 1:
        return recordings[0]
    first_s = world.parse_rfc3339(recordings[0].labels.start)
    next_s = first_s
    episodes: list[world.Episode] = []
    found: list[alerts.Alert] = []
    for index, recording in enumerate(recordings):
        start_s = world.parse_rfc3339(recording.labels.start)
        shift_s = next_s - start_s
        episodes += [_moved_episode(episode, index, shift_s) for episode in recording.labels.episodes]
        found += [_moved_alert(alert, index, shift_s) for alert in recording.found]
        length_s = world.parse_rfc3339(recording.labels.end) - start_s
        next_s += math.ceil(length_s / world.DAY_S) * world.DAY_S
    labels = world.Labels(
        version=recordings[0].labels.version,
        seed=recordings[0].labels.seed,
        start=world.rfc3339(first_s),
        end=world.rfc3339(next_s),
        episodes=episodes,
    )
    return Judged(labels=labels, found=tuple(found))


def _moved_episode(episode: world.Episode, index: int, shift_s: float) -> world.Episode:
    """Move one episode; its records keep their ids, which are unique."""
    return msgspec.structs.replace(
        episode,
        id=f"{index + 1}/{episode.id}",
        start=world.rfc3339(world.parse_rfc3339(episode.start) + shift_s),
        end=world.rfc3339(world.parse_rfc3339(episode.end) + shift_s),
    )


def _moved_alert(alert: alerts.Alert, index: int, shift_s: float) -> alerts.Alert:
    """Move one alert."""
    return msgspec.structs.replace(
        alert,
        key=f"{index + 1}/{alert.key}",
        first_s=alert.first_s + shift_s,
        last_s=alert.last_s + shift_s,
        observed_s=alert.observed_s + shift_s,
        evidence=tuple((audit_id, time_s + shift_s if time_s else 0.0) for audit_id, time_s in alert.evidence),
    )
