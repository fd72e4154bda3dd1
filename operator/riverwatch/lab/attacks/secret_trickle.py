"""Attack: one secret every ten minutes for hours.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

READS = 36
"""Secrets read; at ten minutes each, six hours."""

CARD = base.Card(
    id="secret-trickle",
    title="One secret every ten minutes for hours",
    technique=base.Technique(id="T1552.007", name="Container API", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Sits in the pod of a controller that may read secrets everywhere and reads one more secret about every "
        "ten minutes, never the same twice, with the controller's own client, until it has thirty-six."
    ),
    seen_by=(
        "Each read is allowed and looks like the controller's; over hours it touches far more different secrets "
        "than it ever did."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.SECRET_SYNC,
    reach=base.Reach.CLUSTER,
    lasts_s=28800.0,
    catalogues=("Microsoft: List K8S secrets",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.SECRET_SYNC, able=("GET", paths.core("secrets", "", "a")))
    thief = ctx.act_as(victim)
    secrets = [found for space in ctx.namespaces() for found in ctx.known(paths.core("secrets", space))]
    ctx.rng.shuffle(secrets)
    for namespace, name in secrets[:READS]:
        yield thief.get(paths.core("secrets", namespace, name), after_s=ctx.rng.uniform(420.0, 780.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
