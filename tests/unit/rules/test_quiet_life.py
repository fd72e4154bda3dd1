"""Quiet by default: what controllers, kubelets, add-ons, deployment tools and people do all day raises little or
nothing.

And the other side of each exclusion: a name that merely looks like one of theirs is not excluded.
"""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import vocabulary
from riverwatch.activity import sample
from riverwatch.rules import engine, loading

RULES = loading.load_catalog()

SA = "system:serviceaccount:"
NODES = ("system:nodes", "system:authenticated")
CRB = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "Group", "name": "team"}]}
PRIVILEGED = {
    "spec": {
        "hostNetwork": True,
        "containers": [{"name": "c", "securityContext": {"privileged": True}}],
        "volumes": [{"name": "h", "hostPath": {"path": "/var/run/docker.sock"}}],
    }
}
TEMPLATE = {"metadata": {"name": "agent"}, "spec": {"template": PRIVILEGED}}
TOKEN = {"spec": {"expirationSeconds": 3607, "boundObjectRef": {"kind": "Pod", "name": "front-1"}}}
KUBELET = "kubelet/v1.36.3 (linux/amd64) kubernetes/abc1234"

SILENT: dict[str, dict[str, Any]] = {
    "kubelet mints a token for a pod": {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "name": "coredns",
        "namespace": "kube-system",
        "code": 201,
        "username": "system:node:n1",
        "groups": NODES,
        "user_agent": KUBELET,
        "request_object": TOKEN,
    },
    "EKS approves a kubelet's serving certificate": {
        "verb": "update",
        "resource": "certificatesigningrequests",
        "subresource": "approval",
        "api_group": "certificates.k8s.io",
        "namespace": "",
        "name": "csr-8h2vq",
        "username": "eks:certificate-controller",
        "user_agent": "amazon-eks-certificates-controller/v1.31 (linux/amd64) kubernetes/abc1234",
    },
    "kubelet reads a secret": {
        "resource": "secrets",
        "name": "tls",
        "username": "system:node:n1",
        "groups": NODES,
        "user_agent": KUBELET,
    },
    "kubelet makes a mirror pod": {
        "verb": "create",
        "namespace": "kube-system",
        "name": "etcd-n1",
        "username": "system:node:n1",
        "groups": NODES,
        "code": 201,
        "user_agent": KUBELET,
        "request_object": {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, **PRIVILEGED},
    },
    "kubelet updates its lease": {
        "verb": "update",
        "resource": "leases",
        "namespace": "kube-node-lease",
        "name": "n1",
        "username": "system:node:n1",
        "groups": NODES,
    },
    "kubelet asks for its certificate": {
        "verb": "create",
        "resource": "certificatesigningrequests",
        "namespace": "",
        "username": "system:node:n1",
        "groups": NODES,
        "code": 201,
        "request_object": {"spec": {"signerName": "kubernetes.io/kubelet-serving", "usages": ["server auth"]}},
    },
    "daemon-set controller makes a privileged pod": {
        "verb": "create",
        "namespace": "kube-system",
        "username": f"{SA}kube-system:daemon-set-controller",
        "code": 201,
        "request_object": PRIVILEGED,
    },
    "controller manager without own accounts makes a pod": {
        "verb": "create",
        "username": "system:kube-controller-manager",
        "code": 201,
        "request_object": PRIVILEGED,
    },
    "namespace controller empties a namespace": {
        "verb": "deletecollection",
        "resource": "events",
        "username": f"{SA}kube-system:namespace-controller",
    },
    "garbage collector lists all secrets": {
        "verb": "list",
        "resource": "secrets",
        "namespace": "",
        "username": f"{SA}kube-system:generic-garbage-collector",
    },
    "aggregation controller updates admin": {
        "verb": "patch",
        "resource": "clusterroles",
        "namespace": "",
        "name": "admin",
        "username": f"{SA}kube-system:clusterrole-aggregation-controller",
    },
    "service account controller makes the default account": {
        "verb": "create",
        "resource": "serviceaccounts",
        "namespace": "kube-public",
        "name": "default",
        "code": 201,
        "username": f"{SA}kube-system:service-account-controller",
    },
    "API server restores its roles": {
        "verb": "update",
        "resource": "clusterroles",
        "namespace": "",
        "name": "system:node",
        "username": "system:apiserver",
        "groups": ("system:masters",),
    },
    "health probe": {
        "resource": "",
        "namespace": "",
        "username": "system:anonymous",
        "groups": ("system:unauthenticated",),
        "request_uri": "/livez",
        "user_agent": "kube-probe/1.36",
    },
    "load balancer asks for the version": {
        "resource": "",
        "namespace": "",
        "username": "system:anonymous",
        "groups": ("system:unauthenticated",),
        "request_uri": "/version",
    },
    "scanner is refused once": {
        "resource": "",
        "namespace": "",
        "username": "system:anonymous",
        "groups": ("system:unauthenticated",),
        "code": 403,
        "request_uri": "/api/v1/secrets",
    },
    "Prometheus scrapes kubelets": {
        "resource": "nodes",
        "subresource": "proxy",
        "name": "n1",
        "namespace": "",
        "username": f"{SA}monitoring:prometheus",
        "request_uri": "/api/v1/nodes/n1/proxy/metrics/cadvisor",
        "user_agent": "Prometheus/2.55",
    },
    "Argo CD applies a Deployment": {
        "verb": "patch",
        "resource": "deployments",
        "api_group": "apps",
        "name": "front",
        "username": f"{SA}argocd:argocd-application-controller",
        "request_object": {"spec": {"replicas": 3}},
    },
    "Flux asks by dry run": {
        "verb": "patch",
        "resource": "clusterrolebindings",
        "namespace": "",
        "name": "ops",
        "request_uri": "/x?dryRun=All",
        "username": f"{SA}flux-system:kustomize-controller",
        "request_object": {**CRB, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}},
    },
    "helm reads its releases": {
        "verb": "list",
        "resource": "secrets",
        "namespace": "",
        "request_uri": "/api/v1/secrets?labelSelector=owner%3Dhelm",
    },
    "certificate manager reads a secret": {
        "resource": "secrets",
        "name": "front-tls",
        "username": f"{SA}cert-manager:cert-manager",
        "user_agent": "cert-manager/1.16",
    },
    "CA injector patches a webhook": {
        "verb": "patch",
        "resource": "validatingwebhookconfigurations",
        "namespace": "",
        "name": "cert-manager-webhook",
        "username": f"{SA}cert-manager:cert-manager-cainjector",
        "request_object": {"webhooks": [{"name": "w", "clientConfig": {"caBundle": "eA=="}}]},
    },
    "ingress controller watches secrets": {
        "verb": "watch",
        "resource": "secrets",
        "namespace": "",
        "username": f"{SA}ingress-nginx:ingress-nginx",
    },
    "secret manager mints a token for a workload": {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "name": "front",
        "code": 201,
        "username": f"{SA}vault:vault-secrets-operator",
        "user_agent": "vault-secrets-operator/0.9",
    },
    "CI runner attaches to its own pod": {
        "verb": "create",
        "subresource": "attach",
        "namespace": "runners",
        "name": "runner-1",
        "code": 101,
        "username": f"{SA}runners:manager",
        "user_agent": "gitlab-runner 17.5.0",
    },
    "leader election": {"verb": "update", "resource": "leases", "name": "lock", "username": f"{SA}web:front"},
    "operator asks what it may do": {
        "verb": "create",
        "resource": "selfsubjectaccessreviews",
        "namespace": "",
        "username": f"{SA}web:operator",
        "code": 201,
    },
    "scheduler binds a pod": {
        "verb": "create",
        "subresource": "binding",
        "name": "front-1",
        "username": "system:kube-scheduler",
        "code": 201,
    },
    "person looks around": {"verb": "list", "resource": "pods"},
    "person deploys": {
        "verb": "create",
        "resource": "deployments",
        "api_group": "apps",
        "name": "front",
        "code": 201,
        "request_object": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx"}]}}}},
    },
    "person scales": {"verb": "patch", "resource": "deployments", "subresource": "scale", "name": "front"},
    "person reads logs": {"subresource": "log", "name": "front-1"},
    "application writes its ConfigMap": {
        "verb": "update",
        "resource": "configmaps",
        "name": "state",
        "username": f"{SA}web:front",
        "request_object": {"data": {"a": "1"}},
    },
}
"""Routine that must raise nothing at all."""

AT_MOST_LOW: dict[str, dict[str, Any]] = {
    "deployment tool installs a network add-on": {
        "verb": "create",
        "resource": "daemonsets",
        "api_group": "apps",
        "namespace": "kube-system",
        "name": "cni",
        "code": 201,
        "username": f"{SA}argocd:argocd-application-controller",
        "request_object": TEMPLATE,
    },
    "deployment tool applies a binding": {
        "verb": "create",
        "resource": "clusterrolebindings",
        "namespace": "",
        "name": "team",
        "code": 201,
        "username": f"{SA}flux-system:kustomize-controller",
        "request_object": CRB,
    },
    "deployment tool installs an add-on's account": {
        "verb": "create",
        "resource": "serviceaccounts",
        "namespace": "kube-system",
        "name": "cni",
        "code": 201,
        "username": f"{SA}argocd:argocd-application-controller",
    },
    "deployment tool installs an admission webhook": {
        "verb": "create",
        "resource": "validatingwebhookconfigurations",
        "namespace": "",
        "name": "policy",
        "code": 201,
        "username": f"{SA}argocd:argocd-application-controller",
        "request_object": {"webhooks": [{"clientConfig": {"service": {"namespace": "policy", "name": "webhook"}}}]},
    },
    "certificate manager starts": {
        "verb": "list",
        "resource": "secrets",
        "namespace": "",
        "username": f"{SA}cert-manager:cert-manager",
        "user_agent": "cert-manager/1.16",
        "request_uri": "/api/v1/secrets?limit=500&resourceVersion=0",
    },
    "person opens a shell in an own pod": {
        "subresource": "exec",
        "name": "front-1",
        "code": 101,
        "request_uri": "/x?command=sh&container=app&tty=true",
    },
    "person forwards a port": {"verb": "create", "subresource": "portforward", "name": "db-0", "code": 101},
    "person makes a service account": {"verb": "create", "resource": "serviceaccounts", "name": "front", "code": 201},
    "person makes a token": {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "name": "front",
        "code": 201,
    },
    "person is refused": {"verb": "list", "resource": "nodes", "namespace": "", "code": 403},
    "person removes a network policy": {"verb": "delete", "resource": "networkpolicies", "name": "old"},
}
"""Legitimate work that may raise at most a Low finding."""


def severities(fields: dict[str, Any]) -> dict[str, vocabulary.Severity]:
    judge = engine.RuleEngine(RULES)
    if "username" in fields:
        fields = {"user_agent": "client/v1.36.3", **fields}
    found = {
        hit.card.id: hit.card.severity
        for hit in judge.match(sample.activity_of(sample.audit_record(**fields)))
        if hit.card.raises
    }
    assert not judge.faults
    return found


@pytest.mark.parametrize("fields", SILENT.values(), ids=SILENT)
def test_routine_raises_nothing(fields: dict[str, Any]) -> None:
    assert severities(fields) == {}


@pytest.mark.parametrize("fields", AT_MOST_LOW.values(), ids=AT_MOST_LOW)
def test_legitimate_work_is_at_most_low(fields: dict[str, Any]) -> None:
    assert all(severity.rank <= vocabulary.Severity.LOW.rank for severity in severities(fields).values())


IMPOSTORS = {
    "node name without the group of nodes": {"username": "system:node:n1", "groups": ("system:authenticated",)},
    "controller's name in another namespace": {"username": f"{SA}web:daemon-set-controller"},
    "longer than a controller's name": {"username": f"{SA}kube-system:daemon-set-controller-x"},
    "longer than a control-plane name": {"username": "system:kube-controller-manager-x"},
    "other letters": {"username": "System:Kube-Controller-Manager"},
    "cloud provider's prefix": {"username": "eks:node-manager"},
    "group of masters": {"username": "mallory", "groups": ("system:masters",)},
}
"""Names that an attacker may choose and that no exclusion may cover."""


@pytest.mark.parametrize("who", IMPOSTORS.values(), ids=IMPOSTORS)
def test_an_impostor_is_not_excluded(who: dict[str, Any]) -> None:
    pod = {"verb": "create", "namespace": "kube-system", "name": "x", "code": 201, "request_object": PRIVILEGED}
    assert "naked-pod-owns-node" in severities(pod | who)
    token = {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "namespace": "kube-system",
        "name": "coredns",
        "code": 201,
    }
    assert "token-minted-for-system-account" in severities(token | who)
    assert "k8s-events-deleted" in severities({"verb": "delete", "resource": "events", "name": "x"} | who)
