"""RBAC objects that grant what `model.Grant`s ask for.

Pure: grants in, Roles and bindings out. Called by `founding` and by happenings that onboard somebody.
"""

from __future__ import annotations

from collections.abc import Sequence

from riverwatch.lab.company import bodies, model, people

GROUP = "rbac.authorization.k8s.io"
"""API group of RBAC."""


def rule(grant: model.Grant) -> bodies.Body:
    """Write a grant as a policy rule."""
    if grant.paths:
        return {"verbs": list(grant.verbs), "nonResourceURLs": list(grant.paths)}
    found: bodies.Body = {"verbs": list(grant.verbs), "apiGroups": [grant.group], "resources": list(grant.resources)}
    if grant.names:
        found["resourceNames"] = list(grant.names)
    return found


def role(name: str, namespace: str, rules: Sequence[bodies.Body]) -> bodies.Body:
    """Give a Role, or a ClusterRole when no namespace is named."""
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": bodies.meta(name, namespace), "rules": list(rules)}


def binding(name: str, namespace: str, reference: tuple[str, str], subject: bodies.Body) -> bodies.Body:
    """Give a RoleBinding, or a ClusterRoleBinding when no namespace is named.

    Parameters
    ----------
    name
        Its name.
    namespace
        Where it holds; empty for everywhere.
    reference
        Kind and name of the role.
    subject
        Who gets it.
    """
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": bodies.meta(name, namespace),
        "roleRef": {"apiGroup": GROUP, "kind": reference[0], "name": reference[1]},
        "subjects": [subject],
    }


def account(namespace: str, name: str) -> bodies.Body:
    """Give a service account as a subject."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def of_account(namespace: str, name: str, grants: Sequence[model.Grant]) -> list[bodies.Body]:
    """Give all RBAC objects of one service account.

    Parameters
    ----------
    namespace
        The account's namespace.
    name
        The account.
    grants
        What it may do.
    """
    places: dict[str, list[bodies.Body]] = {}
    for grant in grants:
        if grant.paths or model.EVERYWHERE in grant.namespaces:
            places.setdefault("", []).append(rule(grant))
            continue
        for place in grant.namespaces or (namespace,):
            places.setdefault(place, []).append(rule(grant))
    found = []
    subject = account(namespace, name)
    for place, rules in places.items():
        found.append(role(name, place, rules))
        found.append(binding(name, place, ("Role" if place else "ClusterRole", name), subject))
    return found


def of_people() -> list[bodies.Body]:
    """Give the bindings of everybody with kubectl."""
    found: list[bodies.Body] = []
    for team, namespaces in people.TEAM_NAMESPACES.items():
        subject: bodies.Body = {"kind": "Group", "name": team, "apiGroup": GROUP}
        found += [binding(f"{team}-edit", namespace, ("ClusterRole", "edit"), subject) for namespace in namespaces]
        found.append(binding(f"{team}-overview", "", ("ClusterRole", "cluster-overview"), subject))
    overview = [
        rule(model.Grant(model.READ, ("namespaces", "nodes"))),
        rule(model.Grant(model.READ, ("storageclasses",), "storage.k8s.io")),
    ]
    debug = [
        rule(
            model.Grant(
                model.READ,
                (
                    "pods",
                    "services",
                    "endpoints",
                    "configmaps",
                    "events",
                    "nodes",
                    "namespaces",
                    "persistentvolumeclaims",
                ),
            )
        ),
        rule(model.Grant(("get",), ("pods/log",))),
        rule(model.Grant(("get", "create"), ("pods/exec", "pods/portforward", "pods/attach", "nodes/proxy"))),
        rule(model.Grant(("update", "patch"), ("pods/ephemeralcontainers",))),
        rule(model.Grant(("delete",), ("pods",))),
        rule(
            model.Grant(
                (*model.READ, "patch"),
                ("deployments", "replicasets", "daemonsets", "statefulsets", "deployments/scale"),
                "apps",
            )
        ),
        rule(model.Grant(model.READ, ("jobs", "cronjobs"), "batch")),
        rule(model.Grant(model.READ, ("ingresses", "networkpolicies"), "networking.k8s.io")),
    ]
    helpers = [
        rule(model.Grant(("impersonate",), ("users", "groups", "serviceaccounts"))),
        rule(model.Grant(("get", "list"), ("namespaces", "pods"))),
    ]
    found += [
        role("cluster-overview", "", overview),
        role("oncall-debug", "", debug),
        role("support-impersonator", "", helpers),
        binding(
            "oncall-debug", "", ("ClusterRole", "oncall-debug"), {"kind": "Group", "name": "oncall", "apiGroup": GROUP}
        ),
        binding(
            "support-impersonator",
            "",
            ("ClusterRole", "support-impersonator"),
            {"kind": "Group", "name": "support", "apiGroup": GROUP},
        ),
        binding(
            "platform-admins",
            "",
            ("ClusterRole", "cluster-admin"),
            {"kind": "Group", "name": "platform", "apiGroup": GROUP},
        ),
    ]
    return found
