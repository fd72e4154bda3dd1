"""Stage 3, measure: `Activity` -> `FeatureVector`, the attributes of `features.catalog` in fixed order.

Pure; called once per record by `runtime.pipeline`. Must not parse bodies, because it runs on every record; only the
images of written workloads are searched for.
"""

from __future__ import annotations

import functools

import msgspec

from riverwatch.activity import derived_pod, identities, oauth_login, record
from riverwatch.features import amounts, attributes, images

SECONDS_PER_HOUR = 3600
"""Seconds."""

EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

OWN_NAMESPACE = "its own namespace"
"""Where a service account's own namespace is the scope: what its siblings do in theirs is the same."""

NOT_APPLICABLE = ""
"""Value of an attribute that this activity does not have; models pass over it."""

_NO_OBJECT = record.ObjectReference()

_KUBELETS = identities.PrincipalKind.NODE.value
"""Group of all kubelets."""

_READ_FURTHER: dict[str | None, str] = {
    **dict.fromkeys(attributes.NAMED_RESOURCES, "name"),
    **dict.fromkeys(derived_pod.WORKLOADS, "images"),
    **dict.fromkeys((None, ""), "path"),
}
"""Resource -> what else of its records `measure` reads."""


class FeatureVector(msgspec.Struct, gc=False):
    """What the models see of one activity: strings only, bounded in length, in the order of `catalog.ATTRIBUTES`."""

    identity: str
    """User name of the credential that was used."""
    siblings: str
    """Key of the group of identities that should behave alike; empty for none."""
    home: str
    """Namespace whose models judge it: the service account's, or empty for people, nodes and the control plane."""
    time_s: float
    values: tuple[str, ...]
    amount: amounts.Amount | None = None
    """The amount that it came to, when that is one of the values."""
    explained: tuple[str, ...] = ()
    """Attributes that are new to everybody here, so that the identity's first time says nothing about it; the pipeline
    fills it in."""


def hour_of_week(time_s: float) -> str:
    """Return weekday or weekend and the hour, UTC.

    Examples
    --------
    >>> hour_of_week(1768464000.0)
    'weekday 08h'
    """
    return _hour_words(int(time_s // SECONDS_PER_HOUR))


@functools.lru_cache(maxsize=1024)
def _hour_words(hours: int) -> str:
    weekend = (hours // 24 + EPOCH_WEEKDAY) % 7 >= 5
    return f"{'weekend' if weekend else 'weekday'} {hours % 24:02d}h"


def context_key(source: record.AuditRecord) -> int:
    """Return a number that is equal for two records when they agree in all that `measure` reads of a record but time.

    Rules and volumes, which `measure` is told, and what the inventory says are not part of it. The number is a salted
    hash, to be used within this process only. Read from the record itself, because most records need no more.
    """
    user, target = source.user, source.object_ref or _NO_OBJECT
    addresses, status, impersonated = source.source_ips, source.response_status, source.impersonated_user
    resource = target.resource
    what = _READ_FURTHER.get(resource)
    further: object
    if what is None:
        further = None
    elif what == "name":
        further = target.name
    elif what == "path":
        further = (attributes.url_family(source.request_uri or ""), oauth_login.who(source))
    else:
        further = images.sources_in(source)
    return hash(
        (
            None if user is None else user.username,
            source.verb,
            source.user_agent,
            resource,
            target.subresource,
            target.api_group,
            target.namespace,
            further,
            None if status is None else status.code,
            addresses[0] if addresses is not None and len(addresses) == 1 else addresses and tuple(addresses),
            None if impersonated is None else (impersonated.username,),
        )
    )


def sibling_key(principal: identities.Principal) -> str:
    """Return the group of identities that should behave alike when the inventory knows no better.

    Service accounts of one name in several namespaces come from one chart; kubelets are all alike, and so are a network
    add-on's users of one kind on every node.

    Examples
    --------
    >>> sibling_key(identities.classify("system:ovn-node:worker-1")), sibling_key(identities.classify("system:admin"))
    ('system:ovn-node', '')
    """
    if principal.kind is identities.PrincipalKind.SERVICE_ACCOUNT:
        return f"serviceaccount {attributes.stable_name(principal.name)}"
    if principal.kind is identities.PrincipalKind.NODE:
        return _KUBELETS
    kind, _, of = principal.username.rpartition(":")
    return kind[: attributes.MAX_VALUE_CHARS] if of and kind.startswith(identities.SYSTEM) else ""


def measure(
    activity: record.Activity,
    *,
    rules: str = NOT_APPLICABLE,
    own_pod: bool = False,
    siblings: str = "",
    volume: amounts.Amount | None = None,
) -> FeatureVector:
    """Return the attributes of one activity.

    Parameters
    ----------
    activity
        The activity.
    rules
        Ids of the rules that hit, joined by a plus sign; empty for none.
    siblings
        Key of the identity's group, from the inventory; empty makes one up from its name.
    volume
        The power of two that a count of this identity just reached; None for none.
    own_pod
        True when the source address belongs to a pod that runs as this service account.
    """
    resource = activity.resource
    if resource:
        action = attributes.action_of(activity.verb, activity.api_group, resource, activity.subresource)
    else:
        action = f"{activity.verb} {attributes.url_family(activity.request_uri)}"
    if activity.impersonated:
        action = f"as {activity.impersonated.username[: attributes.MAX_VALUE_CHARS]}: {action}"
    namespace = activity.namespace[: attributes.MAX_VALUE_CHARS] or "cluster-wide"
    named = resource in attributes.NAMED_RESOURCES and activity.name
    principal, addresses = activity.principal, activity.addresses
    where = OWN_NAMESPACE if activity.in_own_namespace else namespace
    return FeatureVector(
        principal.username,
        siblings or sibling_key(principal),
        principal.namespace,
        activity.time_s,
        (
            action,
            f"{activity.code} on {action}" if activity.refused else NOT_APPLICABLE,
            rules,
            namespace if resource else NOT_APPLICABLE,
            f"{action} in {where}" if resource else NOT_APPLICABLE,
            f"{resource} {namespace}/{attributes.stable_name(activity.name)}" if named else NOT_APPLICABLE,
            "its own pods" if own_pod else attributes.origin_of(addresses),
            attributes.PRIVATE if own_pod else attributes.zone_of(addresses),
            attributes.agent_family(activity.user_agent),
            images.sources_of(activity),
            hour_of_week(activity.time_s),
            volume.text if volume else NOT_APPLICABLE,
        ),
        volume,
    )
