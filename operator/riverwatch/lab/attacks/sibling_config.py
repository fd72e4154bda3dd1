"""Attack: neighbour's configuration read with a shared role.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="sibling-config",
    title="Neighbour's configuration read with a shared role",
    technique=base.Technique(id="T1552.001", name="Credentials In Files", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "A compromised workload reads the secrets and config maps of the workload beside it; a role shared by "
        "the namespace allows it."
    ),
    seen_by="The names are known in the namespace, but never to this identity.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.SIBLING,
    lasts_s=2400.0,
    catalogues=("Microsoft: Application credentials in configuration files",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.SIBLING)
    thief = ctx.act_as(victim)
    secrets = ctx.known(paths.core("secrets", victim.namespace))
    maps = ctx.known(paths.core("configmaps", victim.namespace))
    for _, name in ctx.rng.sample(maps, min(2, len(maps))):
        yield thief.get(paths.core("configmaps", victim.namespace, name))
    for _, name in ctx.rng.sample(secrets, min(5, len(secrets))):
        yield thief.get(paths.core("secrets", victim.namespace, name), after_s=ctx.rng.uniform(60.0, 400.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
