"""What a pod mounts: its secrets and config maps, as a node may read them.

A pod's body in, ``(resource, namespace, name)`` out. Called by attacks that misuse a node's credential.
"""

from __future__ import annotations

from collections.abc import Iterator


def of(body: object) -> Iterator[tuple[str, str, str]]:
    """Give what a pod mounts.

    Parameters
    ----------
    body
        The pod.

    Examples
    --------
    >>> volume = {"name": "a", "secret": {"secretName": "db"}}
    >>> list(of({"metadata": {"namespace": "web"}, "spec": {"volumes": [volume]}}))
    [('secrets', 'web', 'db')]
    """
    if not isinstance(body, dict):
        return
    namespace = body.get("metadata", {}).get("namespace", "")
    for volume in body.get("spec", {}).get("volumes") or []:
        if secret := volume.get("secret", {}).get("secretName"):
            yield "secrets", namespace, secret
        if config_map := volume.get("configMap", {}).get("name"):
            yield "configmaps", namespace, config_map
