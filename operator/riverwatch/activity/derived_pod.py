"""Stage 2, derived fields of pods and of every pod template that a request writes.

Covers pods, Deployments, DaemonSets, StatefulSets, ReplicaSets, ReplicationControllers, Jobs, CronJobs, PodTemplates
and the usual custom workloads; containers, init containers and ephemeral containers; whole objects and patches. Only
what the request itself writes is read, so that a patch of one label says nothing about the rest of the object. Listed
in `derived`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

from riverwatch.activity import derived_facts as df

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
"""Where a pod spec keeps its containers."""

SPEC_SUBRESOURCES = frozenset({"", "ephemeralcontainers", "resize"})
"""Subresources whose body carries a pod spec that takes effect; status and scale bodies do not count."""

RUNTIME_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd",
    "/var/run/containerd",
    "/run/crio",
    "/var/run/crio",
    "/run/k3s/containerd",
    "/var/run/cri-dockerd.sock",
    "/run/cri-dockerd.sock",
    "/run/podman",
)
"""Sockets of container runtimes, or the folders that hold them: whoever reaches one owns the node."""

SENSITIVE_ROOTS = (
    "/etc",
    "/root",
    "/home",
    "/proc",
    "/dev",
    "/boot",
    "/var/run",
    "/run",
    "/var/lib/kubelet",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/etcd",
    "/var/lib/rancher",
    "/var/log",
    "/var/spool/cron",
    "/usr",
    "/bin",
    "/sbin",
    "/opt/cni",
    "/lib",
)
"""Folders of a node that give code execution, credentials or other containers' data."""

BUILT_IN_WORKLOADS = frozenset(
    {
        "pods",
        "deployments",
        "daemonsets",
        "statefulsets",
        "replicasets",
        "replicationcontrollers",
        "jobs",
        "cronjobs",
    }
)
"""Kubernetes' own resources that run containers, or make what runs them."""

WORKLOADS = BUILT_IN_WORKLOADS | {
    "podtemplates",
    "rollouts",
    "clonesets",
    "services",
    "configurations",
    "deploymentconfigs",
}
"""Resources with a pod spec or template: Kubernetes' own, Argo's and OpenKruise's, Knative's services, OpenShift's."""

_GROUPED = {"services": "serving.knative.dev", "configurations": "serving.knative.dev"}
"""Workloads whose plain name means something else in other API groups."""

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""Set by a kubelet on the mirror of a static pod."""

_FIXED_TEMPLATES: dict[str, tuple[str, ...]] = {
    "pods": ("spec",),
    "podtemplates": ("template", "spec"),
    "cronjobs": ("spec", "jobTemplate", "spec", "template", "spec"),
}


WORDS = {
    "pod.privileged": "privileged",
    "pod.allowPrivilegeEscalation": "allowPrivilegeEscalation",
    "pod.capabilities": "capabilities",
    "pod.hostNetwork": "hostNetwork",
    "pod.hostPID": "hostPID",
    "pod.hostIPC": "hostIPC",
    "pod.shareProcessNamespace": "shareProcessNamespace",
    "pod.hostPath": "hostPath",
    "pod.sensitiveHostPath": "hostPath",
    "pod.runtimeSocket": "hostPath",
}
"""Derived field -> the key without which it is neither true nor has a value; see `words`."""


def words(facts: df.Facts) -> set[str]:
    """Return the keys of all pod specs, volumes and security contexts that the request writes."""
    found: set[str] = set()
    for spec in pod_specs(facts):
        found.update(spec)
        for volume in df.as_list(spec.get("volumes")):
            found.update(df.as_dict(volume))
    for context in _security(facts):
        found.update(context)
    return found


def pod_specs(facts: df.Facts) -> list[dict[str, df.Json]]:
    """Return the pod specs, whole or partial, that the request writes."""
    found = facts.notes.get("pod_specs")
    if found is None:
        found = facts.notes["pod_specs"] = _pod_specs(facts)
    return found


def containers(facts: df.Facts) -> list[dict[str, df.Json]]:
    """Return every container of every kind that the request writes."""
    found = facts.notes.get("containers")
    if found is None:
        found = facts.notes["containers"] = [
            item
            for spec in pod_specs(facts)
            for key in CONTAINER_LISTS
            for item in df.as_list(spec.get(key))
            if isinstance(item, dict) and item.get("$patch") != "delete"
        ]
    return found


def _pod_specs(facts: df.Facts) -> list[dict[str, df.Json]]:
    activity = facts.activity
    if activity.subresource not in SPEC_SUBRESOURCES or activity.resource not in WORKLOADS:
        return []
    if _GROUPED.get(activity.resource, activity.api_group) != activity.api_group:
        return []
    path = _FIXED_TEMPLATES.get(activity.resource, ("spec", "template", "spec"))
    found = (df.dig(document, *path) for document in facts.documents)
    return [spec for spec in found if isinstance(spec, dict)]


def _security(facts: df.Facts) -> list[dict[str, df.Json]]:
    found = facts.notes.get("security")
    if found is None:
        found = facts.notes["security"] = [
            df.as_dict(container.get("securityContext")) for container in containers(facts)
        ]
    return found


def _unique(values: Iterator[str]) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(value for value in values if value)) or None


def _flag(key: str) -> Callable[[df.Facts], df.Value]:
    def compute(facts: df.Facts) -> df.Value:
        specs = pod_specs(facts)
        for spec in specs:
            if spec.get(key) is True:
                return True
        return False if specs else None

    return compute


def _container_flag(key: str) -> Callable[[df.Facts], df.Value]:
    def compute(facts: df.Facts) -> df.Value:
        found = _security(facts)
        for context in found:
            if context.get(key) is True:
                return True
        return False if found else None

    return compute


def _run_as_root(facts: df.Facts) -> df.Value:
    specs = pod_specs(facts)
    if not specs:
        return None
    contexts = [df.as_dict(spec.get("securityContext")) for spec in specs]
    contexts += _security(facts)
    return any(
        (context.get("runAsUser") == 0 and context.get("runAsUser") is not False)
        or context.get("runAsNonRoot") is False
        for context in contexts
    )


def _capabilities(facts: df.Facts) -> df.Value:
    if not any("capabilities" in context for context in _security(facts)):
        return None

    def each() -> Iterator[str]:
        for context in _security(facts):
            if "capabilities" in context:
                for name in df.texts(df.dig(context, "capabilities", "add")):
                    yield name.upper().removeprefix("CAP_")

    return _unique(each())


def _host_paths(facts: df.Facts) -> df.Value:
    if not any("volumes" in spec for spec in pod_specs(facts)):
        return None

    def each() -> Iterator[str]:
        for spec in pod_specs(facts):
            for volume in df.as_list(spec.get("volumes")):
                path = df.as_text(df.dig(volume, "hostPath", "path"))
                if path:
                    yield posixpath.normpath("/" + path.lstrip("/"))

    return _unique(each())


def is_sensitive_path(path: str) -> bool:
    """Return whether a host path, or a folder above or below it, is one that attackers use.

    Examples
    --------
    >>> [is_sensitive_path(p) for p in ("/", "/etc/kubernetes", "/var", "/data/app", "/etcetera")]
    [True, True, True, False, False]
    """
    if path in ("/", "/var", "/var/lib", "/opt"):
        return True
    return any(path == root or path.startswith(root + "/") for root in SENSITIVE_ROOTS)


def _sensitive_host_paths(facts: df.Facts) -> df.Value:
    paths = facts.cache.get("pod.hostPath") or _host_paths(facts)
    return tuple(p for p in paths if is_sensitive_path(str(p))) or None if isinstance(paths, tuple) else None


def _runtime_socket(facts: df.Facts) -> df.Value:
    paths = facts.cache.get("pod.hostPath") or _host_paths(facts)
    if not isinstance(paths, tuple):
        return None if not pod_specs(facts) else False
    return any(str(path).startswith(RUNTIME_SOCKETS) for path in paths)


def _images(facts: df.Facts) -> df.Value:
    return _unique(df.as_text(container.get("image")) for container in containers(facts))


def registry_of(image: str) -> str:
    """Return the registry of an image reference, as container runtimes read it.

    Examples
    --------
    >>> [registry_of(i) for i in ("nginx", "team/app:1", "ghcr.io/a/b@sha256:0", "localhost:5000/x")]
    ['docker.io', 'docker.io', 'ghcr.io', 'localhost:5000']
    """
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _registries(facts: df.Facts) -> df.Value:
    images = _images(facts)
    return _unique(registry_of(str(image)) for image in images) if isinstance(images, tuple) else None


def _commands(facts: df.Facts) -> df.Value:
    def each() -> Iterator[str]:
        for container in containers(facts):
            yield " ".join(df.texts(container.get("command")) + df.texts(container.get("args")))

    return _unique(each())


def _hook_commands(facts: df.Facts) -> df.Value:
    def each() -> Iterator[str]:
        for container in containers(facts):
            if "lifecycle" in container:
                for hook in ("postStart", "preStop"):
                    yield " ".join(df.texts(df.dig(container, "lifecycle", hook, "exec", "command")))
            for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
                if probe in container:
                    yield " ".join(df.texts(df.dig(container, probe, "exec", "command")))

    return _unique(each())


def _service_account(facts: df.Facts) -> df.Value:
    for spec in pod_specs(facts):
        name = df.as_text(spec.get("serviceAccountName")) or df.as_text(spec.get("serviceAccount"))
        if name:
            return name
    return None


def _automount(facts: df.Facts) -> df.Value:
    for spec in pod_specs(facts):
        value = spec.get("automountServiceAccountToken")
        if isinstance(value, bool):
            return value
    return None


def _node_name(facts: df.Facts) -> df.Value:
    return next((name for spec in pod_specs(facts) if (name := df.as_text(spec.get("nodeName")))), None)


def _container_names(facts: df.Facts) -> df.Value:
    return _unique(df.as_text(container.get("name")) for container in containers(facts))


def _added_containers(facts: df.Facts) -> df.Value:
    """Images of containers that a patch names with an image: a new container, or a new image for an old one."""
    return _images(facts) if facts.activity.verb == "patch" else None


def _name(facts: df.Facts) -> df.Value:
    activity = facts.activity
    if activity.resource not in WORKLOADS or activity.subresource not in SPEC_SUBRESOURCES:
        return None
    if activity.name:
        return activity.name
    for document in facts.documents:
        metadata = df.as_dict(document.get("metadata"))
        name = df.as_text(metadata.get("name")) or df.as_text(metadata.get("generateName"))
        if name:
            return name
    return None


def _mirror(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "pods" or not facts.documents:
        return None
    return any(
        MIRROR_ANNOTATION in df.as_dict(df.dig(document, "metadata", "annotations")) for document in facts.documents
    )


def _ephemeral(facts: df.Facts) -> df.Value:
    return _unique(
        df.as_text(df.as_dict(item).get("name"))
        for spec in pod_specs(facts)
        for item in df.as_list(spec.get("ephemeralContainers"))
    )


_BODY = "requestObject (pod spec or pod template)"


def _field(name: str, type_: str, doc: str, compute: Callable[[df.Facts], df.Value]) -> df.DerivedField:
    return df.DerivedField(f"pod.{name}", type_, _BODY, "Request", doc, compute)


FIELDS = (
    _field("name", "str", "Name of the object, else its generateName.", _name),
    _field("privileged", "bool", "Any container asks for privileged.", _container_flag("privileged")),
    _field(
        "allowPrivilegeEscalation",
        "bool",
        "Any container sets it to true.",
        _container_flag("allowPrivilegeEscalation"),
    ),
    _field("runAsRoot", "bool", "The pod or a container sets runAsUser 0 or runAsNonRoot false.", _run_as_root),
    _field("hostNetwork", "bool", "Shares the node's network.", _flag("hostNetwork")),
    _field("hostPID", "bool", "Sees the node's processes.", _flag("hostPID")),
    _field("hostIPC", "bool", "Shares the node's IPC.", _flag("hostIPC")),
    _field("shareProcessNamespace", "bool", "Containers see each other's processes.", _flag("shareProcessNamespace")),
    _field("hostPath", "str[]", "Paths of the node that are mounted, normalised.", _host_paths),
    _field(
        "sensitiveHostPath",
        "str[]",
        "Those of pod.hostPath that give code execution, credentials or other containers' data.",
        _sensitive_host_paths,
    ),
    _field("runtimeSocket", "bool", "The socket of a container runtime, or its folder, is mounted.", _runtime_socket),
    _field("capabilities", "str[]", "Added Linux capabilities, upper case, without CAP_.", _capabilities),
    _field("image", "str[]", "Images of all containers.", _images),
    _field("registry", "str[]", "Registries of those images.", _registries),
    _field("patchedImage", "str[]", "Images that a patch brings in.", _added_containers),
    _field("container", "str[]", "Names of all containers.", _container_names),
    _field("ephemeral", "str[]", "Names of ephemeral containers.", _ephemeral),
    _field("command", "str[]", "Command and arguments of each container, joined by blanks.", _commands),
    _field("hookCommand", "str[]", "Commands of life-cycle hooks and probes.", _hook_commands),
    _field("serviceAccountName", "str", "Service account of the pod.", _service_account),
    _field("automountServiceAccountToken", "bool", "As written; absent when the default applies.", _automount),
    _field("nodeName", "str", "Node that the request itself picks, past the scheduler.", _node_name),
    _field("mirror", "bool", "Mirror of a static pod.", _mirror),
)
