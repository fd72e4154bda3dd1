"""Audit records as kube-apiserver writes them, for the made-up cluster: plain dictionaries in the order of the wire.

`routine` makes ordinary ones out of habits; `record` makes any other. Pure; random numbers come from the caller.
"""

from __future__ import annotations

import random
from typing import Any

from riverwatch import clock
from riverwatch.bench import load_world


def routine(who: load_world.Identity, world: load_world.World, *, time_s: float, rng: random.Random) -> dict[str, Any]:
    """Return something that an identity does every day."""
    habit = rng.choices(who.habits, weights=[one.weight for one in who.habits])[0]
    namespace = rng.choice(world.namespaces) if habit.namespace == "*" else habit.namespace
    return record(
        who,
        verb=habit.verb,
        resource=habit.resource,
        group=habit.group,
        subresource=habit.subresource,
        namespace=namespace,
        name=rng.choice(habit.names),
        time_s=time_s,
        rng=rng,
        code=habit.code if rng.random() > 0.004 else rng.choice((404, 409)),
        level=habit.level,
        body=body_of(habit.body, namespace, rng) if habit.body and habit.level != "Metadata" else None,
    )


def record(  # noqa: PLR0913 - one keyword per field of a record
    who: load_world.Identity,
    *,
    verb: str,
    resource: str,
    time_s: float,
    rng: random.Random,
    group: str = "",
    subresource: str = "",
    namespace: str = "",
    name: str = "",
    code: int = 200,
    level: str = "Metadata",
    body: dict[str, Any] | None = None,
    address: str = "",
    agent: str = "",
    query: str = "",
    impersonated: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one record."""
    made: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": load_world.identifier(rng),
        "stage": "ResponseComplete",
        "requestURI": _uri(group, resource, namespace, name, subresource)
        + (query or ("?watch=true" if verb == "watch" else "")),
        "verb": verb,
        "user": _user(who),
    }
    if impersonated is not None:
        made["impersonatedUser"] = impersonated
    made["sourceIPs"] = [address or rng.choice(who.addresses)]
    made["userAgent"] = agent or who.agent
    reference = {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "apiVersion": "v1"}
    if subresource:
        reference["subresource"] = subresource
    made["objectRef"] = {key: value for key, value in reference.items() if value}
    refused = code in (401, 403)
    status: dict[str, Any] = {"metadata": {}, "code": code}
    if code >= 400:
        status |= {"status": "Failure", "reason": {403: "Forbidden", 404: "NotFound"}.get(code, "Conflict")}
    made["responseStatus"] = status
    if body is not None and level != "Metadata":
        made["requestObject"] = body
        if level == "RequestResponse":
            made["responseObject"] = body | {"metadata": {**body.get("metadata", {}), "resourceVersion": "8812734"}}
    made["requestReceivedTimestamp"] = clock.rfc3339(time_s)
    made["stageTimestamp"] = clock.rfc3339(time_s + rng.uniform(0.002, 0.02))
    who_says = (
        f'RBAC: allowed by RoleBinding "{who.name or "view"}/{namespace}" of ClusterRole "view" to {who.username}'
    )
    made["annotations"] = {
        "authorization.k8s.io/decision": "forbid" if refused else "allow",
        "authorization.k8s.io/reason": "" if refused else who_says,
    }
    return made


def body_of(kind: str, namespace: str, rng: random.Random) -> dict[str, Any]:
    """Return an ordinary body of a kind."""
    if kind == "pod":
        return pod(namespace, load_world.pod_name("web", rng), rng)
    if kind == "note":
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": f"web-0.{rng.getrandbits(64):016x}", "namespace": namespace},
            "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "web-0"},
            "reason": rng.choice(("Pulled", "Created", "Started", "Scheduled")),
            "message": "Container image is already present on the machine",
            "type": "Normal",
        }
    if kind == "slice":
        ready = {"ready": True, "serving": True, "terminating": False}
        points = [{"addresses": [f"10.80.1.{n}"], "conditions": ready, "nodeName": "node-001"} for n in range(6)]
        return {"kind": "EndpointSlice", "metadata": {"namespace": namespace}, "endpoints": points}
    conditions = [
        {"type": name, "status": "False", "lastHeartbeatTime": "2026-01-15T08:00:00Z", "reason": "KubeletIsFine"}
        for name in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    ]
    if kind == "status":
        return {"metadata": {"uid": load_world.identifier(rng)}, "status": {"conditions": conditions}}
    return {"metadata": {"annotations": {"revision": str(rng.randrange(50))}}, "status": {"replicas": rng.randrange(9)}}


def pod(namespace: str, name: str, rng: random.Random, **spec: Any) -> dict[str, Any]:
    """Return a pod."""
    container = {
        "name": "main",
        "image": f"registry.example.com/web:{rng.randrange(40)}",
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(8)],
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}],
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
    }
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    content = {"serviceAccountName": "default", "containers": [container], "volumes": volumes, **spec}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}},
        "spec": content,
    }


def _user(who: load_world.Identity) -> dict[str, Any]:
    found: dict[str, Any] = {"username": who.username, "groups": list(who.groups)}
    if who.uid:
        found["uid"] = who.uid
    extra = {}
    if who.credential:
        extra["authentication.kubernetes.io/credential-id"] = [who.credential]
    if who.pod:
        extra["authentication.kubernetes.io/node-name"] = [who.node]
        extra["authentication.kubernetes.io/pod-name"] = [who.pod]
    if extra:
        found["extra"] = extra
    return found


def _uri(group: str, resource: str, namespace: str, name: str, subresource: str) -> str:
    parts = [f"/apis/{group}/v1" if group else "/api/v1"]
    if namespace:
        parts.append(f"namespaces/{namespace}")
    parts += [part for part in (resource, name, subresource) if part]
    return "/".join(parts)
