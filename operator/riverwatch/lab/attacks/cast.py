"""Bodies of the objects a `stage` is made of: what stands in its namespaces, and what each part may do.

Plain data in, Kubernetes objects out; nothing is sent from here. Rights follow what charts of such workloads really ask
for, generous ones included, because attacks live on them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from riverwatch.lab.attacks import base

SECRETS = (
    "db-main", "db-replica", "smtp-relay", "payment-gateway", "oauth-client", "object-store", "webhook-signing",
    "session-keys", "partner-api", "tls-front",
)  # fmt: skip
"""Secrets in each namespace."""

CONFIG_MAPS = ("front-settings", "feature-flags", "cart-settings", "routing", "limits")
"""Config maps in each namespace."""

DEPLOYMENTS = ("front", "cart", "reports")
"""Deployments in each namespace."""

NODE_ADDRESS = "10.20.0.11"
"""Address of the stage's node."""

Body = dict[str, object]
Placed = tuple[str, Body]
"""A collection's path and an object to create in it."""


class Rule(msgspec.Struct, frozen=True):
    """One rule of a role."""

    groups: str
    resources: str
    verbs: str
    """Space-separated words each; ``core`` stands for the group without a name."""


class Role(msgspec.Struct, frozen=True):
    """One member of the cast."""

    name: str
    part: base.Part
    rules: tuple[Rule, ...]
    source_ip: str
    user_agent: str
    wide: bool = False
    """Whether its rights reach beyond its namespace; left out of a narrow stage."""
    person: bool = False
    groups: tuple[str, ...] = ()
    outside: bool = False
    """Whether it runs outside the cluster, with a token that is bound to no pod."""
    everywhere_at_home: bool = False
    """Whether each namespace of the stage has one."""
    cluster_role: str = ""
    """A built-in cluster role bound instead of rules."""


READ = "get list watch"
WRITE = "get list watch create update patch delete"
APP_RULES = (
    Rule("core", "secrets configmaps", READ),
    Rule("core", "pods services endpoints", READ),
    Rule("coordination.k8s.io", "leases", "get list create update patch"),
)
DEPLOY_RULES = (
    Rule("core", "configmaps services secrets serviceaccounts persistentvolumeclaims", f"{WRITE} deletecollection"),
    Rule("core", "pods pods/log", "get list watch delete"),
    Rule("core", "pods/exec pods/portforward", "get create"),
    Rule("core", "events", READ),
    Rule("apps", "deployments daemonsets statefulsets replicasets deployments/scale", f"{WRITE} deletecollection"),
    Rule("batch", "jobs cronjobs", WRITE),
    Rule("networking.k8s.io", "ingresses networkpolicies", WRITE),
    Rule("autoscaling", "horizontalpodautoscalers", WRITE),
)

ROLES = (
    Role("cart", base.Part.APP, APP_RULES, "10.244.1.23", "cart/2.14 (linux/amd64) client-go/v0.33.2",
         everywhere_at_home=True),
    Role("checkout", base.Part.APP, APP_RULES, "10.244.2.11", "checkout/1.7 (linux/amd64) client-go/v0.33.2"),
    Role("prices", base.Part.SIBLING, APP_RULES, "10.244.1.24", "Fabric8-KubernetesClient/6.13.4"),
    Role("deployer", base.Part.CI, DEPLOY_RULES, "10.30.4.15", "Helm/3.18.4", outside=True),
    Role("gitops", base.Part.GITOPS, DEPLOY_RULES, "10.244.0.31", "argocd-application-controller/v3.0.6"),
    Role("night-backup", base.Part.BACKUP, (Rule("core batch apps networking.k8s.io", "*", READ),), "10.244.2.71",
         "velero-server/v1.16.1 (linux/amd64)"),
    Role("metrics", base.Part.MONITORING, (
        Rule("core", "nodes nodes/metrics services endpoints pods namespaces configmaps", READ),
        Rule("networking.k8s.io", "ingresses", READ),
        Rule("apps", "deployments daemonsets statefulsets replicasets", READ),
    ), "10.244.0.52", "Prometheus/3.4.1", wide=True),
    Role("secret-sync", base.Part.SECRET_SYNC, (
        Rule("core", "secrets", WRITE), Rule("core", "namespaces configmaps", READ),
        Rule("core", "events", "create patch"),
        Rule("core", "serviceaccounts", READ), Rule("core", "serviceaccounts/token", "create"),
    ), "10.244.0.61", "external-secrets/v0.17.0 (linux/amd64)", wide=True),
    Role("ingress", base.Part.INGRESS, (
        Rule("core", "secrets configmaps services endpoints pods nodes namespaces", READ),
        Rule("networking.k8s.io", "ingresses ingressclasses", READ), Rule("coordination.k8s.io", "leases", WRITE),
    ), "10.244.0.77", "nginx-ingress-controller/v1.12.3", wide=True),
    Role("autoscaler", base.Part.AUTOSCALER, (
        Rule("core", "pods nodes", READ), Rule("apps", "deployments deployments/scale", "get list watch update patch"),
    ), "10.244.0.81", "keda/v2.17.1 (linux/amd64)", wide=True),
    Role("db-operator", base.Part.OPERATOR, (
        Rule("core", "pods services secrets configmaps serviceaccounts namespaces events", WRITE),
        Rule("core", "pods/exec serviceaccounts/token", "get create"), Rule("apps batch", "*", WRITE),
        Rule("rbac.authorization.k8s.io", "*", f"{WRITE} bind escalate"),
        Rule("admissionregistration.k8s.io", "*", WRITE), Rule("core", "nodes nodes/proxy", READ),
        Rule("coordination.k8s.io", "leases", WRITE),
    ), "10.244.0.90", "postgres-operator/v1.14.0 (linux/amd64)", wide=True),
    Role("dana", base.Part.DEVELOPER, (
        *DEPLOY_RULES,     ), "10.60.7.33", "kubectl/v1.35.1 (darwin/arm64) kubernetes/8f1e2d3", person=True,
         groups=("developers",)),
    Role("omar", base.Part.ONCALL, (
        Rule("core apps batch networking.k8s.io", "*", READ),
        Rule("core", "pods/exec pods/portforward pods/attach", "get create"),
        Rule("core", "pods/ephemeralcontainers", "get patch update"), Rule("core", "nodes/proxy", "get create"),
        Rule("core", "pods", "delete"),
    ), "10.60.9.12", "kubectl/v1.35.2 (linux/amd64) kubernetes/1d2c3b4", person=True, wide=True),
    Role("ada", base.Part.ADMIN, (), "10.60.1.5", "kubectl/v1.36.0 (darwin/arm64) kubernetes/7a6b5c4", person=True,
         wide=True, cluster_role="cluster-admin"),
    Role("sam", base.Part.SUPPORT, (
        Rule("core", "users groups serviceaccounts", "impersonate"), Rule("core", "pods services namespaces", READ),
    ), "10.60.3.21", "kubectl/v1.35.2 (windows/amd64) kubernetes/1d2c3b4", person=True, wide=True),
)  # fmt: skip
"""The whole cast, in the order in which it is built."""


def namespace(name: str) -> Body:
    """Give a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service_account(name: str) -> Body:
    """Give a service account."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def pod(name: str, account: str) -> Body:
    """Give a pod that runs as an account and does nothing."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": account}},
        "spec": {
            "serviceAccountName": account,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}],
        },
    }


def placed_pod(name: str, node_name: str) -> Body:
    """Give a pod on a named node that mounts a secret and a config map."""
    body = pod(name, "default")
    spec = body["spec"]
    assert isinstance(spec, dict)
    spec["nodeName"] = node_name
    spec["volumes"] = [
        {"name": "a", "secret": {"secretName": "db-main"}},
        {"name": "b", "secret": {"secretName": "oauth-client"}},
        {"name": "c", "configMap": {"name": "cart-settings"}},
    ]
    return body


def node(name: str) -> Body:
    """Give a node."""
    addresses = [
        {"type": "InternalIP", "address": NODE_ADDRESS},
        {"type": "Hostname", "address": name},
        # What plays the kubelet listens there.
        {"type": "ExternalDNS", "address": "localhost"},
    ]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}}


def furniture(space: str) -> Iterator[Placed]:
    """Give what stands in a namespace before anybody acts."""
    core = f"/api/v1/namespaces/{space}"
    for index, name in enumerate(SECRETS):
        data = {"user": name, "password": f"{index:02d}-{name[::-1]}"}
        yield f"{core}/secrets", {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "stringData": data}
    for name in CONFIG_MAPS:
        data = {"settings.yaml": f"name: {name}\n"}
        yield f"{core}/configmaps", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": data}
    for name in DEPLOYMENTS:
        yield (
            f"/apis/apps/v1/namespaces/{space}/deployments",
            deployment(name, "registry.k8s.io/pause:3.10", replicas=1),
        )
        selector = {"selector": {"app": name}, "ports": [{"port": 80}]}
        yield f"{core}/services", {"kind": "Service", "apiVersion": "v1", "metadata": {"name": name}, "spec": selector}
    yield f"/apis/batch/v1/namespaces/{space}/cronjobs", cron_job("reports-nightly", "registry.k8s.io/pause:3.10")
    yield (
        f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        },
    )
    yield (
        f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases",
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "cart-leader"},
            "spec": {"holderIdentity": "cart-0", "leaseDurationSeconds": 15},
        },
    )


def deployment(name: str, image: str, *, replicas: int = 1) -> Body:
    """Give a deployment of one container."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}], "terminationGracePeriodSeconds": 0},
            },
        },
    }


def cron_job(name: str, image: str, *, schedule: str = "15 2 * * *", command: tuple[str, ...] = ()) -> Body:
    """Give a cron job of one container."""
    container: Body = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    template = {"spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "jobTemplate": template},
    }


def rights(role: Role, username: str, space: str, *, wide: bool) -> Iterator[Placed]:
    """Give the roles and bindings of one member of the cast.

    Parameters
    ----------
    role
        Who.
    username
        Name it has on this stage.
    space
        Its namespace.
    wide
        Whether the stage reaches beyond one namespace.
    """
    api = "/apis/rbac.authorization.k8s.io/v1"
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": username}
    across = role.wide and wide
    kind = "ClusterRole" if across else "Role"
    where = api if across else f"{api}/namespaces/{space}"
    stem = f"{space}-{role.name}" if across else role.name
    if role.cluster_role:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.cluster_role}
    else:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": stem}
        yield (
            f"{where}/{kind.lower()}s",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": stem},
                "rules": [_rule(rule) for rule in role.rules],
            },
        )
    yield (
        f"{where}/{kind.lower()}bindings",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": stem},
            "subjects": [subject],
            "roleRef": reference,
        },
    )


def _rule(rule: Rule) -> Body:
    """Write out one rule."""
    groups = ["" if group == "core" else group for group in rule.groups.split()]
    return {"apiGroups": groups, "resources": rule.resources.split(), "verbs": rule.verbs.split()}
