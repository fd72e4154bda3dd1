"""Statuses: written on their lane, merged or whole, created when missing."""

from __future__ import annotations

import pytest

from riverwatch.control import statuses
from riverwatch.kube import resources
from riverwatch.outputs import lane

PATH = "/apis/riverwatch.dev/v1alpha1/namespaces/web/detectionmodels/models"


@pytest.fixture
def outcomes() -> list[lane.Outcome]:
    return []


@pytest.fixture
def report(api_client, fake_clock, outcomes) -> statuses.Statuses:
    return statuses.Statuses(api_client, time=fake_clock, report=outcomes.append)


def write(**changes) -> statuses.Write:
    fields = {"resource": resources.MODELS, "namespace": "web", "name": "models", "status": {"phase": "Active"}}
    return statuses.Write(**fields | changes)


def test_missing_object_is_made_first_when_asked(report, memory_api):
    report.submit(write(create=True))
    report.lane.step()

    assert memory_api.objects[PATH]["status"] == {"phase": "Active"}
    assert memory_api.objects[PATH]["spec"] == {}


def test_status_of_an_object_that_is_gone_is_nobodys_news(report, memory_api, outcomes):
    report.submit(write())
    report.lane.step()

    assert PATH not in memory_api.objects
    assert outcomes == [lane.Outcome.DELIVERED]


def test_merge_leaves_other_fields_alone(report, memory_api):
    memory_api.objects[PATH] = {"metadata": {"name": "models"}, "status": {"count": 3, "phase": "Open"}}
    report.submit(write(status={"phase": "Resolved"}, merge=True))
    report.lane.step()

    assert memory_api.objects[PATH]["status"] == {"count": 3, "phase": "Resolved"}


def test_newest_status_of_an_object_wins(report, memory_api):
    memory_api.objects[PATH] = {"metadata": {"name": "models"}}
    for phase in ("WarmingUp", "Learning", "Active"):
        report.submit(write(status={"phase": phase}))
    report.lane.step()

    assert [body["status"]["phase"] for _, _, body in memory_api.requests] == ["Active"]


def test_refusal_by_rbac_is_tried_again(report, memory_api, fake_clock, outcomes):
    memory_api.objects[PATH] = {"metadata": {"name": "models"}}
    memory_api.fail(403, "Forbidden", "not yet")
    report.submit(write())
    wait_s = report.lane.step()
    fake_clock.advance(wait_s)
    report.lane.step()

    assert outcomes == [lane.Outcome.RETRIED, lane.Outcome.DELIVERED]


def test_transition_time_stays_while_the_condition_does(report, memory_api, fake_clock):
    body = {"metadata": {"name": "models", "namespace": "web", "generation": 2}, "status": {}}
    memory_api.objects[PATH] = body
    report.observe(resources.MODELS, body, statuses.ready("Good", "one"))
    report.lane.step()
    first = memory_api.objects[PATH]["status"]["conditions"][0]
    fake_clock.advance(60)
    report.observe(resources.MODELS, memory_api.objects[PATH], statuses.ready("Good", "two"))
    report.lane.step()
    second = memory_api.objects[PATH]["status"]["conditions"][0]

    assert second["message"] == "two"
    assert second["lastTransitionTime"] == first["lastTransitionTime"]
    assert second["observedGeneration"] == 2
