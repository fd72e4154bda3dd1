"""Attack: application reads one by one what it always lists.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="list-one-by-one",
    title="Application reads one by one what it always lists",
    technique=base.Technique(id="T1552.007", name="Container API", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "From inside the application's own pod and with its own client, gets every secret and config map of the "
        "namespace by name, where the application watches a list."
    ),
    seen_by="Verbs and objects change: many gets by name from an identity that lists and watches.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.APP,
    lasts_s=3600.0,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.APP)
    thief = ctx.act_as(victim)
    found = [("secrets", name) for _, name in ctx.known(paths.core("secrets", victim.namespace))]
    found += [("configmaps", name) for _, name in ctx.known(paths.core("configmaps", victim.namespace))]
    for resource, name in found[:24]:
        yield thief.get(paths.core(resource, victim.namespace, name), after_s=ctx.rng.uniform(15.0, 120.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
