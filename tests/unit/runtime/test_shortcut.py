"""With and without the shortcut for quiet records, the same is raised and the same is learned."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable
from typing import Any

import checkpoint_stream
import pytest

from riverwatch import testing, vocabulary
from riverwatch.activity import normalise, record
from riverwatch.detections import render
from riverwatch.models import credential, routine
from riverwatch.rules import engine, loading, sigma
from riverwatch.runtime import pipeline, shortcut
from riverwatch.scoring import policy, policy_compile, triage
from riverwatch.sources import base
from riverwatch.state import snapshot

RULES = loading.load_catalog()
STREAM = checkpoint_stream.records(size=2_000)
"""Five days in 2,000 steps, with odd records, copies and late ones."""

BATCH = 80
HEARTBEAT = """
title: Somebody reads a config map
id: 5c1d1f8e-6a6b-4d3a-9d52-0f6c2b9a7a11
status: stable
description: made up for a test
author: riverwatch
level: low
logsource:
    product: kubernetes
    service: audit
detection:
    selection:
        verb: get
        objectRef.resource: configmaps
    condition: selection
"""

Change = Callable[[pipeline.Pipeline], None]


def policies(mode: str, **more: object) -> Change:
    """Put one policy for all namespaces in force."""
    body = {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "ClusterDetectionPolicy",
        "metadata": {"name": "one"},
        "spec": {"mode": mode, "namespaceSelector": {"matchNames": ["*"]}, **more},
    }
    return lambda one: setattr(one, "policies", policy.PolicySet([policy_compile.compile_body(body)]))


def put(name: str, value: object) -> Change:
    """Set an attribute of the pipeline."""
    return lambda one: setattr(one, name, value)


def reload_rules(one: pipeline.Pipeline) -> None:
    """Put a user's rule in force."""
    one.rules.replace_user_rules("mine", sigma.compile_text(HEARTBEAT, origin="mine.yml"))


def restart(one: pipeline.Pipeline) -> None:
    """Take over what was stored a moment ago."""
    one.restore(snapshot.unpack(snapshot.pack(one.snapshot())))


def excuse(one: pipeline.Pipeline) -> None:
    """Call everything that was raised so far a false alarm."""
    material: Any = one.verdicts.dump()["material"]
    for uid, _ in material:
        one.triage(uid, triage.Ruling(vocabulary.Verdict.FALSE_POSITIVE))


def add_pods(one: pipeline.Pipeline) -> None:
    """Tell of pods that live where the accounts are used from."""
    for app in range(8):
        one.inventory.upsert(
            "Pod",
            {
                "metadata": {"namespace": "web", "name": f"app-{app}-1"},
                "spec": {"serviceAccountName": f"app-{app}"},
                "status": {"podIP": f"10.4.0.{10 + app}"},
            },
        )


CHANGES: dict[str, dict[int, Change]] = {
    "nothing changes": {},
    "models rest for a while": {8: put("models_rest", value=True), 14: put("models_rest", value=False)},
    "rules alone, then all": {4: policies("RulesOnly"), 20: policies("Detect")},
    "models alone, then all": {4: policies("LearnOnly"), 16: policies("Detect", alertBudget={"perDay": 1})},
    "switched off for a while": {9: policies("Disabled"), 12: policies("Detect")},
    "a namespace is frozen": {6: put("frozen", frozenset({"web"})), 18: put("frozen", frozenset())},
    "an identity turns out to be our own": {7: put("own_usernames", frozenset({"system:serviceaccount:pay:app-3"}))},
    "a rule is added": {10: reload_rules},
    "the program starts again": {5: restart, 21: restart},
    "false alarms": {18: excuse, 24: excuse},
    "pods become known": {11: add_pods},
}
"""What happens between two batches, by number of the batch that comes next."""


def life(changes: dict[int, Change]) -> list[object]:
    """Run the stream through a pipeline; return what was raised, all state, and the counts."""
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES), learn_until_s=checkpoint_stream.LEARN_S)
    tally, raised = base.Tally(), list[bytes]()
    for number in range(0, len(STREAM), BATCH):
        changes.get(number // BATCH, lambda _: None)(through)
        batch = STREAM[number : number + BATCH]
        tally.read += len(batch)
        found = through.process(batch, tally=tally)
        raised += [snapshot.pack([one.revision, render.to_threat_detection(one)]) for one in found]
    return [raised, snapshot.pack(through.snapshot()), tally.skipped]


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_differs_without_it(monkeypatch, name):
    if name == "pods become known":
        # What the inventory says is believed for a while; here it is asked for every record.
        monkeypatch.setattr(routine, "ASK_AGAIN_S", 0.0)
    passed = collections.Counter()
    step = pipeline.Pipeline.step

    def counting(through, *args, **more):
        passed["slow"] += 1
        return step(through, *args, **more)

    monkeypatch.setattr(pipeline.Pipeline, "step", counting)
    short = life(CHANGES[name])
    assert passed["slow"] < len(STREAM) * 0.8
    monkeypatch.setattr(shortcut.Shortcut, "remember", lambda *_, **__: None)
    assert life(CHANGES[name]) == short


def known_life(**more: Any) -> list[record.AuditRecord]:
    """Return one account at its routine, once a second."""
    return [
        testing.audit_record(time_s=testing.START_S + second, audit_id=f"one-{second}", **more) for second in range(60)
    ]


def slow(through: pipeline.Pipeline, records: Iterable[record.AuditRecord], tally: base.Tally | None = None) -> int:
    """Return how many records of a batch are judged the long way; they are judged."""
    found = 0
    for one in through._shortcut.strange(records, tally=tally or base.Tally(), fail=pytest.fail):
        found += 1
        activity = through._admitted(one, tally or base.Tally(), "")
        if activity is not None:
            through.step(activity, base.Tally(), found=one)
    return found


@pytest.fixture
def settled() -> pipeline.Pipeline:
    """A pipeline that knows the routine of one account."""
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    slow(through, known_life())
    return through


def next_one(**more: Any) -> record.AuditRecord:
    """Return the next record of the routine, or something else."""
    return testing.audit_record(**{"time_s": testing.START_S + 61.0, "audit_id": "next", **more})


def test_a_known_record_is_passed_and_counted(settled):
    used = settled.used
    assert slow(settled, [next_one()]) == 0
    assert (settled.used, settled.models.records) == (used + 1, used + 1)
    assert settled.learning.now_s == testing.START_S + 61.0


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "delete"},
        {"source_ip": "198.51.100.7"},
        {"user_agent": "curl/8.5.0"},
        {"name": "other"},
        {"code": 403},
        {"user": "system:serviceaccount:web:back"},
        {"time_s": testing.START_S + 7_200.0},
        {"time_s": testing.START_S + 50 * 365 * 86_400.0},
        {"stage": "RequestReceived"},
    ],
    ids=", ".join,
)
def test_another_record_is_not(settled, change):
    assert slow(settled, [next_one(**change)]) == 1


def test_every_helm_release_is_noted_however_well_known_it_is():
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    release = {"resource": "secrets", "name": "sh.helm.release.v1.web.v2", "verb": "create", "code": 201}
    assert slow(through, known_life(**release)) == 60
    last = normalise.from_audit(next_one(**release))
    assert through.judge.releases.explains(last)


@pytest.mark.parametrize("stamp", [None, "", "yesterday", "0001-01-01T00:00:00Z", "9999999-01-01T00:00:00.0Z"])
def test_a_known_record_without_a_usable_time_is_not(settled, stamp):
    odd = next_one()
    odd.request_received_timestamp = stamp
    assert slow(settled, [odd]) == 1


@pytest.mark.parametrize("tail", ["25000aZ", "250000+", "25Z      ", " 5000 Z", "2_0000Z"])
def test_a_time_is_no_time_because_its_second_was_read_before(settled, tail):
    plain, odd = next_one(), next_one(audit_id="odd")
    plain.request_received_timestamp = f"{odd.request_received_timestamp[:20]}500000Z"
    odd.request_received_timestamp = f"{odd.request_received_timestamp[:20]}{tail}"
    assert slow(settled, [plain, odd]) == 1


def test_rules_alone_pass_what_they_are_silent_about():
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    through.models_rest = True
    assert slow(through, known_life()) == 1
    assert (through.used, through.models.records) == (60, 0)


def test_a_copy_is_counted_as_one(settled):
    tally = base.Tally()
    assert slow(settled, [next_one(), next_one()], tally) == 0
    assert tally.skipped == {base.SkipReason.DUPLICATE: 1}


@pytest.mark.parametrize(
    "named",
    [{"authentication.kubernetes.io/credential-id": ["JTI=1"]}, {}],
    ids=["by its id", "before Kubernetes 1.30, by its pod"],
)
def test_a_token_from_a_second_address_is_judged(named):
    token = named | {
        "authentication.kubernetes.io/pod-name": ["front-1"],
        "authentication.kubernetes.io/pod-uid": ["7"],
    }
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    slow(through, [*known_life(extra=token), *known_life(user="system:serviceaccount:web:back", source_ip="10.4.9.9")])
    elsewhere = next_one(extra=token, user="system:serviceaccount:web:back", source_ip="10.4.9.9")
    assert slow(through, [next_one(extra=token)]) == 0
    assert slow(through, [elsewhere]) == 1


def test_a_token_that_was_everywhere_is_judged_where_it_began():
    token = {
        "authentication.kubernetes.io/credential-id": ["JTI=1"],
        "authentication.kubernetes.io/pod-name": ["front-1"],
    }
    through = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    slow(through, known_life(extra=token))
    for number in range(100):
        # Tokens do not move as a rule.
        through.models.credentials.learn(credential.Use(f"JTI=other-{number // 2}", "token", "pod web/x", "10.4.1.1"))
    places = [f"198.51.{place}.7" for place in range(credential.MAX_ADDRESSES + 1)]
    slow(through, [next_one(extra=token, source_ip=place, audit_id=place) for place in places])
    assert slow(through, [next_one(extra=token)]) == 1


def test_a_failure_costs_one_record(settled, monkeypatch):
    failed = []
    monkeypatch.setattr(settled.models.credentials, "opinion", lambda _: 1 / 0)
    token = {
        "authentication.kubernetes.io/credential-id": ["JTI=1"],
        "authentication.kubernetes.io/pod-name": ["front-1"],
    }
    records = [next_one(extra=token), next_one(audit_id="after")]
    left = list(settled._shortcut.strange(records, tally=base.Tally(), fail=lambda *what: failed.append(what)))
    assert [(place, type(error)) for place, error in failed] == [(0, ZeroDivisionError)]
    assert not left
