"""Attack: monitoring account maps the cluster.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="monitoring-recon",
    title="Monitoring account maps the cluster",
    technique=base.Technique(id="T1613", name="Container and Resource Discovery", tactic="Discovery"),
    use_case=vocabulary.UseCase.DISCOVERY,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "From the monitoring system's pod and with its client, lists namespaces, ingresses, deployments and "
        "config maps, which its chart allows and it never does, as a map for what comes next."
    ),
    seen_by="Kinds and verbs are new for the account, which only watches nodes, pods, services and endpoints.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.MONITORING,
    reach=base.Reach.CLUSTER,
    lasts_s=1800.0,
    catalogues=("Microsoft: Network mapping",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.MONITORING, able=("GET", paths.core("configmaps")))
    thief = ctx.act_as(victim)
    yield thief.get(paths.core("namespaces"), {"limit": 500})
    for namespace in ctx.namespaces()[:6]:
        yield thief.get(paths.core("configmaps", namespace), {"limit": 500}, after_s=ctx.rng.uniform(30.0, 120.0))
        yield thief.get(paths.core("services", namespace), {"limit": 500})
        yield thief.get(paths.core("pods", namespace), {"limit": 500})
    yield thief.get(paths.core("nodes"), {"limit": 500})


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
