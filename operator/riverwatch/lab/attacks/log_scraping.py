"""Attack: logs of many workloads read in search of credentials.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="log-scraping",
    title="Logs of many workloads read in search of credentials",
    technique=base.Technique(id="T1552.001", name="Credentials In Files", tactic="Credential Access"),
    use_case=vocabulary.UseCase.DISCOVERY,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "With an on-call engineer's credential, address and client, reads the logs of two pods in each of many "
        "namespaces in an hour."
    ),
    seen_by="An engineer reads many logs of one service; one or two of many services is another pattern.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.ONCALL,
    reach=base.Reach.CLUSTER,
    lasts_s=5400.0,
    needs=("kubelet endpoint: without one the API server answers with an error",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ONCALL)
    thief = ctx.act_as(victim)
    homes = ctx.namespaces()
    for namespace in ctx.rng.sample(homes, min(8, len(homes))):
        answer = yield thief.get(paths.core("pods", namespace), {"limit": 500})
        for _, pod in answer.items()[:2]:
            yield thief.get(
                paths.core("pods", namespace, pod, "log"), {"tailLines": 2000}, after_s=ctx.rng.uniform(20.0, 200.0)
            )


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
