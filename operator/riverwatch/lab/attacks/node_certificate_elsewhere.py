"""Attack: kubelet's certificate used from another address.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, mounts, paths

CARD = base.Card(
    id="node-certificate-elsewhere",
    title="Kubelet's certificate used from another address",
    technique=base.Technique(id="T1078.004", name="Cloud Accounts", tactic="Initial Access"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Shows a node's client certificate from an address that is not the node's, with the kubelet's client, "
        "and reads the secrets and config maps of the pods placed on that node, which the node authorizer "
        "allows."
    ),
    seen_by="The certificate belongs to a node whose address is known; requests come from another one.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.NODE,
    reach=base.Reach.CLUSTER,
    needs=("a node whose kubelet's certificate is at hand, with pods that refer to secrets",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.NODE)
    thief = ctx.act_as(victim, source_ip=ctx.peer_ip())
    own = {"fieldSelector": f"spec.nodeName={victim.name}"}
    pods = ctx.known(paths.core("pods"), own)
    yield thief.get(paths.core("nodes", "", victim.name))
    yield thief.get(paths.core("pods"), own)
    wanted = list(dict.fromkeys(mount for pod in pods for mount in mounts.of(ctx.read(paths.core("pods", *pod)).body)))
    for resource, namespace, name in wanted[:12]:
        yield thief.get(paths.core(resource, namespace, name))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
