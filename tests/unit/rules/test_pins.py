"""Mistakes that detectors of audit records are known for, each pinned on a record of the shape that clients send."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch.activity import derived_author, sample
from riverwatch.rules import engine, loading

RULES = loading.load_catalog()

EXEC_URI = "/api/v1/namespaces/web/pods/front-1/exec?command=sh&container=app&stdin=true&stdout=true&tty=true"
PRIVILEGED = {"name": "c", "image": "alpine", "securityContext": {"privileged": True}}


def raised(*records: dict[str, Any]) -> list[str]:
    judge = engine.RuleEngine(RULES)
    found = [hit.card.id for fields in records for hit in judge.match(sample.activity_of(fields)) if hit.card.raises]
    assert not judge.faults
    return found


@pytest.mark.parametrize("subresource", ["exec", "attach"])
@pytest.mark.parametrize("verb", ["get", "create"], ids=["WebSocket", "SPDY"])
@pytest.mark.parametrize("stage", ["ResponseStarted", "ResponseComplete"])
def test_exec_is_seen_over_both_protocols_at_either_stage(verb: str, stage: str, subresource: str) -> None:
    uri = EXEC_URI.replace("/exec", f"/{subresource}")
    fields = sample.audit_record(
        verb=verb, subresource=subresource, name="front-1", code=101, stage=stage, request_uri=uri
    )
    assert raised(fields) == ["pod-exec"]


def test_exec_that_begins_and_ends_is_one_finding() -> None:
    first = sample.audit_record(
        subresource="exec", name="front-1", code=101, stage="ResponseStarted", request_uri=EXEC_URI
    )
    last = first | {"stage": "ResponseComplete", "stageTimestamp": "2026-01-15T08:31:00.000000Z"}
    assert raised(first, last) == ["pod-exec"]


TEMPLATES = {
    "pods": {"spec": {"containers": [PRIVILEGED]}},
    "deployments": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}},
    "daemonsets": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}},
    "statefulsets": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}},
    "replicasets": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}},
    "replicationcontrollers": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}},
    "jobs": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}},
    "cronjobs": {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}}}},
    "podtemplates": {"template": {"spec": {"containers": [PRIVILEGED]}}},
}


@pytest.mark.parametrize("resource", TEMPLATES)
def test_templates_count_like_pods(resource: str) -> None:
    fields = sample.audit_record(
        verb="create", resource=resource, name="x", code=201, request_object=TEMPLATES[resource]
    )
    assert "privileged-container" in raised(fields)


@pytest.mark.parametrize("kind", ["initContainers", "ephemeralContainers"])
def test_init_and_ephemeral_containers_count(kind: str) -> None:
    fields = sample.audit_record(
        verb="create", name="x", code=201, request_object={"spec": {"containers": [{"name": "c"}], kind: [PRIVILEGED]}}
    )
    assert "privileged-container" in raised(fields)


def test_a_patch_that_does_not_touch_the_flag_is_quiet() -> None:
    whole = TEMPLATES["deployments"]
    fields = sample.audit_record(
        verb="patch", resource="deployments", name="x", request_object={"spec": {"replicas": 5}}, response_object=whole
    )
    assert "privileged-container" not in raised(fields)


def test_a_patch_that_sets_the_flag_is_seen() -> None:
    operations = [
        {"op": "add", "path": "/spec/template/spec/containers/0/securityContext", "value": {"privileged": True}}
    ]
    fields = sample.audit_record(verb="patch", resource="deployments", name="x", request_object=operations)
    assert "privileged-container" in raised(fields)


@pytest.mark.parametrize("code", [401, 403, 409, 422, 500])
def test_what_had_no_effect_is_not_reported_as_done(code: int) -> None:
    fields = sample.audit_record(verb="create", name="x", code=code, request_object=TEMPLATES["pods"])
    found = raised(fields)
    assert "privileged-container" not in found
    assert "naked-pod-owns-node" not in found


def test_a_controller_is_not_the_actor_its_templates_author_is() -> None:
    authors = derived_author.Authors()
    written = sample.audit_record(
        verb="create",
        resource="deployments",
        api_group="apps",
        name="x",
        code=201,
        username="mallory@example.com",
        request_object=TEMPLATES["deployments"],
    )
    owner = {"kind": "Deployment", "name": "x", "controller": True}
    replica_set = sample.audit_record(
        verb="create",
        resource="replicasets",
        api_group="apps",
        code=201,
        username="system:serviceaccount:kube-system:deployment-controller",
        user_agent="kube-controller-manager/v1.36.3",
        request_object={"metadata": {"name": "x-1", "ownerReferences": [owner]}, **TEMPLATES["replicasets"]},
    )
    pod_owner = {"kind": "ReplicaSet", "name": "x-1", "controller": True}
    pod = sample.audit_record(
        verb="create",
        code=201,
        user_agent="kube-controller-manager/v1.36.3",
        username="system:serviceaccount:kube-system:replicaset-controller",
        request_object={"metadata": {"generateName": "x-1-", "ownerReferences": [pod_owner]}, **TEMPLATES["pods"]},
    )
    assert "privileged-container" in raised(written)
    assert raised(replica_set) == raised(pod) == []
    for fields in (written, replica_set):
        authors.observe(sample.activity_of(fields))
    behind = authors.source_of(sample.activity_of(pod))
    assert behind is not None
    assert behind.author == "mallory@example.com"


def test_the_same_finding_is_not_lost_behind_a_lesser_one() -> None:
    """All rules that hold speak; the first one does not end the matter."""
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    uri = f"/api/v1/namespaces/kube-system/pods/x/exec?command=cat&command={token}"
    fields = sample.audit_record(
        verb="create", subresource="exec", namespace="kube-system", name="x", code=101, request_uri=uri
    )
    assert set(raised(fields)) == {"pod-exec", "exec-in-system-namespace", "exec-reads-credentials"}


def test_subresource_and_resource_are_told_apart() -> None:
    """A token of an account is not an account, and the status of a pod is not a pod."""
    token = sample.audit_record(
        verb="create",
        resource="serviceaccounts",
        subresource="token",
        namespace="kube-system",
        name="x",
        code=201,
        username="system:node:n1",
        groups=["system:nodes"],
        user_agent="kubelet/v1.36.3",
    )
    assert raised(token) == []
    status = sample.audit_record(verb="update", subresource="status", name="x", request_object=TEMPLATES["pods"])
    assert raised(status) == []
