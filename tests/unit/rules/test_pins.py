"""Mistakes that detectors of audit records are known for, each pinned on a record of the shape that clients send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from riverwatch.activity import sample
from riverwatch.rules import engine, loading, sigma

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


MANAGER = {"user_agent": "kube-controller-manager/v1.36.3", "verb": "create", "code": 201}


def rollout(*, bodies: bool) -> list[dict[str, Any]]:
    """Mallory writes a Deployment, the controllers a ReplicaSet and two pods; without `bodies`, only pods have one."""
    whole = TEMPLATES["deployments"]
    set_owner = {"kind": "Deployment", "name": "x", "controller": True}
    pod_owner = {"kind": "ReplicaSet", "name": "x-1", "controller": True}
    written = sample.audit_record(
        verb="create",
        resource="deployments",
        api_group="apps",
        name="x",
        code=201,
        username="mallory@example.com",
        request_object=whole if bodies else None,
    )
    replica_set = sample.audit_record(
        **MANAGER,
        resource="replicasets",
        api_group="apps",
        name="x-1",
        audit_id="a2",
        username="system:serviceaccount:kube-system:deployment-controller",
        request_object={"metadata": {"name": "x-1", "ownerReferences": [set_owner]}, **(whole if bodies else {})},
    )
    pods = [
        sample.audit_record(
            **MANAGER,
            audit_id=f"pod{number}",
            username="system:serviceaccount:kube-system:replicaset-controller",
            request_object={"metadata": {"generateName": "x-1-", "ownerReferences": [pod_owner]}, **TEMPLATES["pods"]},
        )
        for number in range(2)
    ]
    return [written, replica_set, *pods]


def told(records: list[dict[str, Any]], rules: Any = RULES) -> list[tuple[int, str, str]]:
    """Return number of the record, rule and author of everything that may raise."""
    judge = engine.RuleEngine(rules)
    return [
        (number, hit.card.id, hit.author)
        for number, fields in enumerate(records)
        for hit in judge.match(sample.activity_of(fields))
        if hit.card.raises
    ]


def test_what_the_template_was_told_for_is_not_told_again_for_its_pods() -> None:
    found = told(rollout(bodies=True))
    assert (0, "privileged-container", "") in found
    assert {number for number, _, _ in found} == {0}


def test_a_controller_is_not_the_actor_its_templates_author_is() -> None:
    found = told(rollout(bodies=False))
    assert (2, "privileged-container", "mallory@example.com") in found
    assert all(author == "mallory@example.com" for number, _, author in found if number)
    assert not [one for one in found if one[0] == 3], "the second pod is no news"


def test_a_rule_that_only_speaks_of_pods_names_the_author_too() -> None:
    text = (
        "title: pods\nlogsource: {product: kubernetes, service: audit}\n"
        "detection:\n  s: {verb: create, objectRef.resource: pods}\n  condition: s\n"
    )
    rules = sigma.compile_text(text, origin="own.yml", default_id="own")
    records = rollout(bodies=True)
    assert told(records, rules) == [(2, "own", "mallory@example.com")]
    assert told(
        [*records, records[0] | {"auditID": "again", "verb": "patch"}, records[3] | {"auditID": "more"}], rules
    )[1:] == [(5, "own", "mallory@example.com")]
    assert told(records[2:], rules) == [(0, "own", ""), (1, "own", "")], "nothing is known: the record stands"


def test_the_activity_of_a_controller_is_answered_for_by_the_author() -> None:
    judge = engine.RuleEngine(RULES)
    for fields in rollout(bodies=False)[:3]:
        activity = sample.activity_of(fields)
        hits = [hit for hit in judge.match(activity) if hit.card.raises]
    assert activity.principal.username.endswith("replicaset-controller")
    assert engine.answering(activity, hits).principal.username == "mallory@example.com"
    assert engine.answering(activity, ()) is activity
    assert hits[0].summary.startswith("mallory@example.com (through kube-system/replicaset-controller) created pod")


def test_authors_survive_a_restart() -> None:
    first, second = engine.RuleEngine(RULES), engine.RuleEngine(RULES)
    records = [sample.activity_of(fields) for fields in rollout(bodies=False)]
    for activity in records[:2]:
        first.match(activity)
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert [hit.author for hit in second.match(records[2])] == [hit.author for hit in first.match(records[2])]
    assert second.snapshot() == first.snapshot()


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
