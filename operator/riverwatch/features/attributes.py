"""Stage 3 helpers of the vector: raw audit strings -> the coarse values that habits are made of.

A habit is learned on values that repeat: a network instead of an address, a client's product name instead of its
version, a name without its generated tail. Pure functions with bounded caches; called by `features.vector` only.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence

CACHE_SIZE = 16_384
"""Distinct strings remembered per function: about 3 MB each at worst."""

CONNECT_SUBRESOURCES = frozenset({"exec", "attach", "portforward", "proxy"})
"""Subresources whose verb depends on the client's protocol: SPDY sends ``create``, WebSocket sends ``get``."""

NAMED_RESOURCES = frozenset({"secrets", "configmaps", "serviceaccounts"})
"""Resources whose object names are part of a habit; names of others (pods, leases) change by themselves."""

MAX_VALUE_CHARS = 200
"""Longer values are cut, so that a hostile name cannot fill the memory."""

MAX_AGENT_CHARS = 512
"""Characters of a user agent that are looked at."""

INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Private, shared, loopback and link-local networks (RFC 1918, 6598, 3927, 4193, 4291)."""

INTERNET = "the internet"
"""Zone of an address outside of `INSIDE`."""

PRIVATE = "private networks"
"""Zone of any other address."""

HELM_RELEASE = "sh.helm.release.v1."
"""Beginning of the names of the Secrets that Helm keeps releases in (its documentation, storage backends)."""

_PLATFORM = re.compile(r"\([a-z0-9]+/[a-z0-9]+\)")
"""As client-go writes it: GOOS/GOARCH in brackets."""

_GENERATED_TAIL = re.compile(
    r"(-[bcdfghjklmnpqrstvwxz2456789]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$|-[0-9a-f]{8,}$|-\d{5,}$"
)
_HELM_REVISION = re.compile(rf"^({re.escape(HELM_RELEASE)}.+)\.v\d+$")


@functools.lru_cache(maxsize=CACHE_SIZE)
def network_of(address: str) -> str:
    """Return the /24 (IPv4) or /48 (IPv6) that an address lies in; what is no address is returned as it is.

    Examples
    --------
    >>> network_of("10.4.7.19")
    '10.4.7.0/24'
    >>> network_of("2001:db8:1:2::3")
    '2001:db8:1::/48'
    """
    if not address:
        return ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:MAX_VALUE_CHARS]
    return str(ipaddress.ip_network((address, 24 if parsed.version == 4 else 48), strict=False))


@functools.lru_cache(maxsize=CACHE_SIZE)
def public(address: str) -> bool:
    """Tell whether an address lies outside the networks that a cluster and its company number by themselves."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return not any(parsed in network for network in INSIDE)


def zone_of(addresses: Sequence[str]) -> str:
    """Return `INTERNET` or `PRIVATE`; empty for no address.

    Examples
    --------
    >>> zone_of(["198.51.100.7"]), zone_of(["10.4.7.19"])
    ('the internet', 'private networks')
    """
    if not addresses:
        return ""
    return INTERNET if from_internet(addresses) else PRIVATE


def origin_of(addresses: Sequence[str]) -> str:
    """Return the network that a request came from; through a proxy, whose user's network it says, too.

    Parameters
    ----------
    addresses
        As an audit record holds them: what proxies and clients say of themselves first, the API server's own peer last.

    Examples
    --------
    >>> origin_of(["10.4.7.19"]), origin_of(["198.51.100.7", "10.4.7.19"])
    ('10.4.7.0/24', '198.51.100.0/24 via 10.4.7.0/24')
    """
    if not addresses:
        return ""
    peer, said = network_of(addresses[-1]), network_of(addresses[0])
    return peer if said == peer else f"{said} via {peer}"


def from_internet(addresses: Sequence[str]) -> bool:
    """Tell whether any address of a request is public: the first may be forged, the last is real."""
    return any(public(address) for address in addresses)


@functools.lru_cache(maxsize=CACHE_SIZE)
def agent_family(user_agent: str) -> str:
    """Return the product name of a user agent and the platform it runs on, without versions.

    Examples
    --------
    >>> agent_family("kubectl/v1.34.1 (darwin/arm64) kubernetes/abc"), agent_family("curl/8.5.0")
    ('kubectl (darwin/arm64)', 'curl')
    """
    product = user_agent.split(" ", 1)[0].split("/", 1)[0]
    platform = _PLATFORM.search(user_agent[:MAX_AGENT_CHARS])
    return f"{product} {platform[0]}"[:MAX_VALUE_CHARS] if platform else product[:MAX_VALUE_CHARS] or "none"


@functools.lru_cache(maxsize=CACHE_SIZE)
def agent_version(user_agent: str) -> str:
    """Return the version that a client says it has, empty when it says none.

    Examples
    --------
    >>> agent_version("kubectl/v1.34.1 (darwin/arm64) kubernetes/abc"), agent_version("curl")
    ('v1.34.1', '')
    """
    return user_agent[:MAX_AGENT_CHARS].split(" ", 1)[0].partition("/")[2][:MAX_VALUE_CHARS]


@functools.lru_cache(maxsize=CACHE_SIZE)
def stable_name(name: str) -> str:
    """Return an object's name without the tail that a controller generated.

    Examples
    --------
    >>> stable_name("web-6c5d8f7b9d-x2k4p"), stable_name("sh.helm.release.v1.shop.v12"), stable_name("web-tls")
    ('web-*', 'sh.helm.release.v1.shop.*', 'web-tls')
    """
    helm = _HELM_REVISION.match(name)
    if helm:
        return f"{helm[1]}.*"[:MAX_VALUE_CHARS]
    return _GENERATED_TAIL.sub("-*", name)[:MAX_VALUE_CHARS]


@functools.lru_cache(maxsize=CACHE_SIZE)
def action_of(verb: str, api_group: str, resource: str, subresource: str) -> str:
    """Return what was done, as people write it: ``list secrets``, ``connect pods/exec``, ``patch deployments.apps``.

    Examples
    --------
    >>> action_of("get", "", "pods", "exec"), action_of("patch", "apps", "deployments", "")
    ('connect pods/exec', 'patch deployments.apps')
    """
    if subresource in CONNECT_SUBRESOURCES:
        verb = "connect"
    elif verb == "watch":
        # An informer lists when it starts and watches afterwards: one habit, whichever comes first.
        verb = "list"
    path = f"{resource}.{api_group}" if api_group else resource
    return f"{verb} {path}/{subresource}" if subresource else f"{verb} {path}"


@functools.lru_cache(maxsize=CACHE_SIZE)
def url_family(request_uri: str) -> str:
    """Return the first segment of a request that names no resource, for example ``/healthz``.

    Examples
    --------
    >>> url_family("/openapi/v3/apis/apps/v1?hash=1")
    '/openapi'
    """
    path = request_uri.split("?", 1)[0]
    return "/" + path.lstrip("/").split("/", 1)[0][:MAX_VALUE_CHARS]
