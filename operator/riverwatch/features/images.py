"""Stage 3 helper: the request body of a workload -> where its images come from.

A deployer brings hundreds of images from one or two places; an image from elsewhere is news whoever deploys it. Pure;
reads names of images and nothing else of a body, and only of requests that write a pod or a pod template. Called by
`features.vector`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from riverwatch.activity import derived_facts, derived_pod, derived_request, record
from riverwatch.features import attributes

MAX_BODY = 262_144
"""Bytes of a body that are searched; a pod template is some kilobytes."""

MAX_SOURCES = 4
"""Sources told of one body, in alphabetical order; few pods mix more."""

MAX_SOURCE_CHARS = 60
"""Characters kept of one source."""

SHARED_HUBS = frozenset(
    {"docker.io", "ghcr.io", "quay.io", "gcr.io", "public.ecr.aws", "registry.gitlab.com", "mcr.microsoft.com"}
)
"""Registries where everybody may publish: the organisation tells more than the host."""

_SUBRESOURCES = frozenset({"", "ephemeralcontainers"})
_KEY = b'"image"'
_IMAGE = re.compile(rb'"image"\s*:\s*"([^"\\]{1,512})"')
_ESCAPE = b"\\"[0]
"""What stands before a quote that is part of a text."""


def sources_of(activity: record.Activity) -> str:
    """Return where the images of a written workload come from, joined by a plus sign; empty when it brings none.

    What the control plane's own controllers write was decided by others before.
    """
    return sources_in(activity.record) if activity.resource in derived_pod.WORKLOADS else ""


def sources_in(source: record.AuditRecord) -> str:
    """Return the same for a record of a workload that is not normalised yet."""
    target = source.object_ref
    if (
        source.verb not in derived_facts.WRITE_VERBS
        or target is None
        or (target.subresource or "") not in _SUBRESOURCES
    ):
        return ""
    if source.user is None or derived_request.is_controller_name(source.user.username or ""):
        return ""
    found = {source_of(image) for image in _images(bytes(source.request_object)[:MAX_BODY])}
    return "+".join(sorted(found)[:MAX_SOURCES]) if found else ""


def _images(body: bytes) -> Iterator[bytes]:
    """Yield the images that a body names; the key is looked for first, because an expression scans byte by byte."""
    place = body.find(_KEY)
    while place >= 0:
        found = None if place and body[place - 1] == _ESCAPE else _IMAGE.match(body, place)
        if found is not None:
            yield found[1]
        place = body.find(_KEY, found.end() if found is not None else place + 1)


@functools.lru_cache(maxsize=attributes.CACHE_SIZE)
def source_of(image: bytes) -> str:
    """Return the registry of an image, with the organisation where everybody may publish.

    Examples
    --------
    >>> source_of(b"registry.example.com/shop/web:1.2"), source_of(b"nginx"), source_of(b"quay.io/cilium/cilium:v1")
    ('registry.example.com', 'docker.io/library', 'quay.io/cilium')
    """
    host, slash, path = image.decode("utf-8", "replace").partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        # Docker's rule: what does not look like a host is a path on its hub, official images in "library".
        path = f"{host}/{path}" if slash else f"library/{host}"
        host = "docker.io"
    if host in SHARED_HUBS or host.endswith(".gcr.io"):
        host = f"{host}/{path.partition('/')[0]}"
    return host[:MAX_SOURCE_CHARS]
