"""The promises of the whole: quiet, explained, score then learn, same result everywhere."""

from __future__ import annotations

import acts
import msgspec
import pytest

from riverwatch import testing, vocabulary
from riverwatch.activity import record
from riverwatch.detections import render
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.scoring import learning, policy, policy_compile
from riverwatch.sources import base

HOUR_S = 3_600.0
LEARN_S = testing.START_S + 48 * HOUR_S

RULES = engine.load_catalog()


def theft(*, at_s: float, user: str = "system:serviceaccount:web:app-1") -> list:
    """The credential of a workload, used from elsewhere, within its rights."""
    return [
        testing.audit_record(
            time_s=at_s + 10.0 * number,
            user=user,
            verb=verb,
            resource=resource,
            name=name,
            source_ip="198.51.100.7",
            user_agent="curl/8.5.0",
            audit_id=f"theft-{number}",
        )
        for number, (verb, resource, name) in enumerate(
            [("list", "pods", ""), ("get", "secrets", "app-1-tls"), ("get", "secrets", "app-2-tls")]
        )
    ]


def odd_morning(at_s: float) -> list:
    """The same workload, from its own place with its own client, does what it never did."""
    return [
        testing.audit_record(
            time_s=at_s + number,
            verb="delete",
            resource=resource,
            namespace="web",
            name="front",
            user="system:serviceaccount:web:app-1",
            source_ip="10.4.1.19",
            user_agent="app-1/1.0",
        )
        for number, resource in enumerate(("deployments", "statefulsets", "daemonsets"))
    ]


def in_order(*records) -> list:
    return sorted(records, key=lambda one: one.request_received_timestamp)


def run(records, *, rules=RULES, policies=policy.DEFAULT, learn_until_s=LEARN_S, batch=97):
    through = pipeline.Pipeline(rules=engine.RuleEngine(rules), policies=policies, learn_until_s=learn_until_s)
    tally = base.Tally()
    found = {}
    for start in range(0, len(records), batch):
        part = records[start : start + batch]
        tally.read += len(part)
        for detection in through.process(part, tally=tally):
            found[detection.uid] = detection
    return list(found.values()), through, tally


def bodies(found) -> list[bytes]:
    return [msgspec.json.encode(render.to_threat_detection(detection)) for detection in found]


def test_routine_life_raises_nothing():
    found, _, tally = run(acts.routine())
    assert found == []
    assert tally.used == tally.read


def test_a_stolen_credential_within_its_rights_is_one_explained_detection():
    at_s = LEARN_S + 2 * HOUR_S
    found, _, _ = run(sorted(acts.routine() + theft(at_s=at_s), key=lambda one: one.request_received_timestamp))
    (one,) = found
    assert one.actor.name == "app-1"
    assert one.namespace == "web"
    assert one.use_case is vocabulary.UseCase.CREDENTIAL_MISUSE
    assert {item.audit_id for item in one.evidence} == {"theft-0", "theft-1", "theft-2"}
    assert {"network", "agent"} <= {reason.feature for reason in one.explanation}
    network = next(reason for reason in one.explanation if reason.feature == "network")
    assert "10.4.1.0/24" in network.expected
    assert "198.51.100.0/24" in network.text
    assert "10.4.1.0/24" in one.counterfactual
    assert one.observed_at_s == at_s


def test_without_models_the_same_theft_is_not_seen():
    policies = policy.PolicySet(
        [
            policy_compile.compile_body(
                {
                    "apiVersion": "riverwatch.dev/v1alpha1",
                    "kind": "ClusterDetectionPolicy",
                    "metadata": {"name": "rules-only"},
                    "spec": {"mode": "RulesOnly", "namespaceSelector": {"matchNames": ["*"]}},
                }
            )
        ]
    )
    found, _, _ = run(acts.routine() + theft(at_s=LEARN_S + 13 * HOUR_S), policies=policies)
    assert not any(detection.kind is vocabulary.DetectionKind.ANOMALY for detection in found)


def test_nothing_is_raised_before_the_end_of_learning():
    early = theft(at_s=LEARN_S - 5 * HOUR_S)
    found, _, _ = run(sorted(acts.routine() + early, key=lambda one: one.request_received_timestamp))
    assert found == []


def test_what_was_flagged_is_not_learned():
    first, second = theft(at_s=LEARN_S + 13 * HOUR_S), theft(at_s=LEARN_S + 13 * HOUR_S + 49 * HOUR_S)
    found, _, _ = run(acts.routine() + first + second)
    assert len(found) == 2, "two days apart they are two incidents, and the first taught nothing"


def test_one_actor_and_incident_is_one_object_that_grows():
    records = acts.routine() + theft(at_s=LEARN_S + 13 * HOUR_S) + theft(at_s=LEARN_S + 15 * HOUR_S)
    found, _, _ = run(records)
    assert len(found) == 1
    assert found[0].evidence_count > 3


def test_batches_do_not_matter():
    records = acts.routine() + theft(at_s=LEARN_S + 13 * HOUR_S)
    assert bodies(run(records, batch=1)[0]) == bodies(run(records, batch=1_000)[0])


def test_the_same_stream_gives_the_same_bytes():
    records = acts.routine() + theft(at_s=LEARN_S + 13 * HOUR_S)
    assert bodies(run(records)[0]) == bodies(run(records)[0])


def test_a_second_delivery_changes_nothing():
    records = acts.routine() + theft(at_s=LEARN_S + 13 * HOUR_S)
    doubled = [one for record in records for one in (record, record)]
    found, _, tally = run(doubled)
    assert bodies(found) == bodies(run(records)[0])
    assert tally.skipped[base.SkipReason.DUPLICATE] == len(records)


def test_a_borrowed_audit_id_does_not_hide_a_request():
    harmless = acts.routine()
    attack = theft(at_s=LEARN_S + 13 * HOUR_S)
    for one, victim in zip(attack, harmless[-3:], strict=True):
        one.audit_id = victim.audit_id
    found, _, tally = run(harmless + attack)
    assert len(found) == 1
    assert base.SkipReason.DUPLICATE not in tally.skipped


def test_high_rule_hits_are_raised_without_any_history():
    (one,), _, _ = run([acts.cluster_admin()], learn_until_s=None)
    assert one.severity.rank >= vocabulary.Severity.HIGH.rank
    assert one.namespace == ""
    assert one.recommendations


def test_own_requests_are_counted_and_passed_over():
    through = pipeline.Pipeline(
        rules=engine.RuleEngine(RULES), own_usernames=frozenset({"system:serviceaccount:rw:riverwatch"})
    )
    tally = base.Tally()
    tally.read = 1
    own = testing.audit_record(user="system:serviceaccount:rw:riverwatch", verb="list", resource="secrets", name="")
    assert through.process([own], tally=tally) == []
    assert tally.skipped == {base.SkipReason.OWN_IDENTITY: 1}


BROKEN = {
    "without a user": ({"user": None}, base.SkipReason.MISSING_USER),
    "refused before anybody was known": (
        {"user": None, "response_status": record.ResponseStatus(code=401)},
        base.SkipReason.UNAUTHENTICATED,
    ),
    "without any time": (
        {"request_received_timestamp": None, "stage_timestamp": "never"},
        base.SkipReason.MISSING_TIMESTAMP,
    ),
    "without a verb": ({"verb": ""}, base.SkipReason.MISSING_VERB),
    "before the result": ({"stage": "RequestReceived"}, base.SkipReason.STAGE_RECEIVED),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_unusable_record_is_counted_and_the_rest_goes_on(case):
    changes, reason = BROKEN[case]
    broken = testing.audit_record()
    for name, value in changes.items():
        setattr(broken, name, value)
    _, through, tally = run([broken, testing.audit_record()])
    assert tally.skipped == {reason: 1}
    assert through.used == 1


def test_a_record_without_object_status_and_agent_is_judged():
    bare = testing.audit_record()
    bare.object_ref = bare.response_status = bare.user_agent = bare.source_ips = None
    _, through, _ = run([bare])
    assert through.used == 1


def test_a_clock_that_goes_backwards_does_no_harm():
    records = acts.routine()
    for one in records[::50]:
        one.request_received_timestamp = "2001-01-01T00:00:00.000000Z"
    found, through, tally = run(records)
    assert through.used + tally.skipped_total == tally.read
    assert found == []


def test_one_time_far_ahead_is_counted_and_moves_nothing():
    far = testing.audit_record(time_s=testing.START_S + 4_000 * 24 * HOUR_S, audit_id="far")
    life = acts.routine()
    with_it, _, tally = run([*life[:500], far, *life[500:]])
    assert tally.skipped[base.SkipReason.FAR_FUTURE] == 1
    assert "three years" in tally.recent[-1].detail
    assert bodies(with_it) == bodies(run(life)[0])


def test_a_gap_that_many_records_agree_on_is_believed():
    later_s = testing.START_S + 4_000 * 24 * HOUR_S
    later = [testing.audit_record(time_s=later_s + number, audit_id=f"later-{number}") for number in range(40)]
    _, through, tally = run([*acts.routine(), *later])
    assert tally.skipped[base.SkipReason.FAR_FUTURE] == learning.BELIEVED_AFTER - 1
    assert through.learning.now_s == later_s + 39


def test_a_record_that_makes_us_fail_costs_itself_alone(monkeypatch):
    life = acts.routine()[:50]
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    judge = through.step

    def failing(activity, tally, *, found):
        if activity.audit_id == life[20].audit_id:
            raise ZeroDivisionError("of all things")
        return judge(activity, tally, found=found)

    monkeypatch.setattr(through, "step", failing)
    tally = base.Tally()
    through.process(life, tally=tally, where="audit.jsonl:1")
    assert through.used == 49
    (skip,) = [one for one in tally.recent if one.reason is base.SkipReason.FAULT]
    assert (skip.reason, skip.where) == (base.SkipReason.FAULT, "audit.jsonl:1 (record 21 from there)")
    assert "of all things" in skip.detail
    assert "failing" in skip.detail


def test_pod_bound_token_from_a_second_address_is_theft():
    records = []
    for step in range(1_500):
        number = step % 30
        records.append(
            testing.audit_record(
                time_s=testing.START_S + step * 120.0,
                user="system:serviceaccount:web:front",
                source_ip=f"10.4.7.{number}",
                extra={
                    "authentication.kubernetes.io/credential-id": [f"JTI={number}"],
                    "authentication.kubernetes.io/pod-name": [f"front-{number}"],
                },
            )
        )
    stolen = testing.audit_record(
        time_s=LEARN_S + 13 * HOUR_S,
        source_ip="10.9.9.9",
        user_agent="front/1.0",
        extra={
            "authentication.kubernetes.io/credential-id": ["JTI=3"],
            "authentication.kubernetes.io/pod-name": ["front-3"],
        },
    )
    (one,), _, _ = run([*records, stolen])
    assert "credential-binding" in one.detectors
    assert any("10.4.7.3" in reason.text for reason in one.explanation)


def test_models_rest_when_told_and_wake_where_they_were():
    found, through, tally = run(acts.routine())
    assert not found
    before = through.models.records
    through.models_rest = True
    at_s = testing.START_S + 61 * HOUR_S
    assert not through.process(theft(at_s=at_s), tally=tally), "no rule speaks of a theft within the rights"
    assert through.models.records == before, "nothing is learned"
    break_in = acts.cluster_admin(time_s=at_s + 60.0)
    assert through.process([break_in], tally=tally), "rules go on"
    through.models_rest = False
    again = [msgspec.structs.replace(one, audit_id=f"{one.audit_id}-again") for one in theft(at_s=at_s + 120.0)]
    assert through.process(again, tally=tally), "the models know what they knew"


def test_grave_rules_spend_no_budget_of_what_is_weak():
    """Twenty bindings to cluster-admin by as many accounts leave room for a weak finding."""
    records = acts.routine()
    records += [
        acts.cluster_admin(time_s=LEARN_S + 60.0 * number, user=f"system:serviceaccount:team-{number}:ci")
        for number in range(20)
    ]
    _, through, _ = run(in_order(*records))
    assert len(through.folder.open) >= 20
    assert through.judge.budget.dump()["raised"] == {}


def test_a_graver_story_is_not_hidden_in_an_odd_morning_of_the_same_account():
    """Hours after something merely odd, the same account is used for a break-in: two incidents, not one."""
    user = "system:serviceaccount:web:app-1"
    grave = [acts.cluster_admin(time_s=LEARN_S + 5 * HOUR_S, user=user)]
    found, _, _ = run(in_order(*acts.routine(), *odd_morning(LEARN_S + HOUR_S), *grave))
    assert [one.severity for one in found] == [vocabulary.Severity.LOW, vocabulary.Severity.HIGH]
    assert found[1].first_seen_s >= LEARN_S + 5 * HOUR_S


def test_a_story_that_becomes_graver_stays_one():
    user = "system:serviceaccount:web:app-1"
    grave = [acts.cluster_admin(time_s=LEARN_S + HOUR_S + 60.0, user=user)]
    found, _, _ = run(in_order(*acts.routine(), *odd_morning(LEARN_S + HOUR_S), *grave))
    assert [one.severity for one in found] == [vocabulary.Severity.HIGH]


def test_an_odd_hour_after_a_break_in_does_not_rename_it():
    """What the same account does later, and less grave, joins the incident; the title stays the break-in's."""
    user = "system:serviceaccount:web:app-1"
    grave = [acts.cluster_admin(time_s=LEARN_S + HOUR_S, user=user)]
    approval = testing.audit_record(
        time_s=LEARN_S + 9 * HOUR_S,
        user=user,
        verb="update",
        resource="certificatesigningrequests",
        subresource="approval",
        api_group="certificates.k8s.io",
        namespace="",
        name="csr-8h2vq",
        source_ip="10.4.1.19",
        user_agent="app-1/1.0",
    )
    (alone,), _, _ = run(in_order(*acts.routine(), *grave))
    found, _, _ = run(in_order(*acts.routine(), *grave, approval))
    assert [(one.title, one.severity) for one in found] == [(alone.title, vocabulary.Severity.HIGH)]
    assert [item.audit_id for item in found[0].evidence][-1] == approval.audit_id
