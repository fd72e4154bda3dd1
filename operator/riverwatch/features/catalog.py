"""Stage 3 catalogue: every attribute that a habit is learned on, with the words that explain it.

One entry per attribute; its place in `ATTRIBUTES` is its place in `FeatureVector.values`. Adding one means adding an
entry here and the line in `features.vector` that fills it. The contract suite `tests/contracts/test_features.py` runs
over all.
"""

from __future__ import annotations

import enum

import msgspec


class Facet(enum.StrEnum):
    """Which question an attribute answers; attributes of one facet overlap, facets are independent evidence."""

    WHAT = "what"
    WHERE_TO = "where to"
    WHERE_FROM = "where from"
    WHEN = "when"
    HOW_MUCH = "how much"


class Attribute(msgspec.Struct, frozen=True):
    """Card of one attribute."""

    name: str
    facet: Facet
    audit_fields: tuple[str, ...]
    """Fields of the audit record that it reads; the privacy sheet is printed from them."""
    why: str
    wording: str
    """What a person calls it, used in ``{wording} {observed} was never seen for this identity``."""
    personal: bool = False
    """Whether the value can point at a person or a place, so that exports hold a keyed token instead."""


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        "action",
        Facet.WHAT,
        ("verb", "objectRef.resource", "objectRef.apiGroup", "objectRef.subresource", "requestURI"),
        "A workload's code does the same few things; a person with its token does others.",
        "the action",
    ),
    Attribute(
        "outcome",
        Facet.WHAT,
        ("responseStatus.code", "verb", "objectRef.resource"),
        "Refusals are rare for software that works; somebody who tries what he may do collects them.",
        "the refusal",
    ),
    Attribute(
        "rule",
        Facet.WHAT,
        ("rule hits",),
        "A rule that an identity trips every day is its job; the first time is news.",
        "the rule hit",
    ),
    Attribute(
        "namespace",
        Facet.WHERE_TO,
        ("objectRef.namespace",),
        "Lateral movement shows as a namespace that the identity never touched.",
        "the target namespace",
    ),
    Attribute(
        "scope",
        Facet.WHERE_TO,
        ("verb", "objectRef.resource", "objectRef.namespace"),
        "A known action in a known namespace can still be a new pair, for example reading secrets next door.",
        "the action in that namespace",
    ),
    Attribute(
        "object",
        Facet.WHERE_TO,
        ("objectRef.resource", "objectRef.namespace", "objectRef.name"),
        "Workloads read their own few secrets, config maps and accounts by name.",
        "the object",
    ),
    Attribute(
        "network",
        Facet.WHERE_FROM,
        ("sourceIPs",),
        "A stolen credential is used from somewhere else.",
        "the source network",
        personal=True,
    ),
    Attribute(
        "zone",
        Facet.WHERE_FROM,
        ("sourceIPs",),
        "Networks change; whether a credential is used from the internet at all hardly ever does.",
        "the kind of address",
    ),
    Attribute(
        "agent",
        Facet.WHERE_FROM,
        ("userAgent",),
        "A stolen credential is used with other software.",
        "the client software",
    ),
    Attribute(
        "image",
        Facet.WHAT,
        ("requestObject (the images of a workload)",),
        "Deployers bring images from the same few places; a miner or a back door mostly comes from another.",
        "the image source",
    ),
    Attribute(
        "hour",
        Facet.WHEN,
        ("requestReceivedTimestamp",),
        "People and batch jobs keep hours.",
        "the hour of the week",
        personal=True,
    ),
    Attribute(
        "volume",
        Facet.HOW_MUCH,
        ("verb", "objectRef.resource", "objectRef.namespace", "objectRef.name", "responseStatus.code"),
        "Dumping, wiping and scraping are ordinary requests in an extraordinary number.",
        "the amount",
    ),
)

NAMES: tuple[str, ...] = tuple(attribute.name for attribute in ATTRIBUTES)
"""Names in the order of `FeatureVector.values`."""

INDEX: dict[str, int] = {name: place for place, name in enumerate(NAMES)}
"""Place of each attribute in `FeatureVector.values`."""
