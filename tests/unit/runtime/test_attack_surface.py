"""Who holds dangerous rights, who can reach them, and what is open to everybody."""

from __future__ import annotations

import pytest

from riverwatch.runtime import attack_surface, dangerous_rights

RBAC = "rbac.authorization.k8s.io"


def role(name: str, *rules: dict, namespace: str = "") -> dict:
    kind = "Role" if namespace else "ClusterRole"
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": list(rules)}


def rule(resources: str, verbs: str, group: str = "", **more) -> dict:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **more}


def binding(name: str, role_of: dict, *subjects: dict, namespace: str = "", default: bool = False) -> dict:
    labels = {attack_surface.DEFAULTS_LABEL: "rbac-defaults"} if default else {}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "roleRef": {"kind": role_of["kind"], "name": role_of["metadata"]["name"]},
        "subjects": list(subjects),
    }


def account(name: str, namespace: str = "web") -> dict:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def person(name: str) -> dict:
    return {"kind": "User", "name": name}


def pod(name: str, *, runs_as: str = "default", namespace: str = "web", phase: str = "Running", **spec) -> dict:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"serviceAccountName": runs_as, **spec},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("rules", "rights"),
    [
        pytest.param([rule("*", "*", "*")], ("everything",), id="wildcard of all three"),
        pytest.param([rule("secrets", "get")], ("read-secrets",), id="one verb"),
        pytest.param([rule("secrets", "get", resourceNames=["tls"])], (), id="one named object"),
        pytest.param([rule("configmaps", "get list")], (), id="harmless"),
        pytest.param([rule("pods/exec", "create")], ("enter-pods",), id="subresource"),
        pytest.param([rule("*/exec", "create")], ("enter-pods",), id="any resource's subresource"),
        pytest.param([rule("pods", "get list")], (), id="reading pods is not starting them"),
        pytest.param([rule("secrets", "get", "example.com")], (), id="another group's secrets"),
        pytest.param([rule("clusterroles", "escalate", RBAC)], ("escalate",), id="escalate"),
        pytest.param([rule("users", "impersonate")], ("impersonate",), id="impersonate"),
        pytest.param([rule("nodes/proxy", "get")], ("nodes-proxy",), id="kubelet"),
        pytest.param([rule("cronjobs", "create", "batch")], ("write-workloads",), id="workload of a group"),
        pytest.param([{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}], (), id="paths"),
    ],
)
def test_rules_give_rights(rules, rights):
    assert dangerous_rights.of_rules(rules, namespaced=False) == rights


def test_right_over_nodes_means_nothing_in_a_namespace():
    assert dangerous_rights.of_rules([rule("nodes/proxy", "get")], namespaced=True) == ()


def test_most_dangerous_comes_first_and_says_why():
    admin, reader = role("admin", rule("*", "*", "*")), role("reader", rule("secrets", "get"))
    found = attack_surface.survey(
        [
            reader,
            admin,
            binding("r", reader, account("front"), namespace="web"),
            binding("all", reader, account("backup", "ops")),
            binding("a", admin, person("ana")),
        ]
    )

    assert [one.label for one in found.identities] == [
        "User ana",
        "ServiceAccount ops/backup",
        "ServiceAccount web/front",
    ]
    assert [one.severity for one in found.identities] == ["Critical", "High", "Medium"]
    [wide], [narrow] = found.identities[1].grants, found.identities[2].grants
    assert (wide.namespaces, wide.bindings) == ((), ("ClusterRoleBinding all",))
    assert (narrow.namespaces, narrow.bindings) == (("web",), ("RoleBinding web/r",))


def test_binding_to_everybody_is_told_and_weighs_more():
    reader = role("reader", rule("secrets", "list"))
    found = attack_surface.survey(
        [reader, binding("open", reader, person("system:anonymous")), binding("one", reader, person("bob"))]
    )

    [opened] = found.open_bindings
    assert (opened.subject, opened.rights, opened.default) == ("system:anonymous", ("read-secrets",), False)
    assert found.identities[0].name == "system:anonymous"
    assert found.identities[0].danger > found.identities[1].danger


def test_bindings_of_kubernetes_itself_are_left_out_unless_asked_for():
    admin = role("cluster-admin", rule("*", "*", "*"))
    objects = [admin, binding("cluster-admin", admin, {"kind": "Group", "name": "system:masters"}, default=True)]

    assert attack_surface.survey(objects).identities == ()
    assert [one.name for one in attack_surface.survey(objects, defaults=True).identities] == ["system:masters"]


def test_account_is_reached_by_who_may_start_pods_beside_it():
    reader, starter = role("reader", rule("secrets", "get")), role("starter", rule("pods", "create"))
    objects = [
        reader,
        starter,
        binding("r", reader, account("front")),
        binding("s", starter, person("dev"), namespace="web"),
        binding("elsewhere", starter, person("other"), namespace="shop"),
    ]
    [front] = [one for one in attack_surface.survey(objects).identities if one.name == "front"]

    assert front.reached_by == ("User dev (start-pods)",)


@pytest.mark.parametrize(
    ("bodies", "pods"),
    [
        pytest.param([pod("a", runs_as="front")], 1, id="mounted by default"),
        pytest.param([pod("a", runs_as="front", automountServiceAccountToken=False)], 0, id="the pod says no"),
        pytest.param([pod("a", runs_as="front", phase="Succeeded")], 0, id="ended"),
        pytest.param([pod("a", runs_as="front"), pod("b", runs_as="front", namespace="shop")], 1, id="namesake"),
        pytest.param(
            [
                pod("a", runs_as="front"),
                {
                    "kind": "ServiceAccount",
                    "metadata": {"name": "front", "namespace": "web"},
                    "automountServiceAccountToken": False,
                },
            ],
            0,
            id="the account says no",
        ),
    ],
)
def test_pods_that_hold_the_token_are_counted(bodies, pods):
    reader = role("reader", rule("secrets", "get"))
    [front] = attack_surface.survey([reader, binding("r", reader, account("front")), *bodies]).identities

    assert front.pods == pods


def test_user_name_of_an_account_is_that_account():
    reader = role("reader", rule("secrets", "get"))
    [found] = attack_surface.survey(
        [reader, binding("r", reader, person("system:serviceaccount:web:front"))]
    ).identities

    assert found.label == "ServiceAccount web/front"


def test_binding_to_a_role_that_is_missing_gives_nothing_but_cluster_admin_is_known():
    gone, admin = role("gone"), role("cluster-admin")
    found = attack_surface.survey([binding("g", gone, person("a")), binding("c", admin, person("b"))])

    assert [one.name for one in found.identities] == ["b"]
