"""The manifests on a real API server: accepted as written, and fit for the restricted Pod Security Standard."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

import riverwatch
from riverwatch import errors
from riverwatch.kube import client, connection

MANIFESTS = pathlib.Path(riverwatch.__file__).parents[2] / "manifests"

PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Service": "/api/v1/namespaces/{}/services",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}


@pytest.fixture(scope="module")
def admin(control_plane):
    one = client.Client(connection.from_kubeconfig(control_plane.admin_kubeconfig), timeout_s=20)
    yield one
    one.close()


def documents() -> list[dict[str, Any]]:
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    return [body for name in listed for body in yaml.safe_load_all((MANIFESTS / name).read_text())]


def apply(admin: client.Client, body: dict[str, Any]) -> dict[str, Any]:
    path = PATHS[body["kind"]].format(body["metadata"].get("namespace"))
    return admin.call(
        "PATCH",
        f"{path}/{body['metadata']['name']}",
        query={"fieldManager": "test", "force": "true", "fieldValidation": "Strict"},
        body=body,
        content_type="application/apply-patch+yaml",
    )


def test_everything_is_accepted_as_written(admin):
    for body in documents():
        assert apply(admin, body)["metadata"]["name"] == body["metadata"]["name"]


def test_pod_is_admitted_under_the_restricted_standard(admin):
    for body in documents():
        apply(admin, body)
    [deployment] = [body for body in documents() if body["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    path = "/api/v1/namespaces/riverwatch-system/pods"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": spec}

    assert admin.call("POST", path, query={"dryRun": "All"}, body=pod)["spec"]["serviceAccountName"] == "riverwatch"

    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(errors.ApiPermanentError, match="PodSecurity"):
        admin.call("POST", path, query={"dryRun": "All"}, body=pod)
