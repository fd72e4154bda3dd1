"""Stage 3, the use of a credential: `Activity` and the inventory -> what the credential model judges, if anything.

Pure. Called by `runtime.pipeline` and `runtime.shortcut` for records that name their credential.
"""

from __future__ import annotations

from riverwatch.activity import identities, record
from riverwatch.features import inventory, node_places
from riverwatch.models import credential


def of(activity: record.Activity, known: inventory.Inventory, nodes: node_places.NodePlaces) -> credential.Use | None:
    """Return the use of a bound credential; None for one that is bound to no pod and no node."""
    name = activity.credential
    if not name or not activity.source_ip:
        return None
    principal = activity.principal
    if principal.kind is identities.PrincipalKind.NODE:
        return credential.Use(name, "certificate", principal.name, activity.source_ip)
    if not activity.token_pod:
        return None
    own = known.pod_addresses(principal.namespace, activity.token_pod)
    return credential.Use(
        name,
        "token",
        f"pod {principal.namespace}/{activity.token_pod}",
        activity.source_ip,
        own_address=own[0] if own and activity.source_ip not in own else activity.source_ip if own else "",
        owner_gone=known.ended(principal.namespace, activity.token_pod),
        owner_uid=activity.token_pod_uid,
        time_s=activity.time_s,
        node_addresses=nodes.of(activity.token_node) if activity.token_node else (),
    )
