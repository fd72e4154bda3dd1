"""What SECURITY.md promises about the pod, its network and its rights holds for every manifest that is shipped."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

import riverwatch

ROOT = pathlib.Path(riverwatch.__file__).parents[2]
MANIFESTS = ROOT / "manifests"
SHIPPED = [
    body
    for path in sorted(MANIFESTS.rglob("*.yaml"))
    for body in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    if isinstance(body, dict)
]

VOLUMES = {"secret", "configMap", "projected", "emptyDir", "persistentVolumeClaim", "downwardAPI"}
"""Kinds of volumes in our pod; the restricted standard allows two more that we do not need."""

OPERATOR = "riverwatch"
"""Name of the operator's roles."""

HARMFUL_VERBS = {"*", "escalate", "bind", "impersonate", "approve", "sign", "deletecollection"}

OURS = "riverwatch.dev"

WRITABLE = {
    (OURS, "threatdetections"),
    (OURS, "detectionmodels"),
    ("", "events"),
    ("coordination.k8s.io", "leases"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
}
"""What the operator writes beside statuses of its own kinds."""


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [body for body in SHIPPED if body.get("kind") in kinds]


def pods() -> list[tuple[str, dict[str, Any]]]:
    return [(body["metadata"]["name"], body["spec"]["template"]["spec"]) for body in of_kind("Deployment", "DaemonSet")]


def containers() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name}/{one['name']}", one)
        for name, pod in pods()
        for one in [*pod.get("initContainers", []), *pod["containers"]]
    ]


def grants(name: str) -> list[tuple[str, str, str]]:
    return [
        (group, resource, verb)
        for role in of_kind("ClusterRole", "Role")
        if role["metadata"]["name"] == name
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def test_there_is_something_to_look_at():
    assert pods()
    assert containers()
    assert grants(OPERATOR)


@pytest.mark.parametrize(("name", "pod"), pods(), ids=[name for name, _ in pods()])
def test_pod_keeps_the_restricted_standard(name, pod):
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["runAsGroup"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostAliases"} & {key for key, value in pod.items() if value}
    assert {key for volume in pod["volumes"] for key in volume} - {"name"} <= VOLUMES


@pytest.mark.parametrize(("name", "one"), containers(), ids=[name for name, _ in containers()])
def test_container_can_do_nothing_to_its_node(name, one):
    context = one["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert not context.get("privileged")
    assert context.get("runAsNonRoot", True)
    assert not any("hostPort" in port for port in one.get("ports", ()))
    assert one["resources"]["limits"]["memory"]


@pytest.mark.parametrize(("name", "one"), containers(), ids=[name for name, _ in containers()])
def test_credentials_are_mounted_and_never_in_the_environment(name, one):
    """A variable is inherited by every process and shown by whoever may read the pod."""
    assert not [item for item in one.get("env", ()) if "secretKeyRef" in (item.get("valueFrom") or {})]
    assert not [item for item in one.get("envFrom", ()) if "secretRef" in item]


def test_image_runs_as_the_user_of_the_pod():
    [(_, pod)] = pods()
    said = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "operator" / "Dockerfile").read_text(), re.MULTILINE)
    assert said == [(str(pod["securityContext"]["runAsUser"]), str(pod["securityContext"]["runAsGroup"]))]


def test_namespace_enforces_the_restricted_standard():
    [namespace] = of_kind("Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_network_is_closed_but_for_what_is_named():
    policies = of_kind("NetworkPolicy")
    [policy] = [one["spec"] for one in policies if one["spec"]["podSelector"]["matchLabels"]]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    opened = [{port["port"] for port in rule["ports"]} for rule in policy["ingress"]]
    assert set().union(*opened) <= {"audit", "probes", "admission"}
    assert all(rule["from"] for rule in policy["ingress"] if {port["port"] for port in rule["ports"]} == {"probes"})
    assert all(rule["ports"] for rule in policy["egress"])
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {443, 6443, 53}


@pytest.mark.parametrize("role", of_kind("ClusterRole", "Role"), ids=lambda role: role["metadata"]["name"])
def test_no_role_reads_secrets_or_holds_a_wildcard(role):
    for rule in role["rules"]:
        assert not {"*", "secrets", "configmaps"} & {one.partition("/")[0] for one in rule["resources"]}
        assert not {"*"} & set(rule["apiGroups"])
        assert not HARMFUL_VERBS & set(rule["verbs"])
        assert not {"nonResourceURLs"} & set(rule)


def test_operator_changes_nothing_but_its_own():
    changes = {
        (group, resource.partition("/")[0] if resource.endswith("/status") and group == OURS else resource)
        for group, resource, verb in grants(OPERATOR)
        if verb not in ("get", "list", "watch")
    }
    others = {one for one in changes if one not in WRITABLE}
    assert all(group == OURS for group, _ in others)
    written = {
        resource
        for group, resource, verb in grants(OPERATOR)
        if group == OURS and verb not in ("get", "list", "watch") and "/" not in resource
    }
    assert written == {"threatdetections", "detectionmodels"}, "people alone write policies and rules"


def test_operator_only_announces():
    """It may say something new, and neither change nor remove what was said."""
    assert [verb for group, resource, verb in grants(OPERATOR) if (group, resource) == ("", "events")] == ["create"]


def test_leases_are_those_of_the_own_namespace():
    [role] = [one for one in of_kind("ClusterRole") if one["metadata"]["name"] == OPERATOR]
    assert "leases" not in {resource for rule in role["rules"] for resource in rule["resources"]}


def test_whoever_may_look_may_not_silence():
    assert {verb for _, _, verb in grants("riverwatch-view")} == {"get", "list", "watch"}


def test_silencing_is_given_by_nobody_but_an_administrator():
    [edit] = [one for one in of_kind("ClusterRole") if one["metadata"]["name"] == "riverwatch-edit"]
    assert not [label for label in edit["metadata"]["labels"] if "aggregate" in label]
    bound = [one["roleRef"]["name"] for one in of_kind("ClusterRoleBinding", "RoleBinding")]
    assert "riverwatch-edit" not in bound
