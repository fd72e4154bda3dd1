"""Attack: miner that looks like a release.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths, workloads

CARD = base.Card(
    id="quiet-miner",
    title="Miner that looks like a release",
    technique=base.Technique(id="T1496.001", name="Compute Hijacking", tactic="Impact"),
    use_case=vocabulary.UseCase.IMPACT,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Deploys a workload with a plain name and an image from the usual registry at the weekend, with the "
        "pipeline's token, address and client; only its appetite for processors betrays it."
    ),
    seen_by="A release at a time without releases, with requests far above the team's other workloads.",
    cleans_up="The deployment is deleted.",
    victim=base.Part.CI,
    when=base.When.WEEKEND,
    catalogues=("Microsoft: Resource hijacking",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    deployments, model = ctx.one_of(victim, paths.group("apps/v1", "deployments", context.HOME))
    _, image = workloads.first_image(ctx.read(f"{deployments}/{model}").body)
    name = ctx.name(f"{model}-worker")
    ctx.remove_later(f"{deployments}/{name}")
    body = cast.deployment(name, image, replicas=4)
    container = body["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    container["resources"] = {"requests": {"cpu": "4"}, "limits": {"cpu": "8"}}
    yield thief.create(deployments, body)
    yield thief.get(f"{deployments}/{name}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
