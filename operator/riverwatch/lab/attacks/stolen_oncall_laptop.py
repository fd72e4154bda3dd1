"""Attack: on-call credential looks around in working hours.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="stolen-oncall-laptop",
    title="On-call credential looks around in working hours",
    technique=base.Technique(id="T1613", name="Container and Resource Discovery", tactic="Discovery"),
    use_case=vocabulary.UseCase.DISCOVERY,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "From the engineer's own machine, with its client, in working hours, reads workloads, services and "
        "Events of every team slowly over two hours."
    ),
    seen_by=(
        "The engineer is on call for incidents at one place at a time; a slow round through every namespace is "
        "not an incident."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.ONCALL,
    reach=base.Reach.CLUSTER,
    when=base.When.OFFICE,
    lasts_s=14000.0,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ONCALL)
    thief = ctx.act_as(victim)
    for namespace in ctx.namespaces()[:12]:
        for path in (
            paths.core("pods", namespace),
            paths.core("services", namespace),
            paths.group("apps/v1", "deployments", namespace),
            paths.core("events", namespace),
        ):
            yield thief.get(path, {"limit": 500}, after_s=ctx.rng.uniform(60.0, 260.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
