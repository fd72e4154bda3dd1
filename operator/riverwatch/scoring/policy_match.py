"""Stage 5 words for policies, compiled: sets of globs, networks, label selectors, and the match of an exception.

Immutable and total: a compiled matcher answers for any activity and never raises. Built by `scoring.policy_compile`,
asked by `scoring.policy`. Globs are compiled once with `fnmatch`, whose patterns never backtrack into a `*`.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Mapping

import msgspec

from riverwatch.activity import identities, record

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
"""Label that the API server puts on every namespace."""

_SERVICE_ACCOUNT_GLOB = re.compile(r"[a-z0-9.*?-]+/[a-z0-9.*?-]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
"""An address range."""


class Globs(msgspec.Struct, frozen=True):
    """A set of globs; an empty one matches nothing."""

    patterns: tuple[str, ...]
    """The globs as they were written."""
    literal: frozenset[str]
    wild: re.Pattern[str] | None

    def match(self, text: str) -> bool:
        """Whether any of the globs matches all of `text`, case counting."""
        return text in self.literal or (self.wild is not None and self.wild.match(text) is not None)


def globs(patterns: Iterable[str]) -> Globs:
    """Compile globs.

    Examples
    --------
    >>> globs(["secret-*", "exec"]).match("secret-burst")
    True
    """
    listed = list(patterns)
    wild = [pattern for pattern in listed if "*" in pattern or "?" in pattern]
    return Globs(
        tuple(listed),
        frozenset(pattern for pattern in listed if "*" not in pattern and "?" not in pattern),
        # Brackets are refused by the schema; `[[]` keeps one literal should it come from elsewhere.
        re.compile("|".join(fnmatch.translate(pattern.replace("[", "[[]")) for pattern in wild)) if wild else None,
    )


class Actors(msgspec.Struct, frozen=True):
    """Globs over identities.

    ``a/b`` in the alphabet of Kubernetes names means service accounts only: a user name is chosen by whoever issues the
    certificate and may look like anything.
    """

    service_accounts: Globs
    usernames: Globs

    def match(self, principal: identities.Principal) -> bool:
        """Whether any of the globs means this identity."""
        if principal.kind is identities.PrincipalKind.SERVICE_ACCOUNT and self.service_accounts.match(principal.label):
            return True
        return self.usernames.match(principal.username)


def actors(patterns: Iterable[str]) -> Actors:
    """Compile globs over identities."""
    listed = list(patterns)
    accounts = [pattern for pattern in listed if _SERVICE_ACCOUNT_GLOB.fullmatch(pattern)]
    return Actors(globs(accounts), globs(pattern for pattern in listed if pattern not in accounts))


class ActivityMatch(msgspec.Struct, frozen=True):
    """Which activities an exception covers; None where the exception says nothing."""

    actors: Actors | None = None
    namespaces: Globs | None = None
    resources: Globs | None = None
    verbs: Globs | None = None
    names: Globs | None = None
    networks: tuple[Network, ...] | None = None
    user_agents: Globs | None = None

    def match(self, activity: record.Activity) -> bool:
        """Whether every part that is set matches."""
        # The cheapest and most telling parts first.
        return (
            (self.verbs is None or self.verbs.match(activity.verb))
            and (self.namespaces is None or self.namespaces.match(activity.namespace))
            and (self.actors is None or self._actor_matches(self.actors, activity))
            and (self.resources is None or _resource_matches(self.resources, activity))
            and (self.names is None or self.names.match(activity.name))
            and (self.user_agents is None or self.user_agents.match(activity.user_agent))
            and (self.networks is None or _sources_match(self.networks, activity))
        )

    @staticmethod
    def _actor_matches(wanted: Actors, activity: record.Activity) -> bool:
        # Who may impersonate an excepted identity is not thereby excepted, nor the other way round.
        return wanted.match(activity.principal) and (
            activity.impersonated is None or wanted.match(activity.impersonated)
        )


def _resource_matches(wanted: Globs, activity: record.Activity) -> bool:
    if wanted.match(activity.resource_path):
        return True
    if not activity.api_group:
        return False
    grouped = f"{activity.resource}.{activity.api_group}"
    return wanted.match(f"{grouped}/{activity.subresource}" if activity.subresource else grouped)


def _sources_match(wanted: tuple[Network, ...], activity: record.Activity) -> bool:
    addresses = activity.record.source_ips or ([activity.source_ip] if activity.source_ip else [])
    # The first addresses come from headers that a client may invent; only the last was seen by the API server.
    return bool(addresses) and all(_in_any(wanted, address) for address in addresses)


def _in_any(wanted: tuple[Network, ...], text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network or address in network for network in wanted)


class Requirement(msgspec.Struct, frozen=True):
    """One condition on a label: `present` says whether the key must be there, `values` limit what it may hold."""

    key: str
    wanted: bool
    """True for In and Exists, False for NotIn and DoesNotExist."""
    values: frozenset[str] | None = None

    def match(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition; a label that is absent meets NotIn, as in Kubernetes."""
        value = labels.get(self.key)
        held = value is not None and (self.values is None or value in self.values)
        return held is self.wanted


class Selector(msgspec.Struct, frozen=True):
    """Which namespaces a cluster policy applies to."""

    requirements: tuple[Requirement, ...] = ()
    names: Globs | None = None

    @property
    def everywhere(self) -> bool:
        """Whether it selects everything, cluster-wide objects included."""
        return not self.requirements and self.names is None

    def match(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether the namespace is selected; an empty name is cluster-wide objects, which only everything selects."""
        if self.everywhere:
            return True
        if not namespace or (self.names is not None and not self.names.match(namespace)):
            return False
        known = {NAMESPACE_NAME_LABEL: namespace, **labels}
        return all(requirement.match(known) for requirement in self.requirements)
