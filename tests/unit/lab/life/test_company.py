"""The company on paper: big enough, everybody with rights, every habit and object known."""

from __future__ import annotations

import collections

from riverwatch.lab.attacks import base
from riverwatch.lab.company import commons, founding, people, rights, system, teams
from riverwatch.lab.life import apps, controllers, informers


def test_company_has_a_dozen_namespaces_and_sixty_identities():
    workloads = (*commons.WORKLOADS, *teams.WORKLOADS)
    names = {workload.username for workload in workloads if workload.account}
    names |= {person.username for person in people.PEOPLE} | {one.username for one in people.PIPELINES}
    names |= {machine.username for machine in system.NODES}
    assert len(set(teams.NAMESPACES) | set(commons.NAMESPACES)) >= 12
    assert len(names) >= 60


def test_every_part_of_an_attack_is_played_by_somebody():
    parts = {workload.part for workload in (*commons.WORKLOADS, *teams.WORKLOADS)}
    parts |= {person.part for person in people.PEOPLE} | {one.part for one in people.PIPELINES}
    assert set(base.Part) - {base.Part.NODE} <= parts


def test_every_habit_that_a_workload_names_exists():
    known = set(apps.HABITS) | set(controllers.HABITS) | set(informers.INFORMERS)
    assert {habit for workload in (*commons.WORKLOADS, *teams.WORKLOADS) for habit in workload.habits} <= known


def test_objects_are_unique_and_have_a_place():
    seen = collections.Counter(
        (founding.collection(body), body["metadata"]["name"])
        for stage in founding.stages(1, kubelet_port=1)
        for body in stage
    )
    assert [name for name, count in seen.items() if count > 1] == []
    assert len(seen) > 400


def test_everybody_who_acts_is_granted_something():
    bound = set()
    for stage in founding.stages(1, kubelet_port=1):
        for body in stage:
            for subject in body.get("subjects", ()):
                bound.add((subject.get("namespace", ""), subject["name"]))
    for workload in (*commons.WORKLOADS, *teams.WORKLOADS):
        if workload.habits:
            assert (workload.namespace, workload.account) in bound
    for person in people.PEOPLE:
        assert ("", person.team) in bound


def test_grants_become_one_role_and_one_binding_per_place():
    workload = next(one for one in commons.WORKLOADS if one.name == "cert-manager")
    found = rights.of_account("cert-manager", "cert-manager", workload.grants)
    kinds = collections.Counter(body["kind"] for body in found)
    assert kinds == {"ClusterRole": 1, "ClusterRoleBinding": 1, "Role": 1, "RoleBinding": 1}
