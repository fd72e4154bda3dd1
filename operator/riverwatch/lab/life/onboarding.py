"""Happenings around coming and going: a new service, a new team, a new operator, a release that is removed.

In: `odd.Given`. Out: acts. Newcomers act from then on; their first day is labelled. Called by `happenings`.
"""

from __future__ import annotations

from collections.abc import Sequence

from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.company import bodies, founding, grants, model, people, rights, teams
from riverwatch.lab.life import acts, apps, delivery, odd, rhythm

NEW_DAY_S = world.DAY_S
"""How long a newcomer is labelled as new, in seconds."""

ADMIN = next(person for person in people.PEOPLE if person.part is base.Part.ADMIN)
"""Who sets up namespaces and operators."""

NEW_NAMESPACE = "subscriptions"
"""The namespace that is added."""

NEW_SPACE_PIPELINE = people.PIPELINES[0]
"""Who deploys into it."""


def app(given: odd.Given) -> list[acts.Act]:
    """Deploy a new service by GitOps."""
    workload = _service("storefront", "gift-finder", teams.OKHTTP, "flags", "secret")
    given.company.know_workload(workload)
    install = _install(workload, manager="argocd", field_manager="argocd-controller")
    return [given.act(0, delivery.GITOPS, install), *_newcomer(given, workload, after_s=180.0)]


def namespace(given: odd.Given) -> list[acts.Act]:
    """Set up a namespace for a team, and deploy its first services."""
    workloads = (
        _service(NEW_NAMESPACE, "plans", teams.PYTHON, "flags", "secret"),
        _service(NEW_NAMESPACE, "renewals", teams.FABRIC8, "jobs", "secret"),
    )
    for workload in workloads:
        given.company.know_workload(workload)
    grants = [
        model.Grant(grant.verbs, grant.resources, grant.group, namespaces=(NEW_NAMESPACE,)) for grant in people.DEPLOY
    ]
    pipeline = NEW_SPACE_PIPELINE
    created = [
        bodies.namespace(NEW_NAMESPACE, "team-shop"),
        bodies.network_policy(NEW_NAMESPACE),
        rights.binding(
            "team-shop-edit",
            NEW_NAMESPACE,
            ("ClusterRole", "edit"),
            {"kind": "Group", "name": "team-shop", "apiGroup": rights.GROUP},
        ),
        *rights.of_account(pipeline.namespace, pipeline.account, grants),
    ]
    found = [given.act(0, ADMIN.username, _create(created, pause_s=8.0))]
    for number, workload in enumerate(workloads):
        found.append(
            given.act(
                900 + 600 * number, pipeline.username, _install(workload, manager=bodies.HELM, field_manager="helm")
            )
        )
        found += _newcomer(given, workload, after_s=1200.0 + 600 * number)
    return found


def operator(given: odd.Given) -> list[acts.Act]:
    """Install an operator: its kinds, its rights, its webhook, itself; then it starts working."""
    group, place, name = "rabbitmq.com", "messaging", "rabbitmq-operator"
    kinds = [
        (group, "v1beta1", "rabbitmqclusters", "RabbitmqCluster"),
        (group, "v1beta1", "queues", "Queue"),
        (group, "v1beta1", "exchanges", "Exchange"),
    ]
    rules = (
        model.Grant(
            (*model.READ, *model.WRITE),
            ("secrets", "services", "configmaps", "serviceaccounts"),
            namespaces=grants.ALL,
        ),
        model.Grant((*model.READ, *model.WRITE), ("statefulsets",), "apps", namespaces=grants.ALL),
        model.Grant((*model.READ, *model.WRITE), ("roles", "rolebindings"), rights.GROUP, namespaces=grants.ALL),
        model.Grant(("*",), ("*",), group, namespaces=grants.ALL),
        model.Grant((*model.READ, "create"), ("pods", "pods/exec"), namespaces=grants.ALL),
        teams.LEASES,
    )
    workload = model.Workload(
        place,
        name,
        account=name,
        agent="cluster-operator/2.17.0 (linux/amd64) kubernetes/$Format",
        image="rabbitmqoperator/cluster-operator:2.17.0",
        habits=("leader",),
        grants=rules,
    )
    given.company.know_workload(workload)
    created = [
        *(bodies.custom_kind(*kind) for kind in kinds),
        bodies.namespace(place, "platform"),
        bodies.service_account(name, place),
        *rights.of_account(place, name, rules),
        bodies.service(workload),
        _webhook(group, place, name),
        bodies.deployment(workload, managed_by="kubectl"),
    ]
    found = [given.act(0, ADMIN.username, _create(created, pause_s=1.5))]
    begin = rhythm.Span(given.start_s + 240.0, given.span.end_s)
    watched = ("secrets", "services", "configmaps", "statefulsets", "serviceaccounts", "roles")
    rng = rhythm.seeded(given.seed, name)
    everyday = [
        acts.Act(
            time_s,
            workload.username,
            acts.calls(acts.listing(rng.choice(watched), limit=500), acts.watch(rng, rng.choice(watched))),
        )
        for time_s in rhythm.every(rng, begin, 2400.0)
    ]
    return found + given.labelled(everyday, lasts_s=NEW_DAY_S)


def uninstall(given: odd.Given) -> list[acts.Act]:
    """Uninstall a release with Helm."""
    workload = next(one for one in teams.WORKLOADS if (one.namespace, one.name) == ("proving", "bookkeeper"))
    pipeline = next(one for one in people.PIPELINES if "proving" in one.namespaces)
    space, name = workload.namespace, workload.name
    stored = f"sh.helm.release.v1.{name}.v1"
    removed = [
        acts.Call("GET", "/version"),
        acts.listing("secrets", space, labelSelector=f"name={name},owner=helm"),
        acts.get("secrets", space, stored),
        acts.delete("services", space, name, propagationPolicy="Background"),
        acts.delete("deployments", space, name, propagationPolicy="Background", settles=True),
        acts.delete("rolebindings", space, name, propagationPolicy="Background"),
        acts.delete("roles", space, name, propagationPolicy="Background"),
        acts.delete("configmaps", space, f"{name}-config", propagationPolicy="Background"),
        acts.delete("secrets", space, f"{name}-credentials", propagationPolicy="Background"),
        acts.delete("serviceaccounts", space, name, propagationPolicy="Background"),
        acts.delete("secrets", space, stored, after_s=1.0),
    ]
    return [given.act(0, pipeline.username, acts.calls(*removed))]


def _service(space: str, name: str, agent: str, *habits: str) -> model.Workload:
    """Write down a new service with modest rights."""
    grants = [
        model.Grant(("get",), ("secrets",), names=(f"{name}-credentials",)),
        model.Grant(("get", "watch"), ("configmaps",), names=(f"{name}-config",)),
    ]
    if "jobs" in habits:
        grants += teams.JOBS
    return model.Workload(
        space,
        name,
        account=name,
        agent=agent,
        image=f"{model.REGISTRY}/{space}/{name}:1.0.0",
        habits=habits,
        grants=tuple(grants),
        secrets=(f"{name}-credentials",),
        configmaps=(f"{name}-config",),
    )


def _install(workload: model.Workload, *, manager: str, field_manager: str) -> acts.Writer:
    """Install a service for the first time."""
    rng = rhythm.seeded(0, workload.username)
    found: list[bodies.Body] = [
        bodies.service_account(workload.account, workload.namespace),
        *rights.of_account(workload.namespace, workload.account, workload.grants),
        *(bodies.credentials(rng, name, workload.namespace) for name in workload.secrets),
        *(bodies.config_map(name, workload.namespace, {"level": "info"}) for name in workload.configmaps),
        bodies.service(workload),
        bodies.deployment(workload, managed_by=manager),
    ]
    return _create(found, pause_s=0.4, field_manager=field_manager)


def _create(
    created: Sequence[bodies.Body], *, pause_s: float, field_manager: str = "kubectl-client-side-apply"
) -> acts.Writer:
    """Create objects, looking first whether each is there, as appliers do."""
    calls: list[acts.Call] = []
    for body in created:
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        plural, place, name = (
            founding.plural(str(body["kind"])),
            str(metadata.get("namespace", "")),
            str(metadata["name"]),
        )
        calls.append(acts.get(plural, place, name, after_s=pause_s))
        runs = body["kind"] in {"Deployment", "DaemonSet"}
        calls.append(acts.create(plural, place, body, settles=runs, fieldManager=field_manager))
    return acts.calls(*calls)


def _newcomer(given: odd.Given, workload: model.Workload, *, after_s: float) -> list[acts.Act]:
    """Give the habits of a newcomer; the first day is labelled."""
    begin = rhythm.Span(given.start_s + after_s, given.span.end_s)
    everyday = [
        act for habit in workload.habits for act in apps.HABITS[habit](given.seed, begin, workload, given.cluster)
    ]
    return given.labelled(acts.in_order(everyday), lasts_s=NEW_DAY_S)


def _webhook(group: str, place: str, name: str) -> bodies.Body:
    """Give a webhook that checks the operator's own kinds."""
    hook = {
        "name": f"vqueue.{group}",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "clientConfig": {"service": {"name": name, "namespace": place, "path": "/validate"}},
        "rules": [
            {
                "apiGroups": [group],
                "apiVersions": ["v1beta1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["queues"],
            }
        ],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": bodies.meta(name),
        "webhooks": [hook],
    }
