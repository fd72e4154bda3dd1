"""Who stands behind a controller: the chain of owners and the recent writer."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import errors
from riverwatch.activity import derived_author, sample

CONTROLLER = "system:serviceaccount:kube-system:{}-controller"


def activity(**fields: Any) -> Any:
    return sample.activity_of(sample.audit_record(**fields))


def author_of(authors: derived_author.Authors, done: Any) -> str:
    source = authors.source_of(done)
    return source.author if source else ""


def owned(kind: str, name: str, own_name: str = "") -> dict[str, Any]:
    return {"metadata": {"name": own_name, "ownerReferences": [{"kind": kind, "name": name, "controller": True}]}}


def rollout(authors: derived_author.Authors, *, writer: str = "ana@example.com") -> None:
    authors.observe(activity(verb="create", resource="deployments", name="front", username=writer, code=201))
    authors.observe(
        activity(
            verb="create",
            resource="replicasets",
            username=CONTROLLER.format("deployment"),
            code=201,
            request_object=owned("Deployment", "front", "front-7d9"),
        )
    )


POD = {
    "verb": "create",
    "username": CONTROLLER.format("replicaset"),
    "code": 201,
    "request_object": owned("ReplicaSet", "front-7d9"),
}


def test_a_pod_of_a_deployment_has_the_writer_of_the_deployment() -> None:
    authors = derived_author.Authors()
    rollout(authors)
    assert author_of(authors, activity(**POD)) == "ana@example.com"


def test_the_latest_writer_counts() -> None:
    authors = derived_author.Authors()
    rollout(authors)
    authors.observe(activity(verb="patch", resource="deployments", name="front", username="bo@example.com"))
    assert author_of(authors, activity(**POD)) == "bo@example.com"


@pytest.mark.parametrize(
    "fields",
    [{"code": 403}, {"subresource": "status"}, {"verb": "get"}, {"resource": "services"}],
    ids=["refused", "status", "read", "no workload"],
)
def test_what_is_no_write_of_a_workload_changes_nothing(fields: dict[str, Any]) -> None:
    authors = derived_author.Authors()
    rollout(authors)
    authors.observe(
        activity(**{"verb": "patch", "resource": "deployments", "name": "front", "username": "bo"} | fields)
    )
    assert author_of(authors, activity(**POD)) == "ana@example.com"


def test_unknown_owners_and_people_have_no_author_behind_them() -> None:
    authors = derived_author.Authors()
    assert author_of(authors, activity(**POD)) == ""
    rollout(authors)
    assert author_of(authors, activity(**(POD | {"username": "mallory"}))) == ""
    assert author_of(authors, activity(**(POD | {"namespace": "other"}))) == ""


def test_a_circle_of_owners_ends() -> None:
    authors = derived_author.Authors()
    for own, other in (("a", "b"), ("b", "a")):
        body = owned("ReplicaSet", other, own)
        authors.observe(
            activity(
                verb="create", resource="replicasets", username=CONTROLLER.format("deployment"), request_object=body
            )
        )
    assert author_of(authors, activity(**(POD | {"request_object": owned("ReplicaSet", "a")}))) == ""


def test_whether_the_content_was_seen_is_known() -> None:
    authors = derived_author.Authors()
    seen = authors.observe(activity(verb="patch", resource="deployments", name="front", request_object={"spec": {}}))
    assert seen is not None
    assert seen.judged
    assert not authors.any_unjudged
    unseen = authors.observe(activity(verb="patch", resource="deployments", name="back"))
    assert unseen is not None
    assert not unseen.judged
    assert authors.any_unjudged


def test_what_was_told_is_bounded() -> None:
    source = derived_author.Source("ana", judged=True)
    source.tell(f"rule-{number}" for number in range(99))
    source.tell(["rule-1"])
    assert len(source.told) == derived_author.MAX_TOLD


@pytest.mark.parametrize("owners", [3, [3], [{"kind": 3}], {"a": 1}, [None]], ids=str)
def test_owners_of_any_shape_raise_nothing(owners: Any) -> None:
    authors = derived_author.Authors()
    rollout(authors)
    body = {"metadata": {"ownerReferences": owners, "name": 7}}
    authors.observe(activity(**(POD | {"resource": "replicasets", "request_object": body})))
    assert author_of(authors, activity(**(POD | {"request_object": body}))) == ""


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived_author, "MAX_OBJECTS", 10)
    authors = derived_author.Authors()
    for number in range(30):
        authors.observe(activity(verb="create", resource="deployments", name=f"d{number}"))
    assert len(authors.snapshot()["writers"]) == 10


def test_the_maker_of_a_secret_answers_for_the_token_that_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived_author, "MAX_SECRETS", 10)
    authors = derived_author.Authors()
    for number in range(30):
        authors.observe(activity(verb="create", resource="secrets", name=f"s{number}"))
    filled = {"username": "system:kube-controller-manager", "verb": "update", "resource": "secrets"}
    assert author_of(authors, activity(**filled, name="s29")) == "ana@example.com"
    assert authors.source_of(activity(**filled, name="s0")) is None
    second = derived_author.Authors()
    second.restore(authors.snapshot())
    assert author_of(second, activity(**filled, name="s29")) == "ana@example.com"
    assert len(second) == 10


def test_state_round_trips_and_other_shapes_are_errors() -> None:
    first = derived_author.Authors()
    rollout(first)
    second = derived_author.Authors()
    second.restore(first.snapshot())
    assert author_of(second, activity(**POD)) == "ana@example.com"
    with pytest.raises(errors.StateError):
        second.restore({"writers": [["x"]], "owners": []})
    assert author_of(second, activity(**POD)) == "ana@example.com"
