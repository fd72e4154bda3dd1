"""Attack: traces deleted.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths

CARD = base.Card(
    id="event-deletion",
    title="Traces deleted",
    technique=base.Technique(id="T1070", name="Indicator Removal", tactic="Defense Evasion"),
    use_case=vocabulary.UseCase.DEFENSE_EVASION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "After starting and removing a pod, deletes the Kubernetes Events of the namespace so that nobody sees "
        "it was there."
    ),
    seen_by="Deletion of a collection of Events, which nothing in a cluster does.",
    cleans_up=(
        "The pod deletes itself as part of the story; the deleted Events are those of the attacker's own namespace."
    ),
    victim=base.Part.ADMIN,
    reach=base.Reach.CLUSTER,
    catalogues=("Microsoft: Delete K8S events",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ADMIN)
    thief = ctx.act_as(victim)
    namespace = ctx.home or victim.namespace or ctx.namespaces()[0]
    name = ctx.name("shell")
    pods = paths.core("pods", namespace)
    ctx.remove_later(f"{pods}/{name}")
    yield thief.create(pods, cast.pod(name, "default"))
    yield thief.delete(f"{pods}/{name}")
    yield thief.get(paths.core("events", namespace), {"limit": 500})
    yield thief.delete(paths.core("events", namespace))
    yield thief.get(paths.core("events", namespace), {"limit": 500})


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
