"""The engine: index, faults of single rules, user rules, stages of one request, state; and what a hit says."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import msgspec
import pytest

from riverwatch import errors
from riverwatch.activity import derived, record, sample
from riverwatch.rules import base, conditions, engine, nodes, plans, rule, sigma

HEAD = "title: {name}\nname: {name}\nlogsource: {{product: kubernetes, service: audit}}\nlevel: low\n"


def compiled(detection: str, *, name: str = "example") -> tuple[rule.Rule, ...]:
    text = HEAD.format(name=name) + f"detection:\n  s: {{{detection}}}\n  condition: s\n"
    return sigma.compile_text(text, origin=f"{name}.yml")


def judge(*detections: str) -> engine.RuleEngine:
    return engine.RuleEngine([one for n, text in enumerate(detections) for one in compiled(text, name=f"rule-{n}")])


def ids(hits: Any) -> list[str]:
    return [hit.card.id for hit in hits]


def match(rules: engine.RuleEngine, **fields: Any) -> Any:
    return rules.match(sample.activity_of(sample.audit_record(**fields)))


def broken(test: Any, *, name: str = "broken") -> rule.Rule:
    whole = compiled("verb: get", name=name)[0]
    assert whole.condition is not None
    leaf = nodes.Leaf("verb", lambda facts: facts.activity.verb, test, lone=False)
    return msgspec.structs.replace(whole, condition=msgspec.structs.replace(whole.condition, node=leaf))


def test_nothing_to_say_is_one_constant() -> None:
    rules = judge("verb: create")
    assert match(rules, verb="get") is engine.NO_HITS
    assert match(rules, verb="get", resource="nodes") is engine.NO_HITS


def test_hits_come_in_the_order_of_the_rules() -> None:
    rules = judge("objectRef.resource: pods", "verb: get", "user.username|contains: ana")
    assert ids(match(rules)) == ["rule-0", "rule-1", "rule-2"]


INDEXED = [
    "verb: [create, delete]",
    "objectRef.resource: secrets",
    "objectRef.subresource: exec",
    "objectRef.subresource: null",
    "request.refused: true",
    "request.succeeded: true",
    "responseStatus.code: 404",
    "identity.kind: Node",
    "identity.kind: ServiceAccount",
    "request.anonymous: true",
    "impersonatedUser.username|exists: true",
    "impersonatedUser.username: null",
    "source.public: true",
    "source.public: false",
    "userAgent|startswith: curl/",
    "identity.controlPlane: true",
    "user.username: SYSTEM:ANONYMOUS",
    "exec.line|contains: id",
    "pod.privileged: true",
    "pod.name|startswith: x",
    "proxy.path: /pods",
    "binding.role: ClusterRole/x",
    "token.expirationSeconds|gt: 5",
]

SHAPES = [
    dict(
        zip(
            (
                "verb",
                "resource",
                "subresource",
                "code",
                "username",
                "groups",
                "source_ip",
                "user_agent",
                "impersonated",
            ),
            v,
            strict=True,
        )
    )
    for v in itertools.product(
        ("create", "get"),
        ("pods", "secrets"),
        ("", "exec", "proxy", "token"),
        (200, 403, 404),
        ("ana", "system:anonymous", "system:node:n1", "system:serviceaccount:web:x", "system:kube-scheduler"),
        (("system:nodes",),),
        ("10.0.0.1", "203.0.113.1"),
        ("kubectl/v1", "curl/8"),
        (None, {"username": "bo"}),
    )
]


@pytest.fixture(scope="module")
def shaped() -> list[tuple[dict[str, Any], record.Activity]]:
    """One request of every shape."""
    body = {"spec": {"containers": [{"securityContext": {"privileged": True}}], "expirationSeconds": 9}}
    uri = "/api/v1/nodes/n1/proxy/pods?command=id"
    made = []
    for number, shape in enumerate(SHAPES):
        fields = sample.audit_record(**shape, name="x1", request_object=body, request_uri=uri, audit_id=f"a{number}")
        made.append((shape, sample.activity_of(fields)))
    return made


@pytest.mark.parametrize("negated", [False, True], ids=["plain", "negated"])
@pytest.mark.parametrize("detection", INDEXED)
def test_the_index_loses_no_hit(shaped: Any, detection: str, *, negated: bool) -> None:
    """The index may only leave out rules whose condition does not hold."""
    text = HEAD.format(name="x") + f"detection:\n  s: {{{detection}}}\n  condition: {'not ' if negated else ''}s\n"
    compiled_rules = sigma.compile_text(text, origin="x.yml")
    condition = compiled_rules[0].condition
    assert condition is not None
    rules = engine.RuleEngine(compiled_rules)
    for shape, activity in shaped:
        assert bool(rules.match(activity)) == condition.test(derived.Facts(activity)), shape


def test_a_rule_that_keeps_raising_is_off_and_the_others_go_on() -> None:
    def fail(_facts: derived.Facts) -> bool:
        raise RuntimeError("inside the rule")

    rules = engine.RuleEngine([broken(fail), *compiled("verb: get", name="good")])
    for number in range(engine.MAX_FAULTS + 3):
        assert ids(match(rules, audit_id=f"a{number}")) == ["good"]
    assert list(rules.disabled) == ["broken"]
    assert "RuntimeError: inside the rule" in rules.disabled["broken"]
    assert rules.faults["broken"] == engine.MAX_FAULTS


def test_one_odd_record_does_not_switch_a_rule_off() -> None:
    calls = iter([True, False, False, False])

    def fail_once(_facts: derived.Facts) -> bool:
        if next(calls):
            raise ValueError("odd record")
        return True

    rules = engine.RuleEngine([broken(fail_once)])
    assert [ids(match(rules, audit_id=f"a{n}")) for n in range(3)] == [[], ["broken"], ["broken"]]
    assert rules.disabled == {}


def test_user_rules_take_effect_and_go_without_restart() -> None:
    rules = judge("verb: delete")
    assert match(rules) is engine.NO_HITS
    rules.replace_user_rules("mine", compiled("verb: get", name="mine"))
    assert ids(match(rules)) == ["mine"]
    rules.replace_user_rules("mine", compiled("verb: list", name="mine"))
    assert match(rules) is engine.NO_HITS
    rules.replace_user_rules("mine", ())
    assert match(rules, verb="list") is engine.NO_HITS
    assert [card.id for card in rules.cards] == ["rule-0"]


def test_a_user_rule_may_not_take_the_id_of_another() -> None:
    rules = judge("verb: delete")
    with pytest.raises(errors.BadRuleError, match="'rule-0' is taken"):
        rules.replace_user_rules("mine", compiled("verb: get", name="rule-0"))
    rules.replace_user_rules("mine", compiled("verb: get", name="own"))
    with pytest.raises(errors.BadRuleError, match="'own' is taken"):
        rules.replace_user_rules("other", compiled("verb: get", name="own"))
    assert ids(match(rules)) == ["own"]


def test_a_new_version_of_a_disabled_user_rule_gets_a_new_chance() -> None:
    def fail(_facts: derived.Facts) -> bool:
        raise RuntimeError

    rules = engine.RuleEngine(())
    rules.replace_user_rules("mine", [broken(fail, name="mine")])
    for number in range(engine.MAX_FAULTS):
        match(rules, audit_id=f"a{number}")
    assert list(rules.disabled) == ["mine/mine"]
    rules.replace_user_rules("mine", compiled("verb: get", name="mine"))
    assert rules.disabled == {}
    assert ids(match(rules)) == ["mine"]


def test_two_stages_of_one_request_are_one_hit() -> None:
    rules = judge("verb: get")
    assert ids(match(rules, stage="ResponseStarted")) == ["rule-0"]
    assert match(rules, stage="ResponseComplete") is engine.NO_HITS


def test_a_client_cannot_hide_behind_an_audit_id_it_chose_itself() -> None:
    rules = judge("objectRef.resource: secrets")
    for second in range(3):
        assert ids(match(rules, resource="secrets", audit_id="chosen", time=f"2026-01-15T08:00:0{second}.000000Z"))


def test_records_without_audit_id_are_all_judged() -> None:
    rules = judge("verb: get")
    assert ids(match(rules, audit_id="")) == ids(match(rules, audit_id="")) == ["rule-0"]


def test_a_request_that_was_only_received_is_not_judged() -> None:
    rules = judge("verb: get")
    activity = sample.activity_of(sample.audit_record())
    assert rules.match(msgspec.structs.replace(activity, stage="RequestReceived")) is engine.NO_HITS


def test_memory_is_bounded_however_many_shapes_a_client_invents(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_PLANS", "MAX_NAMES", "MAX_AGENTS", "MAX_ADDRESSES", "MAX_CLASSES"):
        monkeypatch.setattr(plans, name, 100)
    monkeypatch.setattr(engine, "MAX_SEEN", 100)
    rules = judge("verb: get\nuser.username: u7\nobjectRef.namespace: n7".replace("\n", ", "), "verb: get")
    for number in range(450):
        found = match(
            rules,
            resource=f"kind{number}",
            audit_id=f"a{number}",
            user_agent=f"agent{number}",
            username=f"u{number}",
            namespace=f"n{number % 150}",
            source_ip=f"10.0.{number % 250}.{number // 250}",
        )
        assert ids(found) == (["rule-0", "rule-1"] if number == 7 else ["rule-1"])
    index = rules._index
    plans_kept = sum(
        len(clients)
        for one in index.shapes.values()
        for two in one.values()
        for s in two.values()
        for clients in s.values()
    )
    assert plans_kept <= 100
    assert len(index.names) <= 100
    assert len(index.agents) <= 100
    assert len(index.addresses) <= 100
    assert len(rules._seen) <= 100


def test_state_round_trips_as_plain_data() -> None:
    text = (
        HEAD.format(name="base") + "detection:\n  s: {verb: get}\n  condition: s\n---\n"
        "title: many\nname: many\ncorrelation: {type: event_count, rules: [base], group-by: [user.username], "
        "timespan: 1m, condition: {gte: 3}}\n"
    )
    first = engine.RuleEngine(sigma.compile_text(text, origin="x.yml"))
    for number in range(2):
        assert match(first, audit_id=f"a{number}") is engine.NO_HITS
    stored = json.loads(json.dumps(first.snapshot()))
    second = engine.RuleEngine(sigma.compile_text(text, origin="x.yml"))
    second.restore(stored)
    assert match(second, audit_id="a1") is engine.NO_HITS
    assert ids(match(second, audit_id="a2")) == ["many"]
    assert second.snapshot().keys() == stored.keys()


def test_state_of_a_rule_with_another_text_is_dropped() -> None:
    def rules(count: int) -> engine.RuleEngine:
        text = (
            HEAD.format(name="base") + "detection:\n  s: {verb: get}\n  condition: s\n---\n"
            "title: many\nname: many\ncorrelation: {type: event_count, rules: [base], group-by: [user.username], "
            f"timespan: 1m, condition: {{gte: {count}}}}}\n"
        )
        return engine.RuleEngine(sigma.compile_text(text, origin="x.yml"))

    first = rules(4)
    for number in range(3):
        match(first, audit_id=f"a{number}")
    second = rules(3)
    second.restore(first.snapshot())
    assert match(second, audit_id="a9") is engine.NO_HITS


@pytest.mark.parametrize(
    "data", [{}, {"version": 99}, {"version": 1}, {"version": 1, "counters": 3, "seen": []}], ids=str
)
def test_state_of_another_shape_is_an_error(data: dict[str, Any]) -> None:
    with pytest.raises(errors.StateError):
        judge("verb: get").restore(data)


def test_a_hit_says_who_did_what_and_what_matched() -> None:
    text = HEAD.format(name="x") + (
        "detection:\n  s: {objectRef.resource: pods, pod.privileged: true}\n  f: {objectRef.name: other}\n"
        "  condition: s and not f\ncustom: {detail: 'with image {pod.image}'}\n"
    )
    rules = engine.RuleEngine(sigma.compile_text(text, origin="x.yml"))
    body = {"spec": {"containers": [{"image": "busybox", "securityContext": {"privileged": True}}]}}
    hit = match(rules, verb="create", name="tool-x", code=201, request_object=body)[0]
    assert hit.summary == "ana@example.com created pod web/tool-x with image busybox"
    assert dict(hit.matched) == {"objectRef.resource": "pods", "pod.privileged": "True"}


def test_values_of_secrets_are_not_shown() -> None:
    rules = judge("requestObject.data.password|exists: true")
    body = {"data": {"password": "aHVudGVyMg=="}}
    hit = match(rules, verb="create", resource="secrets", code=201, request_object=body)[0]
    assert "aHVudGVyMg" not in hit.summary + str(hit.matched)


SENTENCES = {
    "refused": (
        {"verb": "list", "resource": "secrets", "code": 403},
        "ana@example.com tried to list secrets in web and was refused (403)",
    ),
    "failed": ({"name": "x", "code": 404}, "ana@example.com tried to read pod web/x and failed (404)"),
    "impersonating": ({"name": "x", "impersonated": {"username": "bo"}}, "ana@example.com (as bo) read pod web/x"),
    "cluster-wide": (
        {"verb": "list", "resource": "nodes", "namespace": ""},
        "ana@example.com listed nodes of the cluster",
    ),
    "service account": (
        {"username": "system:serviceaccount:web:front", "verb": "delete", "name": "x"},
        "web/front deleted pod web/x",
    ),
    "no object": ({"resource": "", "namespace": "", "request_uri": "/version"}, "ana@example.com read /version"),
    "exec": (
        {"verb": "create", "subresource": "exec", "name": "x", "code": 101},
        "ana@example.com ran a command in pod web/x",
    ),
    "odd verb": ({"verb": "frob", "name": "x"}, "ana@example.com did frob on pod web/x"),
    "hostile name": ({"name": "a\x1b[2J\nb"}, "ana@example.com read pod web/a\\x1b[2J\\nb"),
}


@pytest.mark.parametrize(("fields", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_sentence(fields: dict[str, Any], expected: str) -> None:
    rules = judge("requestURI|exists: true")
    assert match(rules, **fields)[0].summary == expected


def test_generated_name_is_named() -> None:
    hit = match(
        judge("verb: create"), verb="create", code=201, request_object={"metadata": {"generateName": "front-"}}
    )[0]
    assert hit.summary == "ana@example.com created pod web/front-"


def test_words_of_the_engine_are_frozen() -> None:
    assert not dataclasses.is_dataclass(conditions.Compiled)
    with pytest.raises(AttributeError):
        compiled("verb: get")[0].key = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        compiled("verb: get")[0].card.maturity = base.Maturity.STABLE  # type: ignore[misc]
