"""Verdicts through the whole pipeline: what was a false alarm does not come back, and nothing else is taught."""

from __future__ import annotations

import acts
import pytest

from riverwatch import testing, vocabulary
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.scoring import policy, policy_compile, triage
from riverwatch.sources import base
from riverwatch.state import snapshot

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
LEARN_S = testing.START_S + 2 * DAY_S
RULES = engine.load_catalog()
USER = "system:serviceaccount:web:app-1"
FALSE, EXPECTED, TRUE = (
    vocabulary.Verdict.FALSE_POSITIVE,
    vocabulary.Verdict.EXPECTED,
    vocabulary.Verdict.TRUE_POSITIVE,
)


def theft(at_s: float, *, address: str = "198.51.100.7", secret: str = "app-2-tls") -> list:
    """A workload's credential, used from elsewhere, within its rights."""
    return [
        testing.audit_record(
            time_s=at_s + 10.0 * number,
            user=USER,
            verb=verb,
            resource=resource,
            name=name,
            source_ip=address,
            user_agent="curl/8.5.0",
            audit_id=f"theft-{at_s}-{number}",
        )
        for number, (verb, resource, name) in enumerate([("list", "pods", ""), ("get", "secrets", secret)])
    ]


def admin(at_s: float, *, name: str = "ops", user: str = "ops@example.com") -> list:
    """A binding to cluster-admin, raised whatever the habits are."""
    body = {
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "someone@example.com"}],
    }
    return [
        testing.audit_record(
            time_s=at_s,
            user=user,
            verb="create",
            resource="clusterrolebindings",
            api_group="rbac.authorization.k8s.io",
            namespace="",
            name=name,
            code=201,
            request_object=body,
            audit_id=f"admin-{at_s}-{name}",
        )
    ]


def feed(through: pipeline.Pipeline, records) -> list:
    found = {}
    for one in records:
        for detection in through.process([one], tally=base.Tally()):
            found[detection.uid] = detection
    return list(found.values())


@pytest.fixture(scope="module")
def learned() -> dict:
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES), learn_until_s=LEARN_S)
    assert feed(through, acts.routine()) == []
    return snapshot.unpack(snapshot.pack(through.snapshot()))


@pytest.fixture
def through(learned) -> pipeline.Pipeline:
    made = pipeline.Pipeline(rules=engine.RuleEngine(RULES), learn_until_s=LEARN_S)
    made.restore(learned)
    return made


def ruling(verdict: vocabulary.Verdict, *, until_s: float = 0.0) -> triage.Ruling:
    return triage.Ruling(verdict, until_s=until_s)


NOW_S = testing.START_S + 60 * HOUR_S


@pytest.mark.parametrize("verdict", [FALSE, EXPECTED])
def test_what_was_no_attack_does_not_come_back(through, verdict):
    (found,) = feed(through, theft(NOW_S))
    through.triage(found.uid, ruling(verdict))

    assert feed(through, theft(NOW_S + DAY_S)) == []


def test_without_a_verdict_it_comes_back(through):
    """Otherwise the test above would prove nothing."""
    (found,) = feed(through, theft(NOW_S))
    (again,) = feed(through, theft(NOW_S + 2 * DAY_S))

    assert again.uid != found.uid


def test_true_positive_is_never_learned(through):
    (found,) = feed(through, theft(NOW_S))
    before = snapshot.pack(through.models.dump())
    through.triage(found.uid, ruling(TRUE))

    assert snapshot.pack(through.models.dump()) == before
    assert len(feed(through, theft(NOW_S + 2 * DAY_S))) == 1


def test_something_else_by_the_same_actor_is_still_raised_as_a_new_story(through):
    (found,) = feed(through, theft(NOW_S))
    through.triage(found.uid, ruling(FALSE))
    records = [
        testing.audit_record(
            time_s=NOW_S + 60.0 + number,
            user=USER,
            verb=verb,
            resource=resource,
            namespace=namespace,
            name="",
            source_ip="203.0.113.50",
            user_agent="python-requests/2.33",
        )
        for number, (verb, resource, namespace) in enumerate(
            [("list", "secrets", "pay"), ("list", "secrets", "shop"), ("deletecollection", "configmaps", "pay")]
        )
    ]
    (other,) = feed(through, records)

    assert other.uid != found.uid
    assert other.phase is vocabulary.Phase.OPEN


def test_rule_stays_quiet_for_the_same_actor_and_object_and_is_counted(through):
    (found,) = feed(through, admin(NOW_S))
    through.triage(found.uid, ruling(EXPECTED))

    assert feed(through, admin(NOW_S + HOUR_S)) == []
    assert through.verdicts.counts()[found.uid] >= 1
    assert through.verdicts.suppressed == through.verdicts.counts()[found.uid]


OTHERS = {"another object": {"name": "root"}, "another actor": {"user": "eve@example.com"}}


@pytest.mark.parametrize("case", OTHERS)
def test_rule_is_heard_elsewhere(through, case):
    (found,) = feed(through, admin(NOW_S))
    through.triage(found.uid, ruling(EXPECTED))

    assert len(feed(through, admin(NOW_S + HOUR_S, **OTHERS[case]))) == 1


def test_quiet_ends_when_the_verdict_expires(through):
    (found,) = feed(through, admin(NOW_S))
    through.triage(found.uid, ruling(EXPECTED, until_s=NOW_S + HOUR_S))

    assert feed(through, admin(NOW_S + HOUR_S - 1.0)) == []
    assert len(feed(through, admin(NOW_S + HOUR_S))) == 1


def test_quiet_lasts_ninety_days_when_nobody_says_how_long(through):
    (found,) = feed(through, admin(NOW_S))
    through.triage(found.uid, ruling(EXPECTED))

    assert through.verdicts.rulings[found.uid].until_s == NOW_S + 90 * DAY_S


def test_same_verdict_again_changes_nothing(through):
    (found,) = feed(through, theft(NOW_S))
    through.triage(found.uid, ruling(FALSE))
    once = snapshot.pack(through.snapshot())
    through.triage(found.uid, ruling(FALSE))

    assert snapshot.pack(through.snapshot()) == once


def test_verdict_teaches_at_most_what_was_kept(through):
    many = [one for number in range(100) for one in theft(NOW_S + number, secret=f"other-{number}")]
    (found,) = feed(through, many)
    before = through.models.records
    through.triage(found.uid, ruling(FALSE))

    assert 0 < through.models.records - before <= triage.MAX_VECTORS


def test_taking_a_verdict_back_forgets_what_it_taught(through):
    (found,) = feed(through, theft(NOW_S))
    through.triage(found.uid, ruling(FALSE))
    through.triage(found.uid, None)

    assert len(feed(through, theft(NOW_S + DAY_S))) == 1
    assert not through.verdicts.rulings


def test_changed_mind_makes_it_loud_again(through):
    (found,) = feed(through, admin(NOW_S))
    through.triage(found.uid, ruling(FALSE))
    through.triage(found.uid, ruling(TRUE))

    assert len(feed(through, admin(NOW_S + DAY_S))) == 1


def test_verdict_survives_a_restart(through, learned):
    (found,) = feed(through, theft(NOW_S) + admin(NOW_S + 30.0))[:1]
    through.triage(found.uid, ruling(FALSE))
    after = pipeline.Pipeline(rules=engine.RuleEngine(RULES), learn_until_s=LEARN_S)
    after.restore(snapshot.unpack(snapshot.pack(through.snapshot())))
    after.triage(found.uid, ruling(FALSE))

    assert snapshot.pack(after.snapshot()) == snapshot.pack(through.snapshot())
    assert feed(after, theft(NOW_S + DAY_S)) == []


def test_verdict_about_a_forgotten_detection_works_from_its_object(through):
    """After a restart without state, all that is known is what the object says."""
    subject = triage.Subject(
        key="ops@example.com",
        last_s=NOW_S,
        detectors=("cluster-admin-binding", "novelty"),
        targets=(("clusterrolebindings", "", "ops"),),
    )
    ids = {card.id for card in through.rules.cards}
    subject = triage.Subject(subject.key, subject.last_s, tuple(sorted(ids)), subject.targets)
    through.triage("unknown", ruling(FALSE), subject=subject)

    assert feed(through, admin(NOW_S + HOUR_S)) == []
    assert len(feed(through, admin(NOW_S + HOUR_S, name="root"))) == 1


def test_memory_is_bounded(through, monkeypatch):
    monkeypatch.setattr(triage, "MAX_KEPT", 3)
    monkeypatch.setattr(triage, "MAX_RULINGS", 3)
    for number in range(8):
        (found,) = feed(through, admin(NOW_S + number, user=f"user-{number}@example.com"))
        through.triage(found.uid, ruling(FALSE))

    assert len(through.verdicts.rulings) == 3
    assert len(through.verdicts.dump()["material"]) == 3
    assert not through.verdicts.about("user-0@example.com")
    assert through.verdicts.about("user-7@example.com")


def test_what_an_exception_silences_is_counted(through):
    body = {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "ClusterDetectionPolicy",
        "metadata": {"name": "drill"},
        "spec": {"exceptions": [{"name": "ops", "reason": "drill", "match": {"actors": ["ops@example.com"]}}]},
    }
    through.policies = policy.PolicySet([policy_compile.compile_body(body)])

    assert feed(through, admin(NOW_S)) == []
    assert through.judge.excepted >= 1
    silenced = through.judge.excepted
    assert len(feed(through, admin(NOW_S + 60.0, user="eve@example.com"))) == 1
    assert through.judge.excepted == silenced
