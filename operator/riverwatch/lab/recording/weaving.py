"""Weave attacks into a life: choose their hours, run them step by step between everybody else's requests.

In: attacks, a seed, an interval. Out: `player.Stranger`s, and afterwards episodes, anchors and ids to drop. Called by
`recorder`.
"""

from __future__ import annotations

import random
import urllib.parse
from collections.abc import Iterator, Sequence

import msgspec

from riverwatch import errors
from riverwatch.lab import world
from riverwatch.lab.attacks import base, context, run
from riverwatch.lab.life import rhythm
from riverwatch.lab.recording import player

QUIET_SHARE = 0.6
"""Share of a recording before the first attack unless told otherwise, so that there is a life to learn from."""

LAST_S = 1800.0
"""Seconds before the end after which no attack ends."""

DRAWS = 60
"""Rounds of draws before an attack is left out."""

HOURS = {
    base.When.OFFICE: (9.0, 16.0),
    base.When.NIGHT: (22.0, 28.0),
    base.When.WEEKEND: (0.0, 24.0),
    base.When.ANY: (0.0, 24.0),
}
"""Local hours in which an attack may start."""


class Plot(msgspec.Struct):
    """One attack and when it starts."""

    attack: base.Attack
    start_s: float
    number: int
    running: run.Run | None = None
    failure: str = ""
    left: list[str] = []

    @property
    def episode(self) -> str:
        """Id of its episode."""
        return f"{self.attack.card.id}-{self.number}"


def plan(
    attacks: Sequence[base.Attack], *, seed: int, span: rhythm.Span, quiet_share: float = QUIET_SHARE
) -> tuple[list[Plot], list[str]]:
    """Choose when each attack starts; also name those that the recording is too short for.

    Parameters
    ----------
    attacks
        Which.
    seed
        Of the recording.
    span
        The recording.
    quiet_share
        0..1. Share of the recording before the first attack.
    """
    plots: list[Plot] = []
    omitted: list[str] = []
    first_s = span.start_s + quiet_share * (span.end_s - span.start_s)
    for number, attack in enumerate(attacks, start=1):
        rng = rhythm.seeded(seed, "attack", attack.card.id, number)
        last_s = span.end_s - LAST_S - attack.card.lasts_s
        # A long attack may begin before life has been watched for long; nothing else leaves room for it.
        early_s = min(first_s, max(span.start_s + 0.1 * (span.end_s - span.start_s), last_s - world.DAY_S))
        start_s = _start(rng, attack.card.when, early_s, last_s)
        if start_s is None:
            omitted.append(attack.card.id)
        else:
            plots.append(Plot(attack, start_s, number))
    return plots, omitted


def strangers(plots: Sequence[Plot], scene: base.Scene, *, seed: int) -> Iterator[player.Stranger]:
    """Give the first step of every attack.

    Parameters
    ----------
    plots
        What `plan` gave.
    scene
        Where they play.
    seed
        Of the recording.
    """
    for plot in plots:
        yield player.Stranger(plot.start_s, _Step(plot, scene, seed))


def anchors(plots: Sequence[Plot]) -> tuple[list[player.Anchor], frozenset[str]]:
    """Give the anchors of all attacking requests, and the ids of the requests to drop."""
    found: list[player.Anchor] = []
    dropped: set[str] = set()
    for plot in plots:
        for sent in plot.running.context.sent if plot.running else ():
            if sent.purpose is base.Purpose.ATTACK:
                found.append(
                    player.Anchor(sent.audit_id, sent.time_s, _watch_s(sent.path), sent.username, plot.episode)
                )
            else:
                dropped.add(sent.audit_id)
    return found, frozenset(dropped)


def episodes(plots: Sequence[Plot], recorded: frozenset[str]) -> list[world.Episode]:
    """Give the labels of all attacks that left a record.

    Parameters
    ----------
    plots
        What was run.
    recorded
        Audit ids in the recording.
    """
    found = []
    for plot in plots:
        sent = [one for one in (plot.running.context.sent if plot.running else ()) if one.audit_id in recorded]
        if not sent:
            continue
        card = plot.attack.card
        found.append(
            world.Episode(
                id=plot.episode,
                kind=world.EpisodeKind.ATTACK,
                name=card.id,
                start=world.rfc3339(min(one.time_s for one in sent)),
                end=world.rfc3339(max(one.time_s for one in sent)),
                identities=sorted({one.username for one in sent}),
                summary=card.title,
                severity="malicious",
                use_case=card.use_case.value,
                visibility=card.subtlety.value,
                technique=card.technique.id,
                tactic=card.technique.tactic,
                impersonated=sorted({one.impersonated for one in sent if one.impersonated}),
                source_ips=sorted({one.source_ip for one in sent if one.source_ip}),
                audit_ids=[one.audit_id for one in sorted(sent, key=lambda one: one.time_s)],
            )
        )
    return found


class _Step:
    """One step of an attack; gives the next."""

    def __init__(self, plot: Plot, scene: base.Scene, seed: int) -> None:
        self._plot = plot
        self._scene = scene
        self._seed = seed

    def __call__(self, time_s: float) -> player.Stranger | None:
        plot = self._plot
        try:
            if plot.running is None:
                rng = rhythm.seeded(self._seed, "script", plot.attack.card.id, plot.number)
                plot.running = run.Run(plot.attack, context.AttackContext(scene=self._scene, rng=rng))
            else:
                plot.running.advance(now_s=time_s)
        except (errors.RiverwatchError, LookupError, TypeError, ValueError) as error:
            # A script that trips over this cluster is one failed attack in meta.json, not a lost recording.
            plot.failure = f"{type(error).__name__}: {error}"
        if plot.running is None:
            return None
        if plot.failure or plot.running.done:
            plot.left = plot.running.clean_up(now_s=time_s)
            return None
        return player.Stranger(time_s + plot.running.delay_s, self)


def _start(rng: random.Random, when: base.When, first_s: float, last_s: float) -> float | None:
    """Draw a start inside the hours; ``None`` when none is left."""
    low, high = HOURS[when]
    days = range(int(first_s // world.DAY_S), int(last_s // world.DAY_S) + 1)
    # Rarely does the first round find nothing: only a recording of hours has so little room.
    for _ in range(DRAWS):
        starts = []
        for day in days:
            time_s = day * world.DAY_S - world.LOCAL_OFFSET_S + rng.uniform(low, high) * rhythm.HOUR_S
            if first_s <= time_s <= last_s and _suits(when, time_s):
                starts.append(time_s)
        if starts:
            return rng.choice(starts)
    return None


def _suits(when: base.When, time_s: float) -> bool:
    """Say whether the day of the week is right."""
    if when is base.When.WEEKEND:
        return rhythm.weekend(time_s)
    return not (when is base.When.OFFICE and rhythm.weekend(time_s))


def _watch_s(path: str) -> float:
    """Give the length that a watch asked for, in seconds; 0 for anything else."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
    if query.get("watch", ["false"])[0] not in {"true", "1"}:
        return 0.0
    return float(query.get("timeoutSeconds", ["300"])[0])
