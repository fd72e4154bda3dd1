"""Attack: workload token used from two pods at once.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

ROUNDS = 8
"""How often the reads are repeated."""

CARD = base.Card(
    id="token-in-two-places",
    title="Workload token used from two pods at once",
    technique=base.Technique(id="T1550.001", name="Application Access Token", tactic="Lateral Movement"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "While the workload goes on as ever, its token is used from the address of another pod with the same "
        "client, for the same reads, at the same rhythm."
    ),
    seen_by=(
        "The token names its pod; half of its requests come from the address of another one, interleaved with "
        "the rightful ones."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.APP,
    lasts_s=3600.0,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.APP)
    thief = ctx.act_as(victim, source_ip=ctx.pod_ip())
    names = [name for _, name in ctx.known(paths.core("configmaps", victim.namespace))][:3]
    for _ in range(ROUNDS):
        for name in names:
            yield thief.get(paths.core("configmaps", victim.namespace, name), after_s=ctx.rng.uniform(20.0, 90.0))
        yield thief.get(paths.core("pods", victim.namespace), after_s=ctx.rng.uniform(20.0, 90.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
