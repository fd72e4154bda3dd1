"""``riverwatch surface`` on a real cluster: rights are read from the API server, blind spots from its audit log."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources


def surface(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "riverwatch", "surface", *map(str, arguments), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dangerous_rights_of_a_real_cluster_are_found(control_plane):
    admin = kube_client.Client(connection.from_kubeconfig(control_plane.admin_kubeconfig), timeout_s=20)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "surfaced"}}
    admin.apply(resources.NAMESPACES, body)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": "surfaced"}}
    admin.apply(resources.SERVICE_ACCOUNTS, account)
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "surfaced-ci"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": "surfaced"}],
    }
    admin.apply(resources.CLUSTER_ROLE_BINDINGS, binding)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "runner", "namespace": "surfaced"},
        "spec": {"serviceAccountName": "ci", "containers": [{"name": "app", "image": "app"}]},
    }
    admin.create(resources.PODS, pod)

    whole = surface(control_plane.audit_log, "--kubeconfig", control_plane.admin_kubeconfig)

    worst = whole["surface"]["identities"][0]
    assert (worst["kind"], worst["namespace"], worst["name"]) == ("ServiceAccount", "surfaced", "ci")
    assert (worst["severity"], worst["pods"], worst["grants"][0]["right"]) == ("Critical", 1, "everything")
    default = surface("--kubeconfig", control_plane.admin_kubeconfig, "--defaults")["surface"]
    assert "system:masters" in {one["name"] for one in default["identities"]}
    # The shipped audit policy keeps the bodies of config maps out on purpose; else it leaves no rule blind.
    blind = [one["rule"] for one in whole["coverage"]["rules"] if one["sight"] in ("level_too_low", "not_recorded")]
    assert blind == ["credentials-in-configmap"]
    seen = {(name, access): level for name, access, level, _ in whole["coverage"]["policy"]}
    assert seen["rbac.authorization.k8s.io/clusterrolebindings", "write"] == "RequestResponse"
    assert seen["pods", "write"] == "RequestResponse"
