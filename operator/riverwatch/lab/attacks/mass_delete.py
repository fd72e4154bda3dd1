"""Attack: namespace emptied.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths

COPIES = 15
"""Objects of each kind that are made and deleted."""

CARD = base.Card(
    id="mass-delete",
    title="Namespace emptied",
    technique=base.Technique(id="T1485", name="Data Destruction", tactic="Impact"),
    use_case=vocabulary.UseCase.IMPACT,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Deletes config maps, services and deployments of a namespace one after the other with the pipeline's token."
    ),
    seen_by="Deletions by the dozen within minutes from an identity that replaces, not deletes.",
    cleans_up="Only copies that the director made before the attack are deleted; what is left of them goes.",
    victim=base.Part.CI,
    catalogues=("Microsoft: Data destruction",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim, machine=True)
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    doomed: list[str] = []
    for index in range(COPIES):
        maps = paths.core("configmaps", namespace)
        name = ctx.name(f"settings-{index:02d}")
        ctx.ensure(maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
        doomed.append(f"{maps}/{name}")
        deployments = paths.group("apps/v1", "deployments", namespace)
        ctx.ensure(
            deployments, cast.deployment(ctx.name(f"batch-{index:02d}"), "registry.k8s.io/pause:3.10", replicas=0)
        )
        doomed.append(f"{deployments}/{ctx.name(f'batch-{index:02d}')}")
    yield thief.get(paths.core("configmaps", namespace), {"limit": 500})
    yield thief.get(paths.group("apps/v1", "deployments", namespace), {"limit": 500})
    for path in doomed:
        yield thief.delete(path)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
