"""Attack: gitOps token reads its own namespaces from a new network.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="gitops-new-network",
    title="GitOps token reads its own namespaces from a new network",
    technique=base.Technique(id="T1550.001", name="Application Access Token", tactic="Lateral Movement"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Uses the GitOps controller's token and agent from a peered private network to read what the controller "
        "always reads in the namespaces it owns: deployments, services, config maps and secrets."
    ),
    seen_by="The bound pod's token comes from an address that is not the pod's; nothing else is unusual.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.GITOPS,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.GITOPS)
    thief = ctx.act_as(victim, source_ip=ctx.peer_ip(), machine=True)
    homes = [space for space in ctx.namespaces() if ctx.may(victim, "GET", paths.core("secrets", space))]
    for namespace in ctx.rng.sample(homes, min(3, len(homes))):
        for path in (
            paths.group("apps/v1", "deployments", namespace),
            paths.core("services", namespace),
            paths.core("configmaps", namespace),
            paths.core("secrets", namespace),
        ):
            yield thief.get(path, {"limit": 500}, after_s=ctx.rng.uniform(1.0, 20.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
