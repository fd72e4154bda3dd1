"""Attack: habits taught for days before the theft.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

LESSONS = (2, 3, 4, 5, 6)
"""Secrets read on each day of teaching, before the last."""

CARD = base.Card(
    id="slow-teaching",
    title="Habits taught for days before the theft",
    technique=base.Technique(id="T1552.007", name="Container API", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Reads two secrets a day that the controller never needed, a few more each day, from its own pod with "
        "its own client, so that reading secrets becomes its habit; on the sixth day takes many."
    ),
    seen_by=(
        "New secret names keep coming although the controller's set was closed; a detector that learns what it "
        "saw has been taught by the last day."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.INGRESS,
    reach=base.Reach.CLUSTER,
    lasts_s=550000.0,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.INGRESS, able=("GET", paths.core("secrets", "", "a")))
    thief = ctx.act_as(victim)
    secrets = [found for space in ctx.namespaces() for found in ctx.known(paths.core("secrets", space))]
    ctx.rng.shuffle(secrets)
    for count in LESSONS:
        lesson, secrets = secrets[:count], secrets[count:]
        day_s = ctx.rng.uniform(22.0, 26.0) * 3600.0
        for index, (namespace, name) in enumerate(lesson):
            pause_s = day_s if index == 0 and count != LESSONS[0] else ctx.rng.uniform(600.0, 2400.0)
            yield thief.get(paths.core("secrets", namespace, name), after_s=pause_s)
    for namespace, name in secrets[:15]:
        yield thief.get(paths.core("secrets", namespace, name), after_s=ctx.rng.uniform(20.0, 90.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
