"""Habits of the platform's own controllers: informers, reconcile loops, scrapes, the nightly backup, builds.

In: a workload, the cluster's view. Out: acts. Each habit is a function or a list of informers, listed in `HABITS`
or `INFORMERS` under the name that workloads use. Called by `everyday`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from riverwatch.lab.company import bodies, commons, founding, model, system, teams
from riverwatch.lab.life import acts, apps, chores, rhythm, view


def metrics(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Ask who queries the metrics, and whether they may."""
    rng = rhythm.seeded(seed, workload.username, "reviews")
    spec: bodies.Body = {"user": "system:kube-controller-manager", "groups": ["system:authenticated"]}
    spec["resourceAttributes"] = {"group": "metrics.k8s.io", "resource": "pods", "verb": "list", "version": "v1beta1"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    for time_s in rhythm.every(rng, span, 1800.0):
        yield acts.Act(time_s, workload.username, acts.calls(acts.create("subjectaccessreviews", "", review)))


def node_scaler(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Write down the state of the node groups."""
    rng = rhythm.seeded(seed, workload.username, "status")
    name = "cluster-autoscaler-status"

    def write(_: random.Random) -> acts.Script:
        answer = yield acts.get("configmaps", workload.namespace, name)
        body = bodies.config_map(name, workload.namespace, {"status": f"nodeGroups: {len(system.NODES)}\n"})
        if answer.ok:
            yield acts.replace("configmaps", workload.namespace, name, body)
        else:
            yield acts.create("configmaps", workload.namespace, body)

    for time_s in rhythm.every(rng, span, 1200.0):
        yield acts.Act(time_s, workload.username, write)


def certificates(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Renew a certificate now and then: read the secret, write it, report."""
    rng = rhythm.seeded(seed, workload.username, "renewals")
    for time_s in rhythm.every(rng, span, 5.5 * rhythm.HOUR_S, jitter=0.4):
        namespace = rng.choice(teams.NAMESPACES)
        name = f"{namespace}-tls"
        body = bodies.secret(
            name, namespace, {"tls.crt": f"{rng.getrandbits(64):x}", "tls.key": "-"}, kind="kubernetes.io/tls"
        )
        yield acts.Act(
            time_s,
            workload.username,
            acts.calls(
                acts.get("certificates", namespace, name),
                acts.get("secrets", namespace, name),
                acts.replace("secrets", namespace, name, body, after_s=rng.uniform(0.2, 3)),
                acts.patch(
                    "certificates", namespace, name, {"status": {"revision": rng.randrange(2, 90)}}, sub="status"
                ),
            ),
        )


def scraper(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Scrape the API server itself."""
    rng = rhythm.seeded(seed, workload.username, "scrape")
    for time_s in rhythm.every(rng, span, 2400.0, jitter=0.01):
        yield acts.Act(time_s, workload.username, acts.calls(acts.Call("GET", "/metrics")), rng.randrange(2))


def sidecar(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Look for dashboards in config maps and secrets."""
    rng = rhythm.seeded(seed, workload.username, "dashboards")
    for time_s in rhythm.every(rng, span, 1500.0):
        resource = rng.choice(("configmaps", "configmaps", "secrets"))
        yield acts.Act(
            time_s,
            workload.username,
            acts.calls(acts.listing(resource, workload.namespace, labelSelector="grafana_dashboard=1")),
        )


def gitops(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Compare every application with Git and report."""
    for namespace in (*founding.GITOPS_NAMESPACES, *commons.NAMESPACES):
        rng = rhythm.seeded(seed, workload.username, namespace)
        for time_s in rhythm.every(rng, span, 2 * rhythm.HOUR_S, jitter=0.3):
            status = {
                "status": {"reconciledAt": int(time_s), "sync": {"status": "Synced"}, "health": {"status": "Healthy"}}
            }
            yield acts.Act(
                time_s,
                workload.username,
                acts.calls(
                    acts.get("deployments", namespace, _first(namespace)),
                    acts.patch("applications", workload.namespace, namespace, status),
                ),
            )
    rng = rhythm.seeded(seed, workload.username, "discovery")
    for time_s in rhythm.every(rng, span, 3 * rhythm.HOUR_S):
        yield acts.Act(
            time_s,
            workload.username,
            acts.calls(
                acts.Call("GET", "/version?timeout=32s"),
                acts.Call("GET", "/api?timeout=32s"),
                acts.Call("GET", "/apis?timeout=32s"),
            ),
        )


def gitops_page(seed: int, span: rhythm.Span, workload: model.Workload, cluster: view.View) -> Iterator[acts.Act]:
    """Show applications to the people who look at them."""
    rng = rhythm.seeded(seed, workload.username, "page")
    for time_s in rhythm.office(rng, span, 35):
        namespace = rng.choice((*founding.GITOPS_NAMESPACES, *commons.NAMESPACES))
        shown = [
            acts.listing("applications", workload.namespace),
            acts.get("applications", workload.namespace, namespace, after_s=rng.uniform(1, 20)),
            acts.get("configmaps", workload.namespace, "argocd-cm"),
        ]
        yield acts.Act(time_s, workload.username, acts.calls(*shown[: rng.randrange(1, 4)]), rng.randrange(2))
    for time_s in rhythm.office(rng, span, 3):
        yield acts.Act(
            time_s, workload.username, _show_log(cluster, rng.choice(founding.GITOPS_NAMESPACES)), rng.randrange(2)
        )


def secret_sync(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Compare every external secret with the vault; write it when it changed."""
    for owner in teams.WORKLOADS:
        for name in owner.secrets:
            rng = rhythm.seeded(seed, workload.username, owner.namespace, name)
            for time_s in rhythm.every(rng, span, 4 * rhythm.HOUR_S, jitter=0.05):
                done = [
                    acts.get("secrets", owner.namespace, name),
                    acts.patch(
                        "externalsecrets", owner.namespace, name, {"status": {"refreshTime": int(time_s)}}, sub="status"
                    ),
                ]
                if rng.random() < 0.02:
                    done.insert(
                        1,
                        acts.replace("secrets", owner.namespace, name, bodies.credentials(rng, name, owner.namespace)),
                    )
                yield acts.Act(time_s, workload.username, acts.calls(*done))


def vault_login(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Log in to the vault as a service account of each team's namespace."""
    spec = {"audiences": ["vault"], "expirationSeconds": 600}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    for namespace in teams.NAMESPACES:
        rng = rhythm.seeded(seed, workload.username, namespace)
        for time_s in rhythm.every(rng, span, 4 * rhythm.HOUR_S, jitter=0.1):
            yield acts.Act(
                time_s,
                workload.username,
                acts.calls(
                    acts.get("serviceaccounts", namespace, "default"),
                    acts.create("serviceaccounts", namespace, body, name="default", sub="token"),
                    acts.patch(
                        "vaultauths", namespace, "default", {"status": {"valid": True, "at": int(time_s)}}, sub="status"
                    ),
                ),
            )


def pod_scaler(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Look at what follows the traffic; scale up in the morning and down at night."""
    for namespace, name in founding.SCALED:
        rng = rhythm.seeded(seed, workload.username, namespace, name)
        usual = next(other.replicas for other in teams.WORKLOADS if (other.namespace, other.name) == (namespace, name))
        for time_s in rhythm.every(rng, span, 3600.0):
            yield acts.Act(
                time_s,
                workload.username,
                acts.calls(
                    acts.get("deployments", namespace, name, "scale"),
                    acts.patch("scaledobjects", namespace, name, {"status": {"at": int(time_s)}}, sub="status"),
                ),
            )
        for hour, replicas in ((6.5, usual + 1), (21.5, usual)):
            for time_s in rhythm.daily(rng, span, hour, spread_s=2400):
                yield acts.Act(
                    time_s,
                    workload.username,
                    acts.calls(
                        acts.patch(
                            "deployments", namespace, name, {"spec": {"replicas": replicas}}, sub="scale", settles=True
                        )
                    ),
                )


def ingress(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Publish the balancer's address in every ingress, again after each change."""
    rng = rhythm.seeded(seed, workload.username, "status")
    status = {
        "status": {"loadBalancer": {"ingress": [{"hostname": "k8s-ingress-4711.elb.eu-central-1.amazonaws.com"}]}}
    }
    for time_s in rhythm.every(rng, span, 4 * rhythm.HOUR_S):
        namespace, name = rng.choice(founding.INGRESSES)
        yield acts.Act(
            time_s,
            workload.username,
            acts.calls(
                acts.get("ingresses", namespace, name), acts.patch("ingresses", namespace, name, status, sub="status")
            ),
        )


def databases(seed: int, span: rhythm.Span, workload: model.Workload, _: view.View) -> Iterator[acts.Act]:
    """Compare every database with what is asked for: its pods, its passwords, its service."""
    for namespace in ("cashbook", "dataworks", "loyalty"):
        rng = rhythm.seeded(seed, workload.username, namespace)
        for time_s in rhythm.every(rng, span, rhythm.HOUR_S):
            yield acts.Act(
                time_s,
                workload.username,
                acts.calls(
                    acts.listing("pods", namespace, labelSelector="application=spilo"),
                    acts.get("secrets", namespace, rng.choice(_logins(namespace))),
                    acts.get("services", namespace, _first(namespace)),
                ),
            )


def _logins(namespace: str) -> list[str]:
    """Name the passwords that the database operator keeps in a namespace."""
    return [name for workload in teams.WORKLOADS if workload.namespace == namespace for name in workload.secrets][:2]


def _show_log(cluster: view.View, namespace: str) -> acts.Writer:
    """Show what a pod says."""

    def write(rng: random.Random) -> acts.Script:
        pods = list(cluster.pods(namespace))
        if pods:
            pod = rng.choice(pods)
            yield acts.get("pods", namespace, pod.name, "log", container=pod.app, follow=False, tailLines=1000)

    return write


def _first(namespace: str) -> str:
    """Name a deployment of a namespace."""
    return next(
        workload.name
        for workload in (*commons.WORKLOADS, *teams.WORKLOADS)
        if workload.namespace == namespace and not workload.daemon
    )


HABITS: Mapping[str, apps.Habit] = {
    "metrics": metrics,
    "node-scaler": node_scaler,
    "ingress": ingress,
    "certificates": certificates,
    "scraper": scraper,
    "sidecar": sidecar,
    "gitops": gitops,
    "gitops-page": gitops_page,
    "secret-sync": secret_sync,
    "vault-login": vault_login,
    "backup": chores.backup,
    "builds": chores.builds,
    "pod-scaler": pod_scaler,
    "databases": databases,
}
"""Habits by the name that workloads use; `INFORMERS` come on top."""
