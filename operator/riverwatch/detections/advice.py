"""Stage 6 helper: what a responder should do next, and plain one-line summaries of activities.

Recommendations name the exact command and are never run. Pure; called by `detections.fold` and `runtime.pipeline`.
"""

from __future__ import annotations

import re
import shlex

from riverwatch import vocabulary
from riverwatch.activity import identities, record
from riverwatch.detections import finding
from riverwatch.models import base
from riverwatch.rules import base as rules_base
from riverwatch.rules import summary as summaries

MAX_RECOMMENDATIONS = 8
"""Steps kept; more are not read."""

RIGHTS = "kubectl auth can-i --list"
"""Command that shows what an identity may do; one step with it is enough."""

MAX_SUMMARY_CHARS = 300
"""Longest one-line summary."""

_ASK = "Ask {actor} whether this was them"
"""How rules ask for a question to whoever acted."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

MAX_NAME_CHARS = 512
"""Longest name inside a command; Kubernetes' own are shorter."""

MAX_WORD_CHARS = 120
"""Longest name inside a summary."""


def printable(text: str, limit: int = MAX_WORD_CHARS) -> str:
    r"""Return text that is safe to show: no control characters, cut at `limit` characters.

    Examples
    --------
    >>> printable("web\x1b[31m\nroot")
    'web?[31m?root'
    """
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return cut if cut.isprintable() else "".join(char if char.isprintable() else "?" for char in cut)


def summary(activity: record.Activity) -> str:
    """Say in one line who did what to which object from where, with what result."""
    who = activity.principal.label
    if activity.impersonated:
        who += f" as {activity.impersonated.label}"
    if activity.resource:
        if activity.name:
            target = f" {activity.namespace}/{activity.name}" if activity.namespace else f" {activity.name}"
        else:
            target = f" in {activity.namespace}" if activity.namespace else " cluster-wide"
        what = f"{activity.verb} {activity.resource_path}{target}"
    else:
        what = f"{activity.verb} {activity.request_uri}"
    result = f" -> {activity.code}" if activity.code else ""
    source = f" from {activity.source_ip}" if activity.source_ip else ""
    agent = f" with {printable(activity.user_agent, 60)}" if activity.user_agent else ""
    return printable(f"{printable(who)} {printable(what, 160)}{result}{source}{agent}", MAX_SUMMARY_CHARS)


def use_case(parts: list[base.Surprise]) -> vocabulary.UseCase:
    """Return what an anomaly is about, from its strongest parts."""
    top = parts[:4]
    text = " ".join(part.observed for part in top)
    if any(part.feature in {"network", "agent", "credential"} for part in top):
        return vocabulary.UseCase.CREDENTIAL_MISUSE
    if "secrets" in text:
        return vocabulary.UseCase.SECRET_ACCESS
    if "rolebinding" in text or "clusterrole" in text or " roles" in text or "serviceaccounts/token" in text:
        return vocabulary.UseCase.PRIVILEGE_ESCALATION
    if any(word in text for word in ("pods/exec", "pods/attach", "create pods", "create jobs", "create deployments")):
        return vocabulary.UseCase.EXECUTION
    if "delete" in text:
        return vocabulary.UseCase.IMPACT
    if any(part.feature == "outcome" for part in top) or "reviews" in text:
        return vocabulary.UseCase.DISCOVERY
    if any(part.feature in {"namespace", "scope"} for part in top):
        return vocabulary.UseCase.LATERAL_MOVEMENT
    return vocabulary.UseCase.CREDENTIAL_MISUSE


_TECHNIQUES = {
    vocabulary.UseCase.CREDENTIAL_MISUSE: vocabulary.Technique("T1078", "Valid Accounts", "Initial Access"),
    vocabulary.UseCase.SECRET_ACCESS: vocabulary.Technique(
        "T1552.007", "Unsecured Credentials: Container API", "Credential Access"
    ),
    vocabulary.UseCase.PRIVILEGE_ESCALATION: vocabulary.Technique(
        "T1098.006", "Account Manipulation: Additional Container Cluster Roles", "Privilege Escalation"
    ),
    vocabulary.UseCase.EXECUTION: vocabulary.Technique("T1609", "Container Administration Command", "Execution"),
    vocabulary.UseCase.IMPACT: vocabulary.Technique("T1485", "Data Destruction", "Impact"),
    vocabulary.UseCase.DISCOVERY: vocabulary.Technique("T1613", "Container and Resource Discovery", "Discovery"),
    vocabulary.UseCase.LATERAL_MOVEMENT: vocabulary.Technique(
        "T1550.001", "Use Alternate Authentication Material: Application Access Token", "Lateral Movement"
    ),
}


def techniques(parts: list[base.Surprise]) -> list[vocabulary.Technique]:
    """Return the ATT&CK technique that an anomaly most likely belongs to."""
    found = _TECHNIQUES.get(use_case(parts))
    return [found] if found else []


def is_command(step: str) -> bool:
    """Return whether a step is one command to copy, perhaps with a comment behind it; all others are sentences."""
    return step.startswith("kubectl ")


def recommendations(activity: record.Activity, hits: list[rules_base.RuleHit], found: finding.Detection) -> list[str]:
    """Return the next steps: commands first, and of those the rules' own first.

    A step that names something which the records do not tell, such as the name that a pod got in the end, is left out.
    """
    steps: list[str] = []
    for hit in hits:
        words = _words(hit, activity, found)
        steps += [
            _question(activity) if step.startswith(_ASK) else _filled(step, words)
            for step in hit.card.recommendations
            if set(_PLACEHOLDER.findall(step)) <= words.keys()
        ]
    told = any(RIGHTS in step for step in steps)
    own = _steps_for(activity, who=_word(activity.principal.username))
    steps += [step for step in own if not (told and RIGHTS in step)]
    steps = [step for step in steps if step]
    steps.sort(key=lambda step: not is_command(step))
    home = f"-n {shlex.quote(found.namespace)} " if found.namespace else ""
    triage = (
        f"kubectl {home}patch rwtd {found.name} --type merge "
        """-p '{"spec":{"triage":{"verdict":"Expected","reason":"known work"}}}'   # if it was"""
    )
    distinct: dict[str, str] = {}
    for step in steps:
        # Rules ask for the same command for different reasons.
        distinct.setdefault(step.partition("   #")[0], step)
    return [*list(distinct.values())[: MAX_RECOMMENDATIONS - 1], triage]


def _words(hit: rules_base.RuleHit, activity: record.Activity, found: finding.Detection) -> dict[str, str]:
    """Return what a rule's placeholders stand for: the object that the rule hit, which may not be the latest one."""
    here = finding.Target(
        activity.api_group, activity.resource, activity.subresource, activity.namespace, activity.name
    )
    named = [one for one in (here, *found.targets) if one.name and one.name in hit.summary]
    # A short name is part of many sentences; the object of this one stands there with its kind.
    named.sort(key=lambda one: (_phrase(one) not in hit.summary, -len(one.name)))
    words = {
        "namespace": _word((named[0] if named else here).namespace or "default"),
        "actor": _word(activity.principal.username),
    }
    if not named:
        return words
    kind = f"{named[0].resource}.{named[0].api_group}" if named[0].api_group else named[0].resource
    return words | {"name": _word(named[0].name), "kind": _word(kind)}


def _phrase(target: finding.Target) -> str:
    return summaries.phrase(target.resource, target.namespace, target.name)


def _question(activity: record.Activity) -> str:
    """Ask whether it was them, of somebody who can answer; empty when there is nobody."""
    principal = activity.principal
    if principal.kind is identities.PrincipalKind.ANONYMOUS:
        return ""
    who = printable(principal.label)
    if principal.kind is identities.PrincipalKind.USER and not _shared(principal.username):
        origin = f", from {activity.source_ip}" if activity.source_ip else ""
        return f"Ask {who} whether it was them{origin}; if not, revoke the credential"
    return f"Find out who used {who}; if it was none of its owners, revoke the credential"


def _shared(username: str) -> bool:
    """Tell whether a user name is nobody's own."""
    return username.startswith((identities.SYSTEM, "kube:", "kubernetes-"))


def _steps_for(activity: record.Activity, *, who: str) -> list[str]:
    principal = activity.principal
    if principal.kind is identities.PrincipalKind.USER:
        return [
            _question(activity),
            f"kubectl auth can-i --list --as={who}   # what the identity may do",
        ]
    if principal.kind is not identities.PrincipalKind.SERVICE_ACCOUNT:
        return []
    namespace = _word(principal.namespace)
    account = _word(principal.name)
    listing = f"kubectl -n {namespace} get pods -o wide"
    steps = [
        f"{listing} --field-selector spec.serviceAccountName={account}   # who runs as it",
        f"kubectl auth can-i --list --as={who} -n {namespace}   # what it may do",
    ]
    if activity.token_pod:
        pod = _word(activity.token_pod)
        steps.append(f"kubectl -n {namespace} delete pods {pod}   # if its token was stolen: ends the token")
    return steps


def _word(text: str) -> str:
    """Return text as one word of a command line, on one line even inside a comment."""
    return shlex.quote(printable(text, MAX_NAME_CHARS))


def _filled(step: str, words: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), step)
