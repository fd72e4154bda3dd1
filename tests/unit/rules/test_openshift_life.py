"""What OpenShift's own operators do all day raises nothing, and the same act by somebody else does not hide.

Each record is shaped as kube-apiserver, openshift-apiserver, oauth-apiserver or oauth-server of OpenShift 4 writes it,
some with the bodies that the audit profile WriteRequestBodies adds.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from riverwatch import vocabulary
from riverwatch.activity import sample
from riverwatch.rules import engine, loading

SA = "system:serviceaccount:"
CVO = f"{SA}openshift-cluster-version:default"
OLM = f"{SA}openshift-operator-lifecycle-manager:olm-operator-serviceaccount"
API = f"{SA}openshift-apiserver:openshift-apiserver-sa"
NETWORK = f"{SA}openshift-network-operator:cluster-network-operator"
MONITORING = f"{SA}openshift-monitoring:cluster-monitoring-operator"
PULL_SECRETS = f"{SA}openshift-infra:serviceaccount-pull-secrets-controller"
LOGIN = ("system:unauthenticated",)
PRIVILEGED = {
    "containers": [{"name": "c", "securityContext": {"privileged": True}}],
    "hostPID": True,
    "volumes": [{"name": "h", "hostPath": {"path": "/etc/kubernetes"}}],
}
RBAC = "rbac.authorization.k8s.io"
ADMIN = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


@functools.cache
def request_for(name: str, group: str = "") -> dict[str, Any]:
    """Return the body of a certificate signing request."""
    parts = [x509.NameAttribute(oid.NameOID.COMMON_NAME, name)]
    if group:
        parts.append(x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, group))
    key = ec.generate_private_key(ec.SECP256R1())
    signed = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts)).sign(key, hashes.SHA256())
    text = base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()
    return {"spec": {"signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"], "request": text}}


def binding(role: dict[str, str], *subjects: Mapping[str, str]) -> dict[str, Any]:
    return {"roleRef": role, "subjects": list(subjects)}


def account(namespace: str, name: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name}


def written(resource: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"verb": "update", "resource": resource, "name": name, "namespace": "", **fields}


def login(uri: str, verb: str = "get", **fields: Any) -> dict[str, Any]:
    """Return a record of the OAuth server, which names no object and knows nobody yet."""
    return {
        "verb": verb,
        "resource": "",
        "namespace": "",
        "username": "system:anonymous",
        "groups": LOGIN,
        "request_uri": uri,
        "user_agent": "Mozilla/5.0",
        **fields,
    }


LIFE: dict[str, dict[str, Any]] = {
    "version operator keeps a cluster-admin binding": written(
        "clusterrolebindings",
        "cluster-version-operator",
        api_group=RBAC,
        username=CVO,
        request_object=binding(ADMIN, account("openshift-cluster-version", "default")),
    ),
    "version operator binds an operator at an upgrade": written(
        "clusterrolebindings",
        "system:openshift:operator:etcd-operator",
        api_group=RBAC,
        username=CVO,
        verb="create",
        code=201,
        request_object=binding(ADMIN, account("openshift-etcd-operator", "etcd-operator")),
    ),
    "version operator keeps the role of the lifecycle manager": written(
        "clusterroles",
        "system:controller:operator-lifecycle-manager",
        api_group=RBAC,
        username=CVO,
        request_object={"rules": EVERYTHING},
    ),
    "version operator binds all who have logged in": written(
        "clusterrolebindings",
        "self-access-reviewers",
        api_group=RBAC,
        username=CVO,
        request_object=binding({"kind": "ClusterRole", "name": "self-access-reviewer"}, group("system:authenticated")),
    ),
    "version operator opens the build webhooks": written(
        "clusterrolebindings",
        "system:webhooks",
        api_group=RBAC,
        username=CVO,
        request_object=binding(
            {"kind": "ClusterRole", "name": "system:webhook"},
            group("system:authenticated"),
            group("system:unauthenticated"),
        ),
    ),
    "version operator writes a privileged daemon set": written(
        "daemonsets",
        "machine-config-daemon",
        api_group="apps",
        namespace="openshift-machine-config-operator",
        username=CVO,
        request_object={"spec": {"template": {"spec": PRIVILEGED}}},
    ),
    "version operator writes the privileged SCC": written(
        "securitycontextconstraints", "privileged", api_group="security.openshift.io", username=CVO
    ),
    "machine config controller renders a configuration": written(
        "machineconfigs",
        "rendered-worker-6c0f4a1b2c3d4e5f60718293a4b5c6d7",
        verb="create",
        code=201,
        api_group="machineconfiguration.openshift.io",
        username=f"{SA}openshift-machine-config-operator:machine-config-controller",
    ),
    "API server operator starts an installer pod": {
        "verb": "create",
        "namespace": "openshift-kube-apiserver",
        "name": "installer-9-master-0",
        "code": 201,
        "username": f"{SA}openshift-kube-apiserver-operator:kube-apiserver-operator",
        "request_object": {
            "metadata": {
                "name": "installer-9-master-0",
                "ownerReferences": [{"kind": "ConfigMap", "name": "revision-status-9"}],
            },
            "spec": PRIVILEGED,
        },
    },
    "API server operator starts a guard pod": {
        "verb": "create",
        "namespace": "openshift-kube-apiserver",
        "name": "kube-apiserver-guard-master-0",
        "code": 201,
        "username": f"{SA}openshift-kube-apiserver-operator:kube-apiserver-operator",
        "request_object": {"metadata": {"name": "kube-apiserver-guard-master-0"}, "spec": {"containers": []}},
    },
    "kubelet reports a static pod of the control plane": {
        "verb": "create",
        "namespace": "openshift-etcd",
        "name": "etcd-master-0",
        "code": 201,
        "username": "system:node:master-0",
        "groups": ("system:nodes", "system:authenticated"),
        "request_object": {
            "metadata": {"name": "etcd-master-0", "annotations": {"kubernetes.io/config.mirror": "x"}},
            "spec": PRIVILEGED,
        },
    },
    "build controller starts a build": {
        "verb": "create",
        "namespace": "shop",
        "name": "shop-7-build",
        "code": 201,
        "username": f"{SA}openshift-infra:build-controller",
        "request_object": {
            "metadata": {
                "name": "shop-7-build",
                "ownerReferences": [{"kind": "Build", "name": "shop-7", "controller": True}],
            },
            "spec": PRIVILEGED,
        },
    },
    "pull secrets are minted for every account": {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "namespace": "kube-system",
        "name": "default",
        "code": 201,
        "username": PULL_SECRETS,
    },
    "bindings of a new project": {
        "verb": "create",
        "resource": "rolebindings",
        "api_group": RBAC,
        "namespace": "shop",
        "name": "system:image-builders",
        "code": 201,
        "username": f"{SA}openshift-infra:default-rolebindings-controller",
        "request_object": binding({"kind": "ClusterRole", "name": "system:image-builder"}, account("shop", "builder")),
    },
    "requester becomes administrator of his project": {
        "verb": "create",
        "resource": "rolebindings",
        "api_group": RBAC,
        "namespace": "shop",
        "name": "admin",
        "code": 201,
        "username": API,
        "request_object": binding({"kind": "ClusterRole", "name": "admin"}, {"kind": "User", "name": "ana"}),
    },
    "binding passed on in the administrator's name": {
        "verb": "create",
        "resource": "rolebindings",
        "api_group": RBAC,
        "namespace": "shop",
        "name": "view",
        "code": 201,
        "username": API,
        "impersonated": {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]},
        "request_object": binding({"kind": "ClusterRole", "name": "view"}, {"kind": "User", "name": "bo"}),
    },
    "machine approver approves a kubelet": {
        "resource": "certificatesigningrequests",
        "subresource": "approval",
        "api_group": "certificates.k8s.io",
        "verb": "update",
        "namespace": "",
        "name": "csr-8h2vq",
        "username": f"{SA}openshift-cluster-machine-approver:machine-approver-sa",
    },
    "network identity approves an OVN certificate": {
        "resource": "certificatesigningrequests",
        "subresource": "approval",
        "api_group": "certificates.k8s.io",
        "verb": "update",
        "namespace": "",
        "name": "csr-2k9xd",
        "username": f"{SA}openshift-network-node-identity:network-node-identity",
    },
    "OVN renews its certificate": {
        "resource": "certificatesigningrequests",
        "api_group": "certificates.k8s.io",
        "verb": "create",
        "namespace": "",
        "code": 201,
        "username": "system:ovn-node:worker-1",
        "groups": ("system:ovn-nodes", "system:authenticated"),
        "request_object": request_for("system:ovn-node:worker-1", "system:ovn-nodes"),
    },
    "monitoring asks for Prometheus' client certificate": {
        "resource": "certificatesigningrequests",
        "api_group": "certificates.k8s.io",
        "verb": "create",
        "namespace": "",
        "code": 201,
        "username": MONITORING,
        "request_object": request_for(f"{SA}openshift-monitoring:prometheus-k8s"),
    },
    "network operator applies its loopback webhook": {
        "resource": "validatingwebhookconfigurations",
        "api_group": "admissionregistration.k8s.io",
        "verb": "patch",
        "namespace": "",
        "name": "network-node-identity.openshift.io",
        "username": NETWORK,
        "request_object": {
            "webhooks": [{"name": "node.n.openshift.io", "clientConfig": {"url": "https://127.0.0.1:9743/node"}}]
        },
    },
    "lifecycle manager installs an operator": {
        "resource": "clusterroles",
        "api_group": RBAC,
        "verb": "create",
        "namespace": "",
        "name": "loki-operator.v6.1.0-6hCkzp",
        "code": 201,
        "username": OLM,
        "request_object": {
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "update"]}]
        },
    },
    "lifecycle manager removes a webhook": {
        "resource": "validatingwebhookconfigurations",
        "api_group": "admissionregistration.k8s.io",
        "verb": "delete",
        "namespace": "",
        "name": "vpod.kb.io-x2k4p",
        "username": OLM,
    },
    "OAuth server issues a token": {
        "verb": "create",
        "resource": "oauthaccesstokens",
        "api_group": "oauth.openshift.io",
        "namespace": "",
        "name": "sha256~0123456789abcdef",
        "code": 201,
        "username": f"{SA}openshift-authentication:oauth-openshift",
    },
    "authenticator looks a token up": {
        "verb": "watch",
        "resource": "oauthaccesstokens",
        "api_group": "oauth.openshift.io",
        "namespace": "",
        "username": f"{SA}openshift-oauth-apiserver:oauth-apiserver-sa",
    },
    "first login makes a user": {
        "verb": "create",
        "resource": "users",
        "api_group": "user.openshift.io",
        "namespace": "",
        "name": "ana",
        "code": 201,
        "username": f"{SA}openshift-authentication:oauth-openshift",
    },
    "authentication operator writes the console's OAuth client": written(
        "oauthclients",
        "console",
        api_group="oauth.openshift.io",
        username=f"{SA}openshift-console-operator:console-operator",
    ),
    "authentication operator reads the first administrator's secret": {
        "resource": "secrets",
        "namespace": "kube-system",
        "name": "kubeadmin",
        "username": f"{SA}openshift-authentication-operator:authentication-operator",
    },
    "ingress operator copies a certificate": written(
        "secrets",
        "router-ca",
        namespace="openshift-ingress-operator",
        username=f"{SA}openshift-ingress-operator:ingress-operator",
    ),
    "insights operator reads the cluster version": {
        "resource": "clusterversions",
        "api_group": "config.openshift.io",
        "namespace": "",
        "name": "version",
        "username": f"{SA}openshift-insights:operator",
    },
    "samples operator imports images": written(
        "imagestreams",
        "python",
        namespace="openshift",
        api_group="image.openshift.io",
        username=f"{SA}openshift-cluster-samples-operator:cluster-samples-operator",
    ),
    "console asks what a person may do": {
        "verb": "create",
        "resource": "selfsubjectaccessreviews",
        "api_group": "authorization.k8s.io",
        "namespace": "",
        "code": 201,
        "username": "ana",
        "groups": ("system:authenticated:oauth", "system:authenticated"),
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
    },
    "router health without a credential": login("/healthz", user_agent="kube-probe/1.29"),
    "discovery of the OAuth server": login("/.well-known/oauth-authorization-server", user_agent="oc/4.16.0"),
    "login page": login("/oauth/authorize?client_id=console&response_type=code", code=302),
    "password posted": login("/login/htpasswd?then=%2F", verb="post", code=302),
    "token of a command line": login("/oauth/token", verb="post"),
    "log out": login("/logout", verb="post", code=302),
    "code host calls a build webhook": {
        "verb": "create",
        "resource": "buildconfigs",
        "subresource": "webhooks",
        "api_group": "build.openshift.io",
        "namespace": "shop",
        "name": "shop",
        "username": "system:anonymous",
        "groups": LOGIN,
        "user_agent": "GitHub-Hookshot/1a2b3c",
    },
    "caller without a credential asks what it may do": {
        "verb": "create",
        "resource": "selfsubjectaccessreviews",
        "api_group": "authorization.k8s.io",
        "namespace": "",
        "code": 403,
        "username": "system:anonymous",
        "groups": LOGIN,
    },
    "project administrator creates a project": {
        "verb": "create",
        "resource": "projectrequests",
        "api_group": "project.openshift.io",
        "namespace": "",
        "name": "shop",
        "code": 201,
        "username": "ana",
        "user_agent": "oc/4.16.0 (linux/amd64) kubernetes/abc1234",
    },
    "developer rolls out": {
        "verb": "create",
        "resource": "deploymentconfigs",
        "subresource": "instantiate",
        "api_group": "apps.openshift.io",
        "namespace": "shop",
        "name": "shop",
        "code": 201,
        "username": "ana",
        "user_agent": "oc/4.16.0 (linux/amd64) kubernetes/abc1234",
    },
}
"""What happens on every OpenShift cluster."""

BURSTS: dict[str, list[dict[str, Any]]] = {
    "operator prunes old revisions": [
        {
            "verb": "delete",
            "resource": resource,
            "namespace": "openshift-kube-apiserver",
            "name": f"{name}-{revision}",
            "username": f"{SA}openshift-kube-apiserver-operator:kube-apiserver-operator",
        }
        for revision in range(5)
        for resource, name in (
            ("configmaps", "config"),
            ("configmaps", "kube-apiserver-pod"),
            ("configmaps", "sa-token-signing-certs"),
            ("secrets", "etcd-client"),
            ("secrets", "localhost-recovery-client-token"),
            ("secrets", "webhook-authenticator"),
        )
    ],
    "pull secrets are listed everywhere": [
        {"verb": "list", "resource": "secrets", "namespace": f"project-{number}", "username": PULL_SECRETS}
        for number in range(6)
    ],
    "API server operator starts and lists its secrets": [
        {
            "verb": "list",
            "resource": "secrets",
            "namespace": namespace,
            "username": f"{SA}openshift-kube-apiserver-operator:kube-apiserver-operator",
        }
        for namespace in (
            "kube-system",
            "openshift-config",
            "openshift-config-managed",
            "openshift-kube-apiserver",
            "openshift-kube-apiserver-operator",
        )
    ],
    "certificate authority of services starts": [
        {"verb": "list", "resource": "secrets", "namespace": "", "username": f"{SA}openshift-service-ca:service-ca"}
    ],
    "pruner looks at what uses images": [
        {
            "verb": "list",
            "resource": resource,
            "namespace": "",
            "username": f"{SA}openshift-image-registry:pruner",
            "user_agent": "oc/4.16.0 (linux/amd64) kubernetes/abc1234",
        }
        for resource in ("pods", "deployments", "daemonsets", "services", "namespaces")
    ],
    "operators are refused while roles are being made": [
        {
            "verb": "list",
            "resource": resource,
            "namespace": "openshift-monitoring",
            "username": MONITORING,
            "code": 403,
        }
        for resource in ("pods", "deployments", "daemonsets", "services", "configmaps", "secrets")
    ],
}
"""What comes many times within minutes."""


def severities(*records: dict[str, Any]) -> dict[str, vocabulary.Severity]:
    judge = engine.RuleEngine(loading.load_catalog())
    found: dict[str, vocabulary.Severity] = {}
    for second, fields in enumerate(records):
        plain = {"user_agent": "operator/v0.0.0 (linux/amd64) kubernetes/$Format"} if "username" in fields else {}
        time = f"2026-01-15T08:00:{second % 60:02d}.000000Z"
        one = sample.audit_record(**(plain | {"time": time, "audit_id": f"life-{second}"} | fields))
        if not fields.get("resource", "x"):
            one.pop("objectRef")
        hits = judge.match(sample.activity_of(json.loads(json.dumps(one))))
        found |= {hit.card.id: hit.card.severity for hit in hits if hit.card.raises}
    assert not judge.faults
    return found


def loud(found: Mapping[str, vocabulary.Severity]) -> set[str]:
    return {rule for rule, severity in found.items() if severity.rank > vocabulary.Severity.LOW.rank}


@pytest.mark.parametrize("fields", LIFE.values(), ids=LIFE)
def test_the_platform_raises_nothing(fields: dict[str, Any]) -> None:
    assert severities(fields) == {}


@pytest.mark.parametrize("records", BURSTS.values(), ids=BURSTS)
def test_bursts_of_the_platform_raise_nothing(records: list[dict[str, Any]]) -> None:
    assert severities(*records) == {}


PERSON = {"username": "mallory", "groups": ("system:authenticated:oauth", "system:authenticated")}
WORKLOAD = {"username": f"{SA}web:front", "groups": ("system:serviceaccounts", "system:authenticated")}
BY_HAND = {"user_agent": "oc/4.16.0 (linux/amd64) kubernetes/abc1234"}

STOLEN: dict[str, tuple[str, dict[str, Any]]] = {
    "person binds cluster-admin": ("version operator keeps a cluster-admin binding", PERSON),
    "version operator's token by hand": ("version operator keeps a cluster-admin binding", BY_HAND),
    "version operator binds a workload": (
        "version operator keeps a cluster-admin binding",
        {"request_object": binding(ADMIN, account("openshift-etcd-operator", "x"), account("web", "front"))},
    ),
    "person widens the role of the lifecycle manager": (
        "version operator keeps the role of the lifecycle manager",
        PERSON,
    ),
    "version operator opens another binding": ("version operator opens the build webhooks", {"name": "other"}),
    "installer pod in an application's namespace": (
        "API server operator starts an installer pod",
        {"namespace": "web"},
    ),
    "installer pod by hand": ("API server operator starts an installer pod", BY_HAND),
    "guard pod by a workload": ("API server operator starts a guard pod", WORKLOAD),
    "static pod in another namespace": ("kubelet reports a static pod of the control plane", {"namespace": "web"}),
    "build pod by a workload": ("build controller starts a build", WORKLOAD),
    "build controller's token by hand": ("build controller starts a build", BY_HAND),
    "token for kube-system by a workload": ("pull secrets are minted for every account", WORKLOAD),
    "API server's account impersonates for something else": (
        "binding passed on in the administrator's name",
        {"resource": "secrets", "api_group": "", "name": "x", "verb": "get", "request_object": None},
    ),
    "impersonation by a person": ("binding passed on in the administrator's name", PERSON),
    "approval by a person": ("machine approver approves a kubelet", PERSON),
    "approver's token by hand": ("machine approver approves a kubelet", BY_HAND),
    "certificate in another node's name": (
        "OVN renews its certificate",
        {"request_object": request_for("system:ovn-node:worker-2", "system:ovn-nodes")},
    ),
    "certificate of another account": (
        "monitoring asks for Prometheus' client certificate",
        {"request_object": request_for(f"{SA}kube-system:default")},
    ),
    "certificate of the administrators' group": (
        "monitoring asks for Prometheus' client certificate",
        {"request_object": request_for(f"{SA}openshift-monitoring:prometheus-k8s", "system:masters")},
    ),
    "webhook elsewhere": (
        "network operator applies its loopback webhook",
        {"request_object": {"webhooks": [{"name": "n", "clientConfig": {"url": "https://203.0.113.9/node"}}]}},
    ),
    "webhook removed by a person": ("lifecycle manager removes a webhook", PERSON),
    "path that is no login": ("login page", {"request_uri": "/oauth/../api/v1/namespaces"}),
    "anonymous write of a build": ("code host calls a build webhook", {"subresource": ""}),
    "first administrator's secret by a person": (
        "authentication operator reads the first administrator's secret",
        PERSON,
    ),
}
"""What a thief would do with the names above: the record of the platform, and what is different."""


@pytest.mark.parametrize(("life", "change"), STOLEN.values(), ids=STOLEN)
def test_the_same_by_another_hand_or_elsewhere_is_loud(life: str, change: dict[str, Any]) -> None:
    assert loud(severities(LIFE[life] | change))


def test_an_operator_that_sweeps_through_projects_is_told() -> None:
    moved = [
        {
            "verb": "list",
            "resource": "secrets",
            "namespace": f"project-{number}",
            "username": f"{SA}openshift-kube-apiserver-operator:kube-apiserver-operator",
        }
        for number in range(5)
    ]
    assert "secret-namespace-sweep" in severities(*moved)
    assert "secret-namespace-sweep-by-hand" in severities(*[fields | BY_HAND for fields in moved])


def test_a_burst_of_an_operator_outside_its_part_is_loud() -> None:
    moved = [fields | {"namespace": "shop"} for fields in BURSTS["operator prunes old revisions"]]
    assert "mass-delete" in severities(*moved)
