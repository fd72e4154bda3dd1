"""Attack: pipeline token used at night from elsewhere.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="ci-token-at-night",
    title="Pipeline token used at night from elsewhere",
    technique=base.Technique(id="T1078.004", name="Cloud Accounts", tactic="Initial Access"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Replays the reads that every deployment makes (release secrets, deployments, services) with the "
        "pipeline's token and agent, but at night and from an address that is not the runners'."
    ),
    seen_by="Hour and network are new for the pipeline; verbs, objects and agent are its own.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.CI,
    when=base.When.NIGHT,
    catalogues=(
        "GuardDuty: AnomalousBehavior.SecretsAccessed",
        "Microsoft: Using Cloud Credentials",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip())
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    answer = yield thief.get(paths.core("secrets", namespace), {"labelSelector": "owner=helm"})
    yield thief.get(paths.group("apps/v1", "deployments", namespace))
    yield thief.get(paths.core("services", namespace))
    answer = yield thief.get(paths.core("secrets", namespace))
    for space, name in answer.items()[:6]:
        yield thief.get(paths.core("secrets", space, name))
    yield thief.get(paths.core("configmaps", namespace))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
