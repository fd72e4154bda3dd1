"""Benign but odd: what makes a naive detector shout although nothing is wrong.

In: seed, interval, the cluster. Out: `Happening`s with their acts, and everyday acts changed by them (a pipeline that
moved). Each kind is a function in `KINDS`; a recording too short for one leaves it out. Called by the recorder.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import msgspec

from riverwatch.lab import world
from riverwatch.lab.company import people
from riverwatch.lab.life import acts, disturbances, odd, onboarding, rhythm, upgrades, view

EARLIEST_SHARE = 0.15
"""Share of a recording before the first happening."""

LATEST_SHARE = 0.93
"""Share of a recording after which none starts."""

DAYS_PER_KIND = 0.3
"""Days that a recording must have for each happening: ten of them need three days."""

MOVED_S = 2 * world.DAY_S
"""How long a pipeline that moved is labelled as new, in seconds."""

KINDS: tuple[odd.Kind, ...] = (
    odd.Kind(
        "app-onboarding", "A new service is deployed by GitOps and starts working", odd.Hours.OFFICE, onboarding.app
    ),
    odd.Kind(
        "namespace-onboarding",
        "A new team gets a namespace, rights and its first two services",
        odd.Hours.OFFICE,
        onboarding.namespace,
    ),
    odd.Kind(
        "operator-install",
        "The platform team installs an operator with custom resources and cluster roles",
        odd.Hours.OFFICE,
        onboarding.operator,
    ),
    odd.Kind(
        "helm-uninstall",
        "A pipeline uninstalls a release from the proving ground",
        odd.Hours.OFFICE,
        onboarding.uninstall,
    ),
    odd.Kind(
        "cluster-upgrade",
        "Two nodes are replaced: new ones join, old ones are drained and removed",
        odd.Hours.OFFICE,
        upgrades.replace_nodes,
    ),
    odd.Kind(
        "night-incident",
        "On-call debugs an outage at night: logs, shells, restarts in many namespaces",
        odd.Hours.NIGHT,
        disturbances.incident,
    ),
    odd.Kind(
        "misconfigured-account",
        "A service asks for what it may not have, over and over",
        odd.Hours.ANY,
        disturbances.refusals,
    ),
    odd.Kind(
        "ci-move", "Build machines move to another network and another Helm", odd.Hours.OFFICE, disturbances.ci_move
    ),
    odd.Kind(
        "secret-rotation",
        "All passwords and certificates are rotated at once, services restart",
        odd.Hours.OFFICE,
        disturbances.rotation,
    ),
    odd.Kind(
        "traffic-growth",
        "A campaign brings three times the customers for a day and a half",
        odd.Hours.ANY,
        disturbances.growth,
    ),
)
"""Every kind of happening."""


def plan(seed: int, span: rhythm.Span, cluster: view.View, company: odd.Registry, *, port: int) -> list[odd.Happening]:
    """Give the happenings of a recording; a short one has fewer.

    Parameters
    ----------
    seed
        Of the recording.
    span
        The recording.
    cluster
        What everybody sees.
    company
        Takes in newcomers.
    port
        Where the lab's kubelets answer.
    """
    rng = rhythm.seeded(seed, "happenings")
    order = rng.sample(KINDS, len(KINDS))
    room = int((span.end_s - span.start_s) / world.DAY_S / DAYS_PER_KIND)
    found = []
    for kind in order[: max(0, room)]:
        start_s = _start(rng, kind.hours, span)
        if start_s is None:
            continue
        identity = f"{kind.name}-1"
        given = odd.Given(
            rng=rhythm.seeded(seed, kind.name),
            seed=seed,
            start_s=start_s,
            span=span,
            cluster=cluster,
            company=company,
            episode=identity,
            port=port,
        )
        found.append(odd.Happening(identity, kind.name, kind.summary, start_s, kind.play(given)))
    return found


def changed(planned: Iterable[acts.Act], happenings: Iterable[odd.Happening]) -> list[acts.Act]:
    """Give everyday acts as the happenings change them, with the happenings' own acts, in time order.

    Parameters
    ----------
    planned
        Everyday acts.
    happenings
        What `plan` gave.
    """
    of: Mapping[str, odd.Happening] = {happening.name: happening for happening in happenings}
    moved = of.get("ci-move")
    pipelines = {pipeline.username for pipeline in people.PIPELINES}
    everyday = [
        _moved(act, moved) if moved and act.who in pipelines and act.time_s >= moved.start_s else act for act in planned
    ]
    return acts.in_order([*everyday, *(act for happening in of.values() for act in happening.acts)])


def _moved(act: acts.Act, move: odd.Happening) -> acts.Act:
    """Give a pipeline's act after its move; it is labelled for a while."""
    address = f"{people.NEW_CI_NETWORK}.{10 + act.replica}"
    episode = move.id if act.time_s < move.start_s + MOVED_S else ""
    return msgspec.structs.replace(act, agent=people.NEW_CI_AGENT, address=address, episode=episode)


def _start(rng: random.Random, hours: odd.Hours, span: rhythm.Span) -> float | None:
    """Draw a start inside the hours; ``None`` when the recording has none."""
    lasts_s = span.end_s - span.start_s
    low_s, high_s = span.start_s + EARLIEST_SHARE * lasts_s, span.start_s + LATEST_SHARE * lasts_s
    for _ in range(300):
        time_s = rng.uniform(low_s, high_s)
        hour = rhythm.local_hour(time_s)
        if hours is odd.Hours.ANY:
            return time_s
        if hours is odd.Hours.OFFICE and 9 <= hour < 15 and not rhythm.weekend(time_s):
            return time_s
        if hours is odd.Hours.NIGHT and (hour >= 23 or hour < 4):
            return time_s
    return None
