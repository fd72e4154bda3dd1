"""The feed of the inventory: cut bodies, changes that matter, removals."""

from __future__ import annotations

import json

import pytest

from riverwatch.control import inventory
from riverwatch.kube import resources


@pytest.fixture
def changes() -> list:
    return []


@pytest.fixture
def feed(changes) -> inventory.InventoryFeed:
    return inventory.InventoryFeed(lambda kind, body, key: changes.append((kind, body, key)))


def pod(**status) -> dict:
    return {
        "metadata": {
            "name": "front-1",
            "namespace": "web",
            "uid": "u-1",
            "annotations": {"note": "x" * 10_000},
            "managedFields": [{"manager": "x"}],
        },
        "spec": {
            "serviceAccountName": "front",
            "nodeName": "n-1",
            "containers": [{"name": "app", "image": "app:1", "env": [{"name": "PASSWORD", "value": "hunter2"}]}],
            "volumes": [{"name": "a", "secret": {"secretName": "tls"}}, {"name": "b", "emptyDir": {}}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.7"} | status,
    }


def test_body_is_cut_to_what_matters(feed, changes):
    feed.take(resources.PODS, pod())
    kind, body, key = changes[0]

    assert (kind, key) == ("Pod", ("web", "front-1"))
    assert body["spec"]["serviceAccountName"] == "front"
    assert body["spec"]["volumes"] == [{"secret": {"secretName": "tls"}}]
    assert body["status"]["podIP"] == "10.0.0.7"
    assert "hunter2" not in json.dumps(body)
    assert len(json.dumps(body)) < 500


def test_change_that_does_not_matter_is_not_handed_on(feed, changes):
    feed.take(resources.PODS, pod())
    feed.take(resources.PODS, pod(conditions=[{"type": "Ready"}]))

    assert len(changes) == 1


def test_change_that_matters_is_handed_on(feed, changes):
    feed.take(resources.PODS, pod())
    feed.take(resources.PODS, pod(podIP="10.0.0.8"))

    assert len(changes) == 2


def test_removal_is_handed_on_and_the_object_may_come_again(feed, changes):
    feed.take(resources.PODS, pod())
    feed.forget(resources.PODS, ("web", "front-1"))
    feed.take(resources.PODS, pod())

    assert [body is None for _, body, _ in changes] == [False, True, False]
    assert list(feed.known(resources.PODS)) == [("web", "front-1")]


@pytest.mark.parametrize("resource", inventory.InventoryFeed.follows, ids=lambda one: one.plural)
def test_object_with_nothing_in_it_is_taken(feed, changes, resource):
    feed.take(resource, {"metadata": {"name": "a"}})

    assert changes[0][0] == resource.kind


def test_roles_and_bindings_keep_rules_and_subjects():
    role = inventory.cut(resources.CLUSTER_ROLES, {"metadata": {"name": "a"}, "rules": [{"verbs": ["get"]}]})
    subjects = {"metadata": {"name": "a"}, "subjects": [{"kind": "User"}], "roleRef": {"name": "admin"}}
    binding = inventory.cut(resources.ROLE_BINDINGS, subjects)

    assert role["rules"] == [{"verbs": ["get"]}]
    assert (binding["subjects"], binding["roleRef"]) == ([{"kind": "User"}], {"name": "admin"})
