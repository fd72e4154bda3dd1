"""Next steps name the right object, and ask somebody who can answer."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import normalise, record
from riverwatch.detections import advice
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

RULES = engine.load_catalog()


def binding() -> record.AuditRecord:
    """Administrator's rights for the account default/default."""
    return testing.audit_record(
        user="ops@example.com",
        verb="create",
        resource="clusterrolebindings",
        api_group="rbac.authorization.k8s.io",
        namespace="",
        name="default-view",
        code=201,
        request_object={
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        },
    )


def steps(user: str, **more) -> list[str]:
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    fields = {"verb": "delete", "resource": "events", "name": "", "user": user, "source_ip": "203.0.113.9"} | more
    activity = normalise.from_audit(testing.audit_record(**fields))
    hits = through.rules.match(activity)
    (found,) = through.process([binding()], tally=base.Tally())
    return advice.recommendations(activity, list(hits), found)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        pytest.param("ana@example.com", "Ask ana@example.com whether it was them, from 203.0.113.9", id="a person"),
        pytest.param("kube:admin", "Find out who used kube:admin", id="a name that several share"),
        pytest.param("system:kube-scheduler", "Find out who used system:kube-scheduler", id="the control plane"),
    ],
)
def test_the_question_goes_to_somebody_who_can_answer(user, words):
    found = steps(user, resource="pods", subresource="exec", verb="create", name="web-1", code=101)
    assert len([step for step in found if words in step]) == 1
    assert not [step for step in found if "{" in step.partition(" --type")[0]]


def test_nobody_asks_an_anonymous_caller():
    assert not [step for step in steps("system:anonymous", verb="list", resource="secrets") if "Ask" in step]


def test_a_step_names_the_object_of_the_rule_and_not_one_whose_name_is_part_of_the_sentence():
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    records = [
        testing.audit_record(user="ops@example.com", resource="serviceaccounts", namespace="default", name="default"),
        binding(),
    ]
    (found,) = through.process(records, tally=base.Tally())
    assert [step for step in found.recommendations if "binding default-view " in step]
    assert not [step for step in found.recommendations if "binding default " in step]
