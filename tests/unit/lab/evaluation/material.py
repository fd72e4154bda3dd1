"""Small labels and alerts for the tests of the scorer."""

from __future__ import annotations

from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts

HOUR = 3600.0
BOT = "system:serviceaccount:web:bot"
APP = "system:serviceaccount:web:app"


def at(hours: float) -> str:
    return world.rfc3339(world.START_S + hours * HOUR)


def attack(
    name: str, start: float, end: float, *, who: str = BOT, ids: tuple[str, ...] = (), **more: str
) -> world.Episode:
    return world.Episode(
        id=f"{name}-1",
        kind=world.EpisodeKind.ATTACK,
        name=name,
        start=at(start),
        end=at(end),
        identities=[who],
        severity="malicious",
        use_case=more.get("use_case", "SecretAccess"),
        visibility=more.get("visibility", "obvious"),
        audit_ids=list(ids),
    )


def happening(name: str, start: float, end: float, *, who: str = APP, ids: tuple[str, ...] = ()) -> world.Episode:
    return world.Episode(
        id=f"{name}-1",
        kind=world.EpisodeKind.HAPPENING,
        name=name,
        start=at(start),
        end=at(end),
        identities=[who],
        audit_ids=list(ids),
    )


def labels(*episodes: world.Episode, days: float = 2.0, seed: int = 4001) -> world.Labels:
    return world.Labels(version=1, seed=seed, start=at(0), end=at(days * 24), episodes=list(episodes))


def alert(
    key: str,
    first: float,
    last: float | None = None,
    *,
    who: str = BOT,
    score: float = 50.0,
    ids: tuple[tuple[str, float], ...] = (),
    observed: float | None = None,
    use_case: str = "SecretAccess",
) -> alerts.Alert:
    return alerts.Alert(
        key=key,
        title=f"alert {key}",
        use_case=use_case,
        severity="High",
        kind="Rule",
        detectors=("a-rule",),
        score=score,
        actors=(who,),
        first_s=world.START_S + first * HOUR,
        last_s=world.START_S + (first if last is None else last) * HOUR,
        observed_s=world.START_S + (first if observed is None else observed) * HOUR,
        evidence=tuple((audit_id, world.START_S + hours * HOUR) for audit_id, hours in ids),
    )
