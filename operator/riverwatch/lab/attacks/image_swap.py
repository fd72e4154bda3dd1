"""Attack: image of a running deployment exchanged.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session, workloads

CARD = base.Card(
    id="image-swap",
    title="Image of a running deployment exchanged",
    technique=base.Technique(id="T1525", name="Implant Internal Image", tactic="Persistence"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "At the weekend, patches one container image of a deployment to another tag from the registry it always "
        "used, with the pipeline's token from the runners' address."
    ),
    seen_by=(
        "The pipeline deploys on working days with Helm's sequence of reads and writes; a lone patch at the "
        "weekend is not that."
    ),
    cleans_up="Image and annotations are patched back.",
    victim=base.Part.CI,
    when=base.When.WEEKEND,
    catalogues=("Microsoft: Backdoor container",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    deployments, name = ctx.one_of(victim, paths.group("apps/v1", "deployments", context.HOME))
    before = ctx.read(f"{deployments}/{name}").body
    container, image = workloads.first_image(before)
    ctx.restore_later(
        f"{deployments}/{name}", workloads.image_patch(container, image), content_type=session.STRATEGIC_PATCH
    )
    changed = workloads.image_patch(container, f"{image.rpartition(':')[0]}:hotfix-2")
    yield thief.patch(f"{deployments}/{name}", changed)
    yield thief.get(f"{deployments}/{name}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
