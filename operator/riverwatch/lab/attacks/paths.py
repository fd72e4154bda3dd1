"""Paths of the Kubernetes API, so that attacks read like sentences.

Words in, path out. Called by attacks only.
"""

from __future__ import annotations

RBAC = "rbac.authorization.k8s.io/v1"
"""Group and version of roles and bindings."""


def core(resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Give a path in the core group.

    Parameters
    ----------
    resource
        Plural name.
    namespace
        Empty for all namespaces, or for what belongs to none.
    name
        Empty for the collection.
    subresource
        Empty for the object itself.

    Examples
    --------
    >>> core("pods", "web", "front-0", "log")
    '/api/v1/namespaces/web/pods/front-0/log'
    """
    return _path("/api/v1", resource, namespace, name, subresource)


def group(version: str, resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Give a path in a named group.

    Parameters
    ----------
    version
        Group and version, ``apps/v1``.
    resource
        Plural name.
    namespace
        Empty for all namespaces, or for what belongs to none.
    name
        Empty for the collection.
    subresource
        Empty for the object itself.

    Examples
    --------
    >>> group("apps/v1", "deployments", "web", "front", "scale")
    '/apis/apps/v1/namespaces/web/deployments/front/scale'
    """
    return _path(f"/apis/{version}", resource, namespace, name, subresource)


def _path(start: str, *parts: str) -> str:
    """Join what is not empty."""
    resource, namespace, name, subresource = parts
    inside = f"{start}/namespaces/{namespace}" if namespace else start
    return "/".join(part for part in (inside, resource, name, subresource) if part)
