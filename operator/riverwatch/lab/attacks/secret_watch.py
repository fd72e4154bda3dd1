"""Attack: second watch on everybody's secrets.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

WATCHES = 6
"""How often the watch is opened."""

CARD = base.Card(
    id="secret-watch",
    title="Second watch on everybody's secrets",
    technique=base.Technique(id="T1552.007", name="Container API", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Opens a watch on all secrets with the controller's token and client from the address of another pod, "
        "and again each time it ends: one request delivers every secret and every change."
    ),
    seen_by="The controller holds one watch from its own pod; a second one comes from elsewhere.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.SECRET_SYNC,
    reach=base.Reach.CLUSTER,
    lasts_s=4200.0,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.SECRET_SYNC, able=("GET", paths.core("secrets") + "?watch=true"))
    thief = ctx.act_as(victim, source_ip=ctx.pod_ip())
    for _ in range(WATCHES):
        query = {"watch": "true", "timeoutSeconds": 1, "allowWatchBookmarks": "true"}
        yield thief.get(paths.core("secrets"), query, after_s=ctx.rng.uniform(240.0, 540.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
