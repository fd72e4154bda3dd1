"""People with kubectl, and pipelines that deploy from outside the cluster.

Data only. Read by `founding` (certificates, bindings, tokens) and by `life.people` and `life.delivery`.
"""

from __future__ import annotations

from riverwatch.lab.attacks import base
from riverwatch.lab.company import model

MAC = "kubectl/v1.36.1 (darwin/arm64) kubernetes/3f1f3c5"
"""kubectl on a laptop."""

LINUX = "kubectl/v1.35.4 (linux/amd64) kubernetes/1d2b4e8"
"""kubectl on a workstation or jump host."""

WINDOWS = "kubectl/v1.36.0 (windows/amd64) kubernetes/af3d812"
"""kubectl on a desktop."""

K9S = "k9s/v0.50.9 (darwin/arm64) kubernetes/$Format"
"""A terminal front end."""

PEOPLE = (
    model.Person(
        "ingrid.moen",
        "team-shop",
        ("storefront", "basket", "proving", "sandbox"),
        "10.60.4.21",
        MAC,
        base.Part.DEVELOPER,
    ),
    model.Person(
        "tariq.aziz",
        "team-shop",
        ("storefront", "basket", "proving", "sandbox"),
        "10.60.4.33",
        MAC,
        base.Part.DEVELOPER,
        1.4,
    ),
    model.Person(
        "solveig.berg", "team-shop", ("basket", "giveback", "sandbox"), "10.60.4.57", WINDOWS, base.Part.DEVELOPER, 0.6
    ),
    model.Person(
        "mateusz.wrona", "team-money", ("cashbook", "loyalty", "proving"), "10.60.5.12", LINUX, base.Part.DEVELOPER
    ),
    model.Person(
        "priya.raman",
        "team-money",
        ("cashbook", "loyalty", "tariffs", "sandbox"),
        "10.60.5.40",
        MAC,
        base.Part.DEVELOPER,
        1.2,
    ),
    model.Person(
        "yuki.tanabe", "team-search", ("findit", "proving", "sandbox"), "10.60.6.18", MAC, base.Part.DEVELOPER, 0.9
    ),
    model.Person("camille.roy", "team-search", ("findit", "giveback"), "10.60.6.29", K9S, base.Part.DEVELOPER, 0.5),
    model.Person("dragana.ilic", "team-data", ("dataworks", "sandbox"), "10.60.7.14", LINUX, base.Part.DEVELOPER, 1.3),
    model.Person("henrik.lund", "team-data", ("dataworks", "fulfilment"), "10.60.7.71", MAC, base.Part.DEVELOPER, 0.7),
    model.Person("oluwaseun.ade", "oncall", (), "10.60.9.10", MAC, base.Part.ONCALL, 0.8),
    model.Person("noor.haddad", "oncall", (), "10.60.9.14", LINUX, base.Part.ONCALL, 0.6),
    model.Person("bastien.morel", "platform", (), "10.60.9.30", MAC, base.Part.ADMIN, 0.7),
    model.Person("support-desk", "support", (), "10.60.8.5", LINUX, base.Part.SUPPORT, 0.5),
)
"""Everybody; on-call and platform people work everywhere."""

TEAM_NAMESPACES = {
    "team-shop": ("storefront", "basket", "giveback", "proving", "sandbox"),
    "team-money": ("cashbook", "loyalty", "tariffs", "proving", "sandbox"),
    "team-search": ("findit", "giveback", "proving", "sandbox"),
    "team-data": ("dataworks", "fulfilment", "sandbox"),
}
"""Namespaces in which a team's members hold the built-in ClusterRole `edit`."""

DEPLOY = (
    model.Grant(
        (*model.READ, *model.WRITE, "deletecollection"),
        ("deployments", "statefulsets", "daemonsets", "deployments/scale"),
        "apps",
    ),
    model.Grant(model.READ, ("replicasets",), "apps"),
    model.Grant(
        (*model.READ, *model.WRITE), ("services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims")
    ),
    model.Grant((*model.READ, "delete"), ("pods",)),
    model.Grant(model.READ, ("events",)),
    model.Grant(("get",), ("pods/log",)),
    model.Grant(("get", "create"), ("pods/exec", "pods/portforward")),
    model.Grant((*model.READ, *model.WRITE), ("cronjobs", "jobs"), "batch"),
    model.Grant((*model.READ, *model.WRITE), ("ingresses", "networkpolicies"), "networking.k8s.io"),
    model.Grant((*model.READ, *model.WRITE), ("roles", "rolebindings"), "rbac.authorization.k8s.io"),
    model.Grant((*model.READ, *model.WRITE), ("poddisruptionbudgets",), "policy"),
)
"""What deploying with Helm takes, and a little more, as pipelines have it."""

HELM = "Helm/3.19.2"
"""User agent of Helm's own client."""


def _pipeline(account: str, network: str, *namespaces: str) -> model.Pipeline:
    grants = tuple(model.Grant(grant.verbs, grant.resources, grant.group, namespaces=namespaces) for grant in DEPLOY)
    return model.Pipeline("gitlab-runners", account, HELM, network, base.Part.CI, namespaces, grants)


PIPELINES = (
    _pipeline("deploy-shop", "172.28.10", "storefront", "basket", "giveback", "proving"),
    _pipeline("deploy-money", "172.28.10", "cashbook", "loyalty", "tariffs", "proving"),
    _pipeline("deploy-data", "172.28.11", "dataworks", "fulfilment", "findit"),
)
"""Deployment accounts used by build machines outside the cluster."""

NEW_CI_NETWORK = "172.31.96"
"""Where build machines come from after they moved."""

NEW_CI_AGENT = "Helm/4.0.1"
"""Their Helm after the move."""
