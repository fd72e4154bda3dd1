"""The words of a life: a `Call` is one API request, an `Act` is one thing somebody does at a time.

An act's script is a generator: it yields calls and is sent their answers, so that what comes next may depend on what
the API server said. Scripts never send, wait or read a clock: `recording.player` runs them at simulated times.
"""

from __future__ import annotations

import random
import re
import urllib.parse
from collections.abc import Callable, Generator, Iterable, Mapping

import msgspec

APPLY = "application/apply-patch+yaml"
"""Content type of server-side apply."""

MERGE = "application/merge-patch+json"
"""Content type of a merge patch."""

STRATEGIC = "application/strategic-merge-patch+json"
"""Content type of a strategic merge patch."""

WATCH_S = (300.0, 590.0)
"""Shortest and longest life of a watch, in seconds: what client-go asks for."""

VERSION = "RESOURCE_VERSION"
"""Stands in a watch's path for the resource version at which it starts."""

ASKED = re.compile(r"timeout=\d+m\d+s&timeoutSeconds=\d+")
"""How long a watch asks to live."""

KINDS: Mapping[str, tuple[str, str, bool]] = {
    "pods": ("", "v1", True),
    "services": ("", "v1", True),
    "configmaps": ("", "v1", True),
    "secrets": ("", "v1", True),
    "endpoints": ("", "v1", True),
    "events": ("", "v1", True),
    "serviceaccounts": ("", "v1", True),
    "persistentvolumeclaims": ("", "v1", True),
    "resourcequotas": ("", "v1", True),
    "limitranges": ("", "v1", True),
    "persistentvolumes": ("", "v1", False),
    "nodes": ("", "v1", False),
    "namespaces": ("", "v1", False),
    "deployments": ("apps", "v1", True),
    "replicasets": ("apps", "v1", True),
    "daemonsets": ("apps", "v1", True),
    "statefulsets": ("apps", "v1", True),
    "jobs": ("batch", "v1", True),
    "cronjobs": ("batch", "v1", True),
    "leases": ("coordination.k8s.io", "v1", True),
    "endpointslices": ("discovery.k8s.io", "v1", True),
    "horizontalpodautoscalers": ("autoscaling", "v2", True),
    "poddisruptionbudgets": ("policy", "v1", True),
    "ingresses": ("networking.k8s.io", "v1", True),
    "networkpolicies": ("networking.k8s.io", "v1", True),
    "ingressclasses": ("networking.k8s.io", "v1", False),
    "roles": ("rbac.authorization.k8s.io", "v1", True),
    "rolebindings": ("rbac.authorization.k8s.io", "v1", True),
    "clusterroles": ("rbac.authorization.k8s.io", "v1", False),
    "clusterrolebindings": ("rbac.authorization.k8s.io", "v1", False),
    "storageclasses": ("storage.k8s.io", "v1", False),
    "csidrivers": ("storage.k8s.io", "v1", False),
    "csinodes": ("storage.k8s.io", "v1", False),
    "volumeattachments": ("storage.k8s.io", "v1", False),
    "runtimeclasses": ("node.k8s.io", "v1", False),
    "tokenreviews": ("authentication.k8s.io", "v1", False),
    "selfsubjectreviews": ("authentication.k8s.io", "v1", False),
    "subjectaccessreviews": ("authorization.k8s.io", "v1", False),
    "selfsubjectaccessreviews": ("authorization.k8s.io", "v1", False),
    "selfsubjectrulesreviews": ("authorization.k8s.io", "v1", False),
    "certificatesigningrequests": ("certificates.k8s.io", "v1", False),
    "customresourcedefinitions": ("apiextensions.k8s.io", "v1", False),
    "mutatingwebhookconfigurations": ("admissionregistration.k8s.io", "v1", False),
    "validatingwebhookconfigurations": ("admissionregistration.k8s.io", "v1", False),
    "applications": ("argoproj.io", "v1alpha1", True),
    "appprojects": ("argoproj.io", "v1alpha1", True),
    "certificates": ("cert-manager.io", "v1", True),
    "issuers": ("cert-manager.io", "v1", True),
    "externalsecrets": ("external-secrets.io", "v1", True),
    "secretstores": ("external-secrets.io", "v1", True),
    "backups": ("velero.io", "v1", True),
    "backupstoragelocations": ("velero.io", "v1", True),
    "scaledobjects": ("keda.sh", "v1alpha1", True),
    "vaultauths": ("secrets.hashicorp.com", "v1beta1", True),
    "servicemonitors": ("monitoring.coreos.com", "v1", True),
    "prometheusrules": ("monitoring.coreos.com", "v1", True),
}
"""API group, version and whether it lives in a namespace, of every resource that somebody uses."""


class Call(msgspec.Struct, frozen=True):
    """One API request and the pause before it."""

    method: str
    path: str
    """Path and query."""
    body: object = None
    content_type: str = "application/json"
    after_s: float = 0.05
    """Seconds of simulated time since the call before (since the act's start for the first)."""
    watch_s: float = 0.0
    """Seconds of simulated time that a watch stays open; 0 for anything that is not one."""
    agent: str = ""
    """User agent, where it is not the identity's usual one."""
    upgrade: str = ""
    """Protocol to upgrade to (``websocket``, ``SPDY/3.1``), for exec, attach and port-forward."""
    settles: bool = False
    """Whether controllers react with work that should happen right after it (pods to make, to place, to end)."""
    reads: bool = False
    """Whether the script looks into the answer's body."""
    impersonate: tuple[str, ...] = ()
    """User, then groups, to act as."""
    who: str = ""
    """User name of whoever sends it, where it is not the act's own."""


class Answer(msgspec.Struct, frozen=True):
    """What the API server said."""

    status: int
    content: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300

    def body(self) -> dict[str, object]:
        """Decode the body; empty when it is no JSON object."""
        try:
            decoded = msgspec.json.decode(self.content)
        except msgspec.DecodeError:
            return {}
        return decoded if isinstance(decoded, dict) else {}


Script = Generator[Call, Answer, None]
"""Yields calls, is sent their answers."""

Writer = Callable[[random.Random], Script]
"""Starts a script with the generator it may draw from."""


class Act(msgspec.Struct, frozen=True):
    """One thing that somebody does, beginning at a time."""

    time_s: float
    """Simulated start, epoch seconds."""
    who: str
    """User name, as records spell it."""
    write: Writer
    replica: int = 0
    """Which of the identity's pods acts; taken modulo their number."""
    episode: str = ""
    """Happening it belongs to; empty for everyday life."""
    agent: str = ""
    """User agent for all its calls, where it is not the identity's usual one."""
    address: str = ""
    """Source address for all its calls, where it is not the identity's usual one."""
    urgent: bool = False
    """Whether it is the cluster's own reaction, which comes before anything else."""


def path(resource: str, namespace: str = "", name: str = "", sub: str = "", **query: str | int | bool) -> str:
    """Give a request's path and query.

    Parameters
    ----------
    resource
        Plural name, one of `KINDS`.
    namespace
        Its namespace; empty for all of them, or for what lives in none.
    name
        The object; empty for the collection.
    sub
        Subresource.
    query
        Query parameters, in the order given.

    Examples
    --------
    >>> path("deployments", "web", "shop", "scale")
    '/apis/apps/v1/namespaces/web/deployments/shop/scale'
    >>> path("pods", limit=500)
    '/api/v1/pods?limit=500'
    """
    return _target(resource, namespace, name, sub, query)


def _target(resource: str, namespace: str, name: str, sub: str, query: Mapping[str, str | int | bool]) -> str:
    """Put path and query together."""
    group, version, namespaced = KINDS[resource]
    parts = ["/apis", group, version] if group else ["/api", version]
    if namespace and namespaced:
        parts += ["namespaces", namespace]
    parts += [part for part in (resource, name, sub) if part]
    text = "/".join(parts)
    if query:
        plain = {key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()}
        text += "?" + urllib.parse.urlencode(plain)
    return text


def get(  # noqa: PLR0913 - the parts of a path, as kubectl names them
    resource: str,
    namespace: str = "",
    name: str = "",
    sub: str = "",
    *,
    after_s: float = 0.05,
    reads: bool = False,
    **query: str | int | bool,
) -> Call:
    """Read one object."""
    return Call("GET", _target(resource, namespace, name, sub, query), after_s=after_s, reads=reads)


def listing(
    resource: str, namespace: str = "", *, after_s: float = 0.05, reads: bool = False, **query: str | int | bool
) -> Call:
    """List a collection as client-go does, unless the query says otherwise."""
    return Call("GET", _target(resource, namespace, "", "", query or {"limit": 500}), after_s=after_s, reads=reads)


def watch(
    rng: random.Random, resource: str, namespace: str = "", *, after_s: float = 0.05, **query: str | int | bool
) -> Call:
    """Watch a collection for as long as client-go would."""
    lasts_s = int(rng.uniform(*WATCH_S))
    options: dict[str, str | int | bool] = {
        "allowWatchBookmarks": True,
        **query,
        "resourceVersion": VERSION,
        "timeout": f"{lasts_s // 60}m{lasts_s % 60}s",
        "timeoutSeconds": lasts_s,
        "watch": True,
    }
    return Call("GET", _target(resource, namespace, "", "", options), after_s=after_s, watch_s=float(lasts_s))


def create(  # noqa: PLR0913 - the parts of a path, as kubectl names them
    resource: str,
    namespace: str,
    body: object,
    *,
    name: str = "",
    sub: str = "",
    after_s: float = 0.05,
    reads: bool = False,
    settles: bool = False,
    **query: str | int | bool,
) -> Call:
    """Create an object, or post to a subresource of one."""
    target = _target(resource, namespace, name, sub, query)
    return Call("POST", target, body, after_s=after_s, reads=reads, settles=settles)


def patch(  # noqa: PLR0913 - the parts of a path, as kubectl names them
    resource: str,
    namespace: str,
    name: str,
    body: object,
    *,
    sub: str = "",
    content_type: str = MERGE,
    after_s: float = 0.05,
    settles: bool = False,
    **query: str | int | bool,
) -> Call:
    """Patch an object or a subresource of one."""
    target = _target(resource, namespace, name, sub, query)
    return Call("PATCH", target, body, content_type=content_type, after_s=after_s, settles=settles)


def replace(  # noqa: PLR0913 - the parts of a path, as kubectl names them
    resource: str,
    namespace: str,
    name: str,
    body: object,
    *,
    sub: str = "",
    after_s: float = 0.05,
    settles: bool = False,
) -> Call:
    """Replace an object or a subresource of one."""
    return Call("PUT", path(resource, namespace, name, sub), body, after_s=after_s, settles=settles)


def delete(  # noqa: PLR0913 - the parts of a path, as kubectl names them
    resource: str,
    namespace: str,
    name: str,
    *,
    body: object = None,
    after_s: float = 0.05,
    settles: bool = False,
    **query: str | int | bool,
) -> Call:
    """Delete an object."""
    return Call("DELETE", _target(resource, namespace, name, "", query), body, after_s=after_s, settles=settles)


def shortened(target: str) -> str:
    """Make a watch end after one real second; its records are given the length it asked for.

    Parameters
    ----------
    target
        Path and query.
    """
    return ASKED.sub("timeout=1s&timeoutSeconds=1", target)


def calls(*items: Call) -> Writer:
    """Make a script of calls that do not depend on answers."""

    def write(_: random.Random) -> Script:
        for item in items:  # noqa: UP028 - the player sends answers, which a tuple cannot take
            yield item

    return write


def in_order(acts: Iterable[Act]) -> list[Act]:
    """Sort acts by time; those of one moment keep their order."""
    return sorted(acts, key=lambda act: act.time_s)
