"""Attack: backup account reads secrets one by one in its own hour.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="backup-night-reads",
    title="Backup account reads secrets one by one in its own hour",
    technique=base.Technique(id="T1552.007", name="Container API", tactic="Credential Access"),
    use_case=vocabulary.UseCase.SECRET_ACCESS,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "During the nightly backup, with the backup's token, address and client, reads single secrets by name "
        "beside the lists the backup makes."
    ),
    seen_by=(
        "The backup lists and never gets; twenty gets of secrets by name are unlike it, though the hour, "
        "address and client are right."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.BACKUP,
    when=base.When.NIGHT,
    lasts_s=1200.0,
    catalogues=("GuardDuty: AnomalousBehavior.SecretsAccessed",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.BACKUP)
    thief = ctx.act_as(victim, machine=True)
    homes = [space for space in ctx.namespaces() if ctx.may(victim, "GET", paths.core("secrets", space, "a"))]
    secrets = [found for space in homes for found in ctx.known(paths.core("secrets", space))]
    ctx.rng.shuffle(secrets)
    for namespace, name in secrets[:20]:
        yield thief.get(paths.core("secrets", namespace, name), after_s=ctx.rng.uniform(5.0, 45.0))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
