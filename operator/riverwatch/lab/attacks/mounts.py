"""What a pod refers to: its secrets and config maps, as the node it runs on may read them.

A pod's body in, ``(resource, namespace, name)`` out. Called by attacks that misuse a node's credential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def of(body: object) -> Iterator[tuple[str, str, str]]:
    """Give what a pod refers to: volumes, projected ones too, and variables of its containers.

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
    if not isinstance(body, Mapping):
        return
    namespace = str(body.get("metadata", {}).get("namespace", ""))
    spec = body.get("spec", {})
    for resource, name in (*_volumes(spec), *_variables(spec)):
        if name:
            yield resource, namespace, name


def _volumes(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what volumes refer to."""
    for volume in spec.get("volumes") or []:
        for source in (volume, *(volume.get("projected", {}).get("sources") or [])):
            secret = source.get("secret") or {}
            yield "secrets", secret.get("secretName") or secret.get("name", "")
            yield "configmaps", (source.get("configMap") or {}).get("name", "")


def _variables(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what containers take their variables from."""
    for container in (*(spec.get("initContainers") or []), *(spec.get("containers") or [])):
        for whole in container.get("envFrom") or []:
            yield "secrets", (whole.get("secretRef") or {}).get("name", "")
            yield "configmaps", (whole.get("configMapRef") or {}).get("name", "")
        for variable in container.get("env") or []:
            source = variable.get("valueFrom") or {}
            yield "secrets", (source.get("secretKeyRef") or {}).get("name", "")
            yield "configmaps", (source.get("configMapKeyRef") or {}).get("name", "")
