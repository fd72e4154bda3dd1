"""Run attacks on a cluster: build the stage, play, clean up, whatever happens.

A kubeconfig and the attacks' names in, labels out. A cluster that the lab did not start needs its name confirmed by the
caller and gets one namespace of its own unless more is allowed. Called by `lab attack` and by `evaluation.latency`.
"""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import cast as typed

import msgspec
import yaml
from kubernetes import client, config
from kubernetes.config import config_exception

from riverwatch import clock, errors
from riverwatch.lab.attacks import base, context, run, stage

NAMESPACE = "staging-checks"
"""Start of the name of a stage's namespace; a random ending follows."""


class Target(msgspec.Struct, frozen=True):
    """A cluster that a kubeconfig points to."""

    cluster: str
    """Its name in the kubeconfig, which a person has to type to confirm."""
    director: stage.Director


class Played(msgspec.Struct, frozen=True):
    """What came of one attack."""

    attack: str
    label: run.Label | None
    skipped: str = ""
    """Why it was not run."""
    failed: str = ""
    """Why it did not end as its story asks, or what is left behind."""


def target(kubeconfig: pathlib.Path) -> Target:
    """Read a kubeconfig's current context; credential plugins and embedded certificates work as for kubectl.

    Parameters
    ----------
    kubeconfig
        The file.

    Raises
    ------
    BadInputError
        When it cannot be read or names no cluster.
    """
    try:
        document = yaml.safe_load(kubeconfig.read_text())
        wanted = document["current-context"]
        cluster = next(entry["context"]["cluster"] for entry in document["contexts"] if entry["name"] == wanted)
        loaded = client.Configuration()
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=loaded
        )
    except OSError as problem:
        raise errors.BadInputError(f"cannot be read ({problem.strerror})", where=str(kubeconfig)) from problem
    except (yaml.YAMLError, KeyError, TypeError, StopIteration, config_exception.ConfigException) as problem:
        raise errors.BadInputError(
            f"not a kubeconfig with a current context ({problem}); check it with `kubectl config view`",
            where=str(kubeconfig),
        ) from problem
    bearer = typed(
        "str", loaded.get_api_key_with_prefix("authorization") or loaded.get_api_key_with_prefix("BearerToken")
    )
    credential = base.Credential(
        token=(bearer or "").removeprefix("Bearer "),
        certificate_file=loaded.cert_file or "",
        key_file=loaded.key_file or "",
    )
    director = base.Identity(
        username="",
        part=base.Part.ADMIN,
        namespace="",
        credential=credential,
        source_ip="",
        user_agent=context.KUBECTL,
    )
    return Target(
        cluster=cluster,
        director=stage.Director(server=loaded.host, authority_file=loaded.ssl_ca_cert or "", identity=director),
    )


def play(
    scene: stage.Stage,
    attacks: Sequence[base.Attack],
    *,
    seed: int,
    issue: stage.Issuer | None = None,
    perform: Callable[[base.Attack, context.AttackContext], run.Label] | None = None,
) -> Iterator[Played]:
    """Build the stage, run one attack after the other, and take everything away.

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
    perform
        How to run one; `run.live` by default.

    Raises
    ------
    RiverwatchError
        When the stage cannot be built or not be taken away.
    """
    doing = perform or _live
    try:
        scene.build(issue)
        for attack in attacks:
            yield _play_one(scene, attack, seed=seed, doing=doing)
    finally:
        left = scene.strike()
    if left:
        raise errors.PermanentError(f"not removed, please delete: {'; '.join(left)}")


def _play_one(
    scene: stage.Stage,
    attack: base.Attack,
    *,
    seed: int,
    doing: Callable[[base.Attack, context.AttackContext], run.Label],
) -> Played:
    """Run one attack unless this stage is too narrow for it."""
    card = attack.card
    if card.reach is base.Reach.CLUSTER and not scene.wide:
        return Played(attack=card.id, label=None, skipped="reaches beyond one namespace; allow it with --cluster-wide")
    if not scene.identities(card.victim):
        return Played(attack=card.id, label=None, skipped=f"nobody plays the part {card.victim.value!r} here")
    given = context.AttackContext(scene=scene, rng=random.Random(f"{seed}/{card.id}"), home=scene.namespace)
    try:
        return Played(attack=card.id, label=doing(attack, given))
    except errors.RiverwatchError as problem:
        return Played(attack=card.id, label=None, failed=str(problem))


def _live(attack: base.Attack, given: context.AttackContext) -> run.Label:
    """Run an attack now, its pauses cut short."""
    return run.live(attack, given, today=clock.SystemClock())
