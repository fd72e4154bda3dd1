"""Attack: developer's credential used from abroad.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="developer-abroad",
    title="Developer's credential used from abroad",
    technique=base.Technique(id="T1078.004", name="Cloud Accounts", tactic="Initial Access"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Uses a developer's credential in working hours with the same client version from a foreign address: "
        "looks at pods, logs, config maps and secrets of the developer's own team."
    ),
    seen_by="Only the network is new; rights, hours and client are the developer's.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.DEVELOPER,
    when=base.When.OFFICE,
    catalogues=("Microsoft: Kubeconfig file",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.DEVELOPER)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip())
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    answer = yield thief.get(paths.core("pods", namespace), {"limit": 500})
    pods = answer.items()
    yield thief.get(paths.group("apps/v1", "deployments", namespace), {"limit": 500})
    for _, pod in pods[:2]:
        yield thief.get(paths.core("pods", namespace, pod))
    yield thief.get(paths.core("configmaps", namespace), {"limit": 500})
    answer = yield thief.get(paths.core("secrets", namespace), {"limit": 500})
    for space, name in answer.items()[:3]:
        yield thief.get(paths.core("secrets", space, name))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
