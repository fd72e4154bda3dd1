"""Attack: existing cron job rescheduled and rewritten.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths, session

CARD = base.Card(
    id="quiet-cronjob",
    title="Existing cron job rescheduled and rewritten",
    technique=base.Technique(id="T1053.007", name="Container Orchestration Job", tactic="Persistence"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.SUBTLE,
    does=(
        "Patches the schedule and the arguments of a cron job that exists already, keeping its image, with the "
        "pipeline's token, address and client."
    ),
    seen_by="The pipeline replaces cron jobs as part of releases; a lone patch outside one is not its habit.",
    cleans_up="Schedule and arguments are patched back.",
    victim=base.Part.CI,
    when=base.When.NIGHT,
    catalogues=("Microsoft: Kubernetes CronJob",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    jobs = paths.group("batch/v1", "cronjobs", namespace)
    found = [name for _, name in ctx.known(jobs)]
    if not found:
        ctx.ensure(jobs, cast.cron_job("reports-nightly", "registry.k8s.io/pause:3.10"))
        found = ["reports-nightly"]
    path = f"{jobs}/{found[0]}"
    before = ctx.read(path)
    schedule = before.at("spec", "schedule")
    ctx.restore_later(path, {"spec": {"schedule": schedule}})
    yield thief.get(path)
    yield thief.patch(path, {"spec": {"schedule": "*/10 * * * *"}}, content_type=session.MERGE_PATCH)
    yield thief.get(path)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
