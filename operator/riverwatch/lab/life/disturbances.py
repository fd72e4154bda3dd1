"""Happenings that disturb habits without anybody coming or going: an outage, refusals, a move, a rotation, a rush.

In: `odd.Given`. Out: acts. Called by `happenings`.
"""

from __future__ import annotations

import random

from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.company import bodies, commons, founding, model, people, teams
from riverwatch.lab.life import acts, apps, odd, rhythm
from riverwatch.lab.life import people as kubectl

INCIDENT_S = 3900.0
"""How long the outage lasts, in seconds."""

REFUSALS_S = 5 * rhythm.HOUR_S
"""How long the misconfigured service goes on, in seconds."""

GROWTH_S = 1.5 * world.DAY_S
"""How long the rush lasts, in seconds."""

CUSTOMER_FACING = ("storefront", "basket", "findit")
"""Namespaces that feel the customers."""


def incident(given: odd.Given) -> list[acts.Act]:
    """Debug an outage at night: two people, many namespaces, shells, restarts, a scale-up."""
    places = given.rng.sample([name for name in teams.NAMESPACES if name != "sandbox"], 5)
    on_call = [person for person in people.PEOPLE if person.part is base.Part.ONCALL]
    found = []
    for person in on_call:
        time_s = given.rng.uniform(0, 300)
        while time_s < INCIDENT_S:
            found.append(given.act(time_s, person.username, _look(given, given.rng.choice(places))))
            time_s += given.rng.uniform(40, 260)
    for number, place in enumerate(places[:3]):
        name = next(workload.name for workload in teams.WORKLOADS if workload.namespace == place)
        body = {"spec": {"replicas": 4}}
        scale = acts.patch("deployments", place, name, body, sub="scale", settles=True, fieldManager="kubectl-scale")
        found.append(
            given.act(1500 + 500 * number, on_call[0].username, acts.calls(acts.get("deployments", place, name), scale))
        )
    return acts.in_order(found)


def _look(given: odd.Given, place: str) -> acts.Writer:
    """Look hard at one namespace."""

    def write(rng: random.Random) -> acts.Script:
        commands = [kubectl.get_pods, kubectl.describe, kubectl.logs, kubectl.logs, kubectl.get_workloads]
        commands += rng.sample(
            [kubectl.shell, kubectl.shell, kubectl.forward, kubectl.drop_pod, kubectl.restart, kubectl.get_nodes], 2
        )
        for command in commands:
            yield from command(rng, given.cluster, place)

    return write


def refusals(given: odd.Given) -> list[acts.Act]:
    """Have a service ask, after a bad release, for what it may not have."""
    workload = next(one for one in teams.WORKLOADS if one.name == "label-printer")
    rng = given.rng
    asked = (
        acts.listing("configmaps", "kube-system", limit=500),
        acts.listing("pods"),
        acts.get("secrets", workload.namespace, "printer-login"),
        acts.listing("namespaces"),
    )
    times = rhythm.every(rng, given.until(REFUSALS_S), 75.0, jitter=0.3)
    return [
        acts.Act(time_s, workload.username, acts.calls(rng.choice(asked)), episode=given.episode) for time_s in times
    ]


def ci_move(given: odd.Given) -> list[acts.Act]:
    """Try every pipeline from the new network once; its everyday releases follow (see `happenings.changed`)."""
    found = []
    for number, pipeline in enumerate(people.PIPELINES):
        place = pipeline.namespaces[0]
        tried = acts.calls(
            acts.Call("GET", "/version"),
            acts.listing("secrets", place, labelSelector="owner=helm"),
            acts.listing("deployments", place),
        )
        address = f"{people.NEW_CI_NETWORK}.{10 + number}"
        found.append(
            acts.Act(
                given.start_s + 120 * number,
                pipeline.username,
                tried,
                episode=given.episode,
                agent=people.NEW_CI_AGENT,
                address=address,
            )
        )
    return found


def rotation(given: odd.Given) -> list[acts.Act]:
    """Rotate every password and certificate, and restart what uses them."""
    sync, certificates = (model.username(name, name) for name in ("external-secrets", "cert-manager"))
    rng = given.rng
    found = []
    passwords = [(one, name) for one in teams.WORKLOADS for name in one.secrets]
    for number, (workload, name) in enumerate(passwords):
        body = bodies.credentials(rng, name, workload.namespace)
        done = (
            acts.get("secrets", workload.namespace, name),
            acts.replace("secrets", workload.namespace, name, body),
            acts.patch(
                "externalsecrets",
                workload.namespace,
                name,
                {"status": {"refreshTime": int(given.start_s)}},
                sub="status",
            ),
        )
        found.append(given.act(4.0 * number, sync, acts.calls(*done)))
    for number, place in enumerate(teams.NAMESPACES):
        name = f"{place}-tls"
        body = bodies.secret(
            name, place, {"tls.crt": f"{rng.getrandbits(64):x}", "tls.key": "-"}, kind="kubernetes.io/tls"
        )
        found.append(
            given.act(
                300.0 + 7 * number,
                certificates,
                acts.calls(acts.get("secrets", place, name), acts.replace("secrets", place, name, body)),
            )
        )
    admin = next(person for person in people.PEOPLE if person.part is base.Part.ADMIN)
    stamp = {
        "spec": {
            "template": {
                "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": world.rfc3339(given.start_s)}}
            }
        }
    }
    restarted = [
        acts.patch(
            "deployments",
            one.namespace,
            one.name,
            stamp,
            content_type=acts.STRATEGIC,
            settles=True,
            after_s=25.0,
            fieldManager="kubectl-rollout",
        )
        for one in teams.WORKLOADS
        if one.secrets and one.namespace in {"cashbook", "loyalty", "basket"}
    ]
    return [*found, given.act(900.0, admin.username, acts.calls(*restarted))]


def growth(given: odd.Given) -> list[acts.Act]:
    """Bring two more times the customers: services read more, and there are more of them."""
    during = given.until(GROWTH_S)
    found: list[acts.Act] = []
    for workload in teams.WORKLOADS:
        if workload.namespace in CUSTOMER_FACING:
            for habit in {"flags", "peers", "jobs"} & set(workload.habits):
                for again in (1, 2):
                    found += apps.HABITS[habit](given.seed * 1000 + again, during, workload, given.cluster)
    scaler = next(one for one in commons.WORKLOADS if one.name == "keda-operator").username
    for number, (place, name) in enumerate(founding.SCALED):
        usual = next(one.replicas for one in teams.WORKLOADS if (one.namespace, one.name) == (place, name))
        for after_s, replicas in ((600.0, usual * 3), (GROWTH_S - 1800.0, usual)):
            scale = acts.patch("deployments", place, name, {"spec": {"replicas": replicas}}, sub="scale", settles=True)
            if given.span.holds(given.start_s + after_s):
                found.append(given.act(after_s + 40 * number, scaler, acts.calls(scale)))
    return given.labelled(acts.in_order(found), lasts_s=GROWTH_S)
