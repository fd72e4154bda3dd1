"""Stage 2, derived fields of the request itself: result, identity, source, target, exec and proxy.

`Facts` -> values, from metadata alone; total on any record. Listed in `derived`.
"""

from __future__ import annotations

import functools
import ipaddress
import urllib.parse

from riverwatch.activity import derived_facts as df
from riverwatch.activity import identities, openshift

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Namespaces that kube-apiserver itself creates for the cluster's own parts."""

NODES_GROUP = "system:nodes"
"""Group that the node authorizer demands beside a `system:node:` user name."""

MASTERS_GROUP = "system:masters"
"""Group that bypasses RBAC."""

DRY_RUN_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
"""Verbs for which kube-apiserver reads the query field `dryRun`."""

NO_DRY_RUN = frozenset({"exec", "attach", "portforward", "proxy", "token"})
"""Subresources that have their effect whatever the query field `dryRun` says."""

MAX_URI_CHARS = 65_536
"""Characters of a request URI that are looked at; kube-apiserver's header limit is 1 MB, real ones stay under 8 kB."""

MAX_QUERY_FIELDS = 512
"""Query fields that are read: more than any client sends."""

_SHARED_ADDRESSES = ipaddress.ip_network("100.64.0.0/10")


def groups(facts: df.Facts) -> list[str]:
    """Return the groups of the credential that was used."""
    user = facts.activity.record.user
    return (user.groups or []) if user else []


def _refused(facts: df.Facts) -> df.Value:
    return facts.activity.code in (401, 403)


def _allowed(facts: df.Facts) -> df.Value:
    return facts.activity.code not in (401, 403)


def _failed(facts: df.Facts) -> df.Value:
    return facts.activity.code >= 400


def _succeeded(facts: df.Facts) -> df.Value:
    return facts.activity.code < 400 and facts.activity.stage != "Panic" and not _dry_run(facts)


def _anonymous(facts: df.Facts) -> df.Value:
    return facts.activity.principal.kind is identities.PrincipalKind.ANONYMOUS


def _dry_run(facts: df.Facts) -> bool:
    """Whether the API server was asked to only pretend, and would: elsewhere it ignores the words."""
    activity = facts.activity
    return (
        "dryRun" in activity.request_uri
        and activity.verb in DRY_RUN_VERBS
        and activity.subresource not in NO_DRY_RUN
        and "All" in _query(facts).get("dryRun", ())
    )


def _path(facts: df.Facts) -> df.Value:
    return facts.activity.request_uri[:MAX_URI_CHARS].partition("?")[0] or None


def _kind(facts: df.Facts) -> df.Value:
    return facts.activity.principal.kind.value


def _identity_namespace(facts: df.Facts) -> df.Value:
    return facts.activity.principal.namespace or None


def _identity_name(facts: df.Facts) -> df.Value:
    return facts.activity.principal.name


def is_node(facts: df.Facts) -> bool:
    """Return whether a kubelet acts: the user name and the group that only the node authenticator's clients have."""
    return facts.activity.principal.kind is identities.PrincipalKind.NODE and NODES_GROUP in groups(facts)


def is_controller_name(username: str) -> bool:
    """Return whether a user name is one of the control plane's own, by exact name."""
    return username in identities.CONTROLLERS or username in identities.CONTROL_PLANE_NAMES


def is_controller(facts: df.Facts) -> bool:
    """Return whether a part of the control plane acts, by exact name."""
    return is_controller_name(facts.activity.principal.username)


def _control_plane(facts: df.Facts) -> df.Value:
    return is_controller(facts) or is_node(facts)


def is_platform(principal: identities.Principal) -> bool:
    """Return whether a part of OpenShift acts, by exact name."""
    return (principal.namespace, principal.name) in openshift.ACCOUNTS


def _platform(facts: df.Facts) -> df.Value:
    return is_platform(facts.activity.principal)


def _masters(facts: df.Facts) -> df.Value:
    return MASTERS_GROUP in groups(facts)


def _impersonated_groups(facts: df.Facts) -> df.Value:
    user = facts.activity.record.impersonated_user
    return tuple((user.groups or ()) if user else ()) or None


def _author(facts: df.Facts) -> df.Value:
    return facts.author or None


@functools.lru_cache(maxsize=8192)
def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet.

    Examples
    --------
    >>> [is_public(a) for a in ("10.1.2.3", "8.8.8.8", "::ffff:8.8.8.8", "100.64.1.1", "nonsense")]
    [False, True, True, False, False]
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, ipaddress.IPv4Address) and parsed in _SHARED_ADDRESSES:
        return False
    # The documentation ranges count as public: they stand for such addresses in examples and recordings.
    return not (
        parsed.is_loopback
        or parsed.is_link_local
        or parsed.is_unspecified
        or parsed.is_multicast
        or (parsed.is_private and not _is_documentation(parsed))
    )


_DOCUMENTATION = tuple(
    ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def _is_documentation(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address.version == network.version and address in network for network in _DOCUMENTATION)


def from_public(addresses: list[str] | None) -> bool:
    """Return whether any address in a record's chain is public; a client may set the first ones, the last is real."""
    if not addresses:
        return False
    return is_public(addresses[0]) if len(addresses) == 1 else any(map(is_public, addresses))


def _public(facts: df.Facts) -> df.Value:
    addresses = facts.activity.record.source_ips
    return from_public(addresses) if addresses else None


def _system_namespace(facts: df.Facts) -> df.Value:
    return facts.activity.namespace in SYSTEM_NAMESPACES


def _platform_namespace(facts: df.Facts) -> df.Value:
    return facts.activity.namespace in openshift.NAMESPACES


def _cluster_wide(facts: df.Facts) -> df.Value:
    return not facts.activity.namespace


def _query(facts: df.Facts) -> dict[str, list[str]]:
    text = facts.activity.request_uri[:MAX_URI_CHARS].partition("?")[2]
    if not text:
        return {}
    try:
        return urllib.parse.parse_qs(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return {}


def _exec_command(facts: df.Facts) -> df.Value:
    activity = facts.activity
    if activity.subresource not in ("exec", "proxy"):
        return None
    query = _query(facts)
    found = query.get("command") or query.get("cmd")
    # Some managed platforms log the options of the request as its body and leave the query out.
    return tuple(found or df.texts(df.dig(facts.request_object, "command"))) or None


def _exec_line(facts: df.Facts) -> df.Value:
    command = _exec_command(facts)
    return " ".join(str(part) for part in command) if isinstance(command, tuple) else None


def _exec_container(facts: df.Facts) -> df.Value:
    if facts.activity.subresource not in ("exec", "attach"):
        return None
    return (_query(facts).get("container") or [""])[0] or None


def _exec_tty(facts: df.Facts) -> df.Value:
    if facts.activity.subresource not in ("exec", "attach"):
        return None
    return (_query(facts).get("tty") or ["false"])[0].lower() in ("true", "1")


def _proxy_path(facts: df.Facts) -> df.Value:
    if facts.activity.subresource != "proxy":
        return None
    path = urllib.parse.unquote(facts.activity.request_uri[:MAX_URI_CHARS].partition("?")[0])
    return "/" + path.partition("/proxy")[2].lstrip("/")


def _listed(facts: df.Facts) -> df.Value:
    """Whether the request reads many objects: list or watch without a name and without a field selector for one."""
    activity = facts.activity
    return (
        activity.verb in ("list", "watch", "deletecollection")
        and not activity.name
        and ("metadata.name" not in activity.request_uri)
    )


_META = "Metadata"

FIELDS = (
    df.DerivedField("request.refused", "bool", "responseStatus.code", _META, "401 or 403: not let in.", _refused),
    df.DerivedField("request.allowed", "bool", "responseStatus.code", _META, "Neither 401 nor 403.", _allowed),
    df.DerivedField("request.failed", "bool", "responseStatus.code", _META, "Any answer from 400 on.", _failed),
    df.DerivedField(
        "request.succeeded",
        "bool",
        "responseStatus.code, stage, requestURI",
        _META,
        "An answer below 400, no panic, and not a dry run: it had an effect.",
        _succeeded,
    ),
    df.DerivedField("request.anonymous", "bool", "user", _META, "Nobody was authenticated.", _anonymous),
    df.DerivedField("request.dryRun", "bool", "requestURI", _META, "A dry run changes nothing.", _dry_run),
    df.DerivedField("request.path", "str", "requestURI", _META, "The request URI without its query.", _path),
    df.DerivedField(
        "request.bulk",
        "bool",
        "verb, objectRef.name, requestURI",
        _META,
        "A list, watch or deletecollection that does not name one object.",
        _listed,
    ),
    df.DerivedField(
        "identity.kind",
        "str",
        "user.username",
        _META,
        "ServiceAccount, User, Node or Anonymous.",
        _kind,
    ),
    df.DerivedField(
        "identity.namespace", "str", "user.username", _META, "Namespace of a service account.", _identity_namespace
    ),
    df.DerivedField(
        "identity.name", "str", "user.username", _META, "Name without the authenticator's prefix.", _identity_name
    ),
    df.DerivedField(
        "identity.controller",
        "bool",
        "user.username",
        _META,
        "A controller of kube-controller-manager, the scheduler, the API server: by exact name.",
        is_controller,
    ),
    df.DerivedField(
        "identity.node",
        "bool",
        "user.username, user.groups",
        _META,
        "A kubelet: name `system:node:*` and group `system:nodes` together.",
        is_node,
    ),
    df.DerivedField(
        "identity.controlPlane", "bool", "user", _META, "identity.controller or identity.node.", _control_plane
    ),
    df.DerivedField(
        "identity.platform", "bool", "user.username", _META, "A part of OpenShift, by exact name.", _platform
    ),
    df.DerivedField("identity.masters", "bool", "user.groups", _META, "Member of `system:masters`.", _masters),
    df.DerivedField(
        "identity.impersonatedGroups",
        "str[]",
        "impersonatedUser.groups",
        _META,
        "Groups acted as.",
        _impersonated_groups,
    ),
    df.DerivedField(
        "author",
        "str",
        "user, metadata.ownerReferences, earlier records",
        "Request",
        "User name behind a controller's action, when the chain of owners and the recent writer are known.",
        _author,
    ),
    df.DerivedField(
        "source.public",
        "bool",
        "sourceIPs",
        _META,
        "Any address in the chain is outside private, loopback, link-local and shared ranges.",
        _public,
    ),
    df.DerivedField(
        "target.systemNamespace",
        "bool",
        "objectRef.namespace",
        _META,
        "kube-system, kube-public or kube-node-lease.",
        _system_namespace,
    ),
    df.DerivedField(
        "target.platform",
        "bool",
        "objectRef.namespace",
        _META,
        "A namespace that holds nothing but parts of OpenShift, by exact name.",
        _platform_namespace,
    ),
    df.DerivedField("target.clusterWide", "bool", "objectRef.namespace", _META, "No namespace named.", _cluster_wide),
    df.DerivedField(
        "exec.command",
        "str[]",
        "requestURI, requestObject.command",
        _META,
        "Every decoded `command=` of an exec request, else the options in its body.",
        _exec_command,
    ),
    df.DerivedField("exec.line", "str", "requestURI", _META, "exec.command joined by blanks.", _exec_line),
    df.DerivedField("exec.container", "str", "requestURI", _META, "Container of an exec or attach.", _exec_container),
    df.DerivedField("exec.tty", "bool", "requestURI", _META, "Whether a terminal was asked for.", _exec_tty),
    df.DerivedField(
        "proxy.path",
        "str",
        "requestURI",
        _META,
        "Path behind `/proxy` of a node, pod or service proxy request.",
        _proxy_path,
    ),
)
