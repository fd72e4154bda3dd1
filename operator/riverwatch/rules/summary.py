"""Stage 4a: one plain sentence of facts about a record that a rule matched, safe to print.

``Activity`` and the rule's ending -> "ana@example.com created pod web/tool-x with a privileged container". Names come
from whoever sent the request, so control and invisible characters are made visible and lengths are cut. Called by
`rules.engine` for hits only.
"""

from __future__ import annotations

import re

from riverwatch.activity import derived, identities, record

MAX_NAME_CHARS = 120
"""Characters of one name; Kubernetes' own limit is 253, real names stay under 80."""

MAX_VALUE_CHARS = 200
"""Characters of one matched value."""

MAX_SENTENCE_CHARS = 600
"""Characters of a whole sentence."""

UNKNOWN = "(unknown)"
"""Stands for a field that the record does not tell."""

_VERBS = {
    "create": ("created", "create"),
    "update": ("changed", "change"),
    "patch": ("patched", "patch"),
    "delete": ("deleted", "delete"),
    "deletecollection": ("deleted all", "delete all"),
    "get": ("read", "read"),
    "list": ("listed", "list"),
    "watch": ("watched", "watch"),
    "post": ("posted to", "post to"),
}

_SUBRESOURCES = {
    "exec": ("ran a command in", "run a command in"),
    "attach": ("attached to", "attach to"),
    "portforward": ("forwarded a port to", "forward a port to"),
    "proxy": ("went through the proxy of", "go through the proxy of"),
    "token": ("minted a token for", "mint a token for"),
    "approval": ("decided on", "decide on"),
    "ephemeralcontainers": ("put an ephemeral container into", "put an ephemeral container into"),
    "log": ("read the log of", "read the log of"),
    "eviction": ("evicted", "evict"),
    "binding": ("placed", "place"),
}

_IRREGULAR = {"ingresses": "ingress", "endpoints": "endpoints", "networkpolicies": "networkpolicy"}

_FIELD = re.compile(r"\{([A-Za-z][A-Za-z.]*)\}")


def neutral(text: str, *, limit: int = MAX_NAME_CHARS) -> str:
    r"""Make a text from outside safe to show: one line, no control or invisible characters, bounded.

    Examples
    --------
    >>> neutral("a\x1b[31mb")
    'a\\x1b[31mb'
    >>> neutral("x" * 10, limit=4)
    'xxx…'
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)[: limit * 6]


def sentence(facts: derived.Facts, detail: str) -> str:
    """Write the sentence for one record.

    Parameters
    ----------
    facts
        The record.
    detail
        Ending given by the rule; derived fields in braces are filled in. Left out when none of them is known.
    """
    activity = facts.activity
    who = _who(activity)
    if facts.through:
        who = f"{neutral(identities.classify(facts.author).label)} (through {neutral(facts.through)})"
    text = f"{who} {_did(activity)} {_what(facts)}"
    if activity.refused:
        text += f" and was refused ({activity.code})"
    elif activity.failed:
        text += f" and failed ({activity.code})"
    told = _FIELD.findall(detail)
    if detail and (not told or any(field_text(facts, name) != UNKNOWN for name in told)):
        text += " " + _FIELD.sub(lambda found: field_text(facts, found.group(1)), detail)
    return neutral(text, limit=MAX_SENTENCE_CHARS)


def field_text(facts: derived.Facts, name: str) -> str:
    """Write one derived field for a sentence; `UNKNOWN` when it is absent."""
    if name not in derived.REGISTRY:
        return "{" + name + "}"
    value = derived.value(facts, name)
    if value is None:
        return UNKNOWN
    values = value if isinstance(value, tuple) else (value,)
    return neutral(", ".join(str(one) for one in values), limit=MAX_VALUE_CHARS)


def _who(activity: record.Activity) -> str:
    who = neutral(activity.principal.label)
    return f"{who} (as {neutral(activity.impersonated.label)})" if activity.impersonated else who


def _did(activity: record.Activity) -> str:
    past, infinitive = _SUBRESOURCES.get(activity.subresource) or _VERBS.get(
        activity.verb, (f"did {neutral(activity.verb, limit=40)} on", f"{neutral(activity.verb, limit=40)}")
    )
    return f"tried to {infinitive}" if activity.failed else past


def _what(facts: derived.Facts) -> str:
    activity = facts.activity
    if not activity.resource:
        return neutral(activity.request_uri.partition("?")[0]) or "the API server"
    name = activity.name
    if not name and activity.verb == "create":
        name = str(derived.value(facts, "pod.name") or "")
    if not name:
        plural = neutral(activity.resource, limit=60)
        return f"{plural} in {neutral(activity.namespace)}" if activity.namespace else f"{plural} of the cluster"
    return phrase(activity.resource, activity.namespace, name)


def phrase(resource: str, namespace: str, name: str) -> str:
    """Write an object with its kind, as it stands in sentences.

    Examples
    --------
    >>> phrase("ingresses", "web", "shop"), phrase("nodes", "", "worker-1")
    ('ingress web/shop', 'node worker-1')
    """
    place = f"{neutral(namespace)}/{neutral(name)}" if namespace else neutral(name)
    return f"{singular(neutral(resource, limit=60))} {place}"


def singular(resource: str) -> str:
    """Return the singular of a resource name.

    Examples
    --------
    >>> [singular(r) for r in ("pods", "ingresses", "networkpolicies", "endpoints")]
    ['pod', 'ingress', 'networkpolicy', 'endpoints']
    """
    if resource in _IRREGULAR:
        return _IRREGULAR[resource]
    if resource.endswith("ies"):
        return resource[:-3] + "y"
    return resource.removesuffix("s")
