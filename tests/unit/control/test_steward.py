"""The control thread: waiting for the API server, first lists, deletions that no watch told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from riverwatch import clock, errors, settings
from riverwatch.control import steward, watches
from riverwatch.kube import resources
from riverwatch.outputs import dispatch, housekeeping, k8s_event, ledger, pending, references
from riverwatch.rules import engine
from riverwatch.runtime import context as contexts
from riverwatch.runtime import pipeline, worker, worker_queue


class Follower:
    """Follows pods."""

    follows = (resources.PODS,)

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Any] = {}
        self.raises = False

    def take(self, _: resources.Resource, body) -> None:
        if self.raises:
            raise KeyError("odd object")
        self.held[body["metadata"]["namespace"], body["metadata"]["name"]] = body

    def forget(self, _: resources.Resource, key) -> None:
        self.held.pop(key, None)

    def known(self, _: resources.Resource):
        return list(self.held)


@pytest.fixture
def follower() -> Follower:
    return Follower()


@pytest.fixture
def context(api_client, served_api) -> Iterator[contexts.Context]:
    time = clock.SystemClock()
    standing = ledger.Ledger(cap=10)
    queue = worker_queue.WorkQueue[pipeline.Pipeline](worker_queue.Bounds(batches=10, octets=10_000))
    one = contexts.Context(
        settings=settings.read({}),
        time=time,
        connection=served_api.connection,
        client=api_client,
        worker=worker.Worker(pipeline.Pipeline(rules=engine.RuleEngine(())), lambda _: None, queue=queue, time=time),
        dispatcher=dispatch.Dispatcher(
            [], capacity=1, bucket=pending.TokenBucket(rate_per_s=1, burst=1), count=lambda *_: None, time=time
        ),
        housekeeper=housekeeping.Housekeeper(
            api_client, standing, ages=housekeeping.Ages(open_s=1.0, closed_s=1.0), time=time
        ),
        announcer=k8s_event.K8sEventOutput(
            api_client, references.References(), operator_namespace="rw", instance="x", time=time
        ),
        readiness=contexts.Readiness(),
    )
    one.worker.start()
    yield one
    assert one.worker.stop(within_s=10)


def pod(memory_api, name: str) -> None:
    memory_api.objects[f"/api/v1/namespaces/web/pods/{name}"] = {"metadata": {"name": name, "namespace": "web"}}


def test_list_takes_what_is_there_and_forgets_what_is_gone(context, follower, memory_api):
    one = steward.Steward(context, [follower], chores=[])
    pod(memory_api, "a")
    pod(memory_api, "b")
    one.sync()
    del memory_api.objects["/api/v1/namespaces/web/pods/a"]
    one.sync()

    assert set(follower.held) == {("web", "b")}


def test_odd_object_does_not_keep_others_from_being_taken(context, follower, memory_api):
    second = Follower()
    follower.raises = True
    pod(memory_api, "a")
    steward.Steward(context, [follower, second], chores=[]).sync()

    assert set(second.held) == {("web", "a")}


def test_list_that_fails_forgets_nothing(context, follower, memory_api):
    one = steward.Steward(context, [follower], chores=[])
    pod(memory_api, "a")
    one.sync()
    memory_api.fail(500, "InternalError")
    with pytest.raises(errors.ApiTemporaryError):
        one.sync()

    assert set(follower.held) == {("web", "a")}


def test_readiness_says_what_is_missing_until_everything_was_read(context, follower, served_api, monkeypatch):
    watching = threading.Event()
    monkeypatch.setattr(watches.Watches, "start", lambda _: watching.set())
    done = threading.Event()
    served_api.down()
    one = steward.Steward(context, [follower], chores=[steward.Chore("test", 0.01, done.set)])
    one.start()
    try:
        wait(lambda: "away" in context.readiness.checks()[steward.API])
        assert not watching.is_set()
        served_api.up()
        assert watching.wait(20)
        assert not any(context.readiness.checks().values())
        assert done.wait(20)
    finally:
        one.stop(within_s=10)
    assert not one.alive


def test_own_identity_is_learned(context, follower, monkeypatch):
    started = threading.Event()
    monkeypatch.setattr(watches.Watches, "start", lambda _: started.set())
    one = steward.Steward(context, [follower], chores=[])
    one.start()
    assert started.wait(20)
    one.stop(within_s=10)
    assert context.worker.settle(within_s=10)

    assert context.worker._own.username == "system:serviceaccount:riverwatch:riverwatch"


def test_failing_chore_does_not_end_the_thread(context, follower, monkeypatch):
    monkeypatch.setattr(watches.Watches, "start", lambda _: None)
    calls, enough = [], threading.Event()

    def fail() -> None:
        calls.append(1)
        if len(calls) == 2:
            enough.set()
        raise errors.ApiTemporaryError("away") if len(calls) == 1 else KeyError("ours")

    one = steward.Steward(context, [follower], chores=[steward.Chore("bad", 0.01, fail)])
    one.start()
    try:
        assert enough.wait(20)
        assert one.alive
    finally:
        one.stop(within_s=10)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(
            errors.ApiPermanentError("GET /apis/riverwatch.dev/v1alpha1/x: 404", status=404), "crds/", id="no CRDs"
        ),
        pytest.param(errors.ApiPermanentError("GET /api/v1/pods: 403", status=403), "rbac.yaml", id="no RBAC"),
        pytest.param(errors.ApiTemporaryError("away"), "away", id="away"),
    ],
)
def test_explanation_says_what_to_do(error, text):
    assert text in steward.explain(error)


def wait(condition) -> None:
    pause = threading.Event()
    for _ in range(2_000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("did not come true")
