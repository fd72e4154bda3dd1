"""The index: changes no verdict, costs nothing for rules on other things, stays bounded against hostile input."""

from __future__ import annotations

import functools
import json
import random
import sys
from typing import Any

import msgspec
import pytest

from riverwatch import errors
from riverwatch.activity import derived, record, sample
from riverwatch.rules import cases, engine, loading, plans, sigma

CATALOG = loading.load_catalog()

MEGABYTE = 1_000_000

OWN = """title: own {n}
logsource: {{product: kubernetes, service: audit}}
detection:
  s: {{objectRef.resource: widgets{n}, verb: [create, delete], objectRef.name|startswith: x}}
  f: {{user.username: 'system:serviceaccount:own:a{n}'}}
  condition: s and not f
"""

KUBELET = {"username": "system:node:n1", "groups": ["system:nodes", "system:authenticated"], "user_agent": "kubelet/v1"}

QUIET: dict[str, dict[str, Any]] = {
    "lease of a kubelet": {"verb": "update", "resource": "leases", "name": "n1", **KUBELET},
    "status of a node": {"verb": "patch", "resource": "nodes", "subresource": "status", "name": "n1", **KUBELET},
    "watch of an application": {"verb": "watch", "resource": "configmaps", "username": "system:serviceaccount:web:a"},
    "list of a person": {"verb": "list", "resource": "services"},
    "refused read": {"verb": "get", "resource": "widgets", "code": 404},
}


def activity(**fields: Any) -> record.Activity:
    return sample.activity_of(sample.audit_record(**fields))


def calls_of(judge: engine.RuleEngine, one: record.Activity) -> int:
    """Count the functions written in Python that one judgement runs."""
    count = 0

    def see(_frame: object, kind: str, _arg: object) -> None:
        nonlocal count
        count += kind == "call"

    sys.setprofile(see)
    try:
        judge.match(one)
    finally:
        sys.setprofile(None)
    return count


@functools.cache
def own_rules(count: int) -> tuple[Any, ...]:
    return tuple(one for n in range(count) for one in sigma.compile_text(OWN.format(n=n), origin=f"own{n}.yml"))


@pytest.mark.parametrize("fields", QUIET.values(), ids=QUIET)
def test_a_known_kind_of_record_that_no_rule_wants_asks_no_rule(fields: dict[str, Any]) -> None:
    judge = engine.RuleEngine(CATALOG)
    one = activity(**fields)
    assert judge.match(one) is engine.NO_HITS
    assert calls_of(judge, one) == 1


@pytest.mark.parametrize("fields", QUIET.values(), ids=QUIET)
def test_five_hundred_rules_on_other_things_add_nothing(fields: dict[str, Any]) -> None:
    judge = engine.RuleEngine([*CATALOG, *own_rules(500)])
    one = activity(**fields)
    assert judge.match(one) is engine.NO_HITS
    assert calls_of(judge, one) == 1


@pytest.mark.parametrize("namespace", ["web", "kube-system"])
def test_rules_that_are_asked_are_no_more_with_five_hundred_others(namespace: str) -> None:
    body = {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
    one = activity(verb="create", resource="deployments", name="x", namespace=namespace, code=201, request_object=body)
    counts = []
    for rules in (CATALOG, [*CATALOG, *own_rules(500)]):
        judge = engine.RuleEngine(rules)
        judge.match(one)
        calls_of(judge, one)
        counts.append(calls_of(judge, one))
    assert counts[0] == counts[1]


def records_of_cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path, _ in loading.rule_files():
        text = loading.catalog_folder().joinpath(path + loading.CASES_ENDING).read_text(encoding="utf-8")
        for case in cases.parse(text, origin=path):
            found += case.records[:3]
    return found


def test_the_index_gives_what_the_whole_conditions_give() -> None:
    """Every record of every rule's cases against all rules, in an order that fills the memories from all sides."""
    given = records_of_cases() * 2
    random.Random(5).shuffle(given)
    judge = engine.RuleEngine(CATALOG)
    whole = [(one.key, one.condition.test) for one in CATALOG if one.condition and one.output]
    alone = {key for key, _ in whole}
    for number, fields in enumerate(given):
        fields = {"requestReceivedTimestamp": sample.DEFAULT_TIME, **fields, "auditID": f"a{number}"}  # noqa: PLW2901
        try:
            one = sample.activity_of(fields)
        except (errors.MalformedRecordError, msgspec.ValidationError):
            continue
        facts = derived.Facts(one)
        expected = [key for key, test in whole if test(facts)]
        got = [hit.card.id for hit in judge.match(one) if hit.card.id in alone and not hit.author]
        assert [key for key in expected if key in got] == got
        missing = set(expected) - set(got)
        assert not missing or "controller" in one.principal.username, (missing, fields)


@pytest.mark.parametrize("impostor_first", [False, True], ids=["kubelet first", "impostor first"])
def test_a_kubelets_name_without_its_group_is_nobody_special(impostor_first: bool) -> None:  # noqa: FBT001 - a case
    judge = engine.RuleEngine(CATALOG)
    common = {"verb": "create", "resource": "clusterrolebindings", "name": "x", "namespace": "", "code": 201}
    body = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "x"}]}
    real = activity(**common, **KUBELET, request_object=body, audit_id="real")
    false = activity(**common, **(KUBELET | {"groups": ["x"]}), request_object=body, audit_id="false")
    order = [false, real, false, real] if impostor_first else [real, false, real, false]
    told = {id(real): set(), id(false): set()}
    for one in order:
        told[id(one)] |= {hit.card.id for hit in judge.match(one)}
    assert told[id(real)] == set()
    assert "binding-written" in told[id(false)]


def test_somebody_impersonated_is_told_from_nobody() -> None:
    judge = engine.RuleEngine(CATALOG)
    plain = {"verb": "list", "resource": "secrets", "user_agent": "kubectl/v1"}
    as_admin = plain | {"impersonated": {"username": "admin", "groups": ["system:masters"]}}
    for number in range(2):
        without = {hit.card.id for hit in judge.match(activity(**plain, audit_id=f"a{number}"))}
        with_it = {hit.card.id for hit in judge.match(activity(**as_admin, audit_id=f"b{number}"))}
        assert "privileged-impersonation" not in without
        assert "privileged-impersonation" in with_it


HUGE = {
    "name": {"name": "x" * MEGABYTE},
    "user": {"username": "u" * MEGABYTE},
    "agent": {"user_agent": "kube-hunter" + "a" * MEGABYTE},
    "verb": {"verb": "v" * MEGABYTE},
    "resource": {"resource": "r" * MEGABYTE},
    "subresource": {"subresource": "s" * MEGABYTE},
    "namespace": {"namespace": "n" * MEGABYTE},
    "address": {"source_ip": "1" * MEGABYTE},
    "address of the request": {"request_uri": "/" + "%2fbin%2fsh" * 90_000},
    "group": {"groups": ["g" * MEGABYTE]},
}


@pytest.mark.parametrize("fields", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("verb", ["list", "create"])
def test_a_megabyte_anywhere_is_judged_and_not_kept(verb: str, fields: dict[str, Any]) -> None:
    judge = engine.RuleEngine(CATALOG)
    for number in range(3):
        given = {"verb": verb, "resource": "secrets", "audit_id": f"a{number}", "code": 200} | fields
        for hit in judge.match(activity(**given)):
            assert len(hit.summary) <= 3_600
            assert all(len(value) <= 1_200 for _, value in hit.matched)
    assert not judge.faults
    index = judge._index
    kept = [
        *index.names,
        *index.agents,
        *index.addresses,
        *index.shapes,
        *(r for s in index.shapes.values() for r in s),
    ]
    assert all(len(key) <= plans.MAX_KEY_CHARS for key in kept)
    assert len(json.dumps(judge.snapshot())) < 20_000


def test_an_expression_that_would_take_forever_elsewhere_takes_one_pass() -> None:
    text = (
        "title: slow\nlogsource: {product: kubernetes, service: audit}\n"
        "detection:\n  s: {objectRef.name|re: '^(a+)+$'}\n  condition: s\n"
    )
    judge = engine.RuleEngine(sigma.compile_text(text, origin="slow.yml"))
    assert judge.match(activity(name="a" * MEGABYTE + "!")) is engine.NO_HITS
    assert len(judge.match(activity(name="a" * 100))) == 1


def test_a_broken_rule_among_good_ones_is_off_alone(tmp_path: Any) -> None:
    """As people meet it: a folder of rules of which one has a typing error."""
    good, bad = sigma.compile_text(OWN.format(n=1), origin="good.yml"), OWN.format(n=2).replace("verb", "verbb")
    with pytest.raises(errors.BadRuleError, match=r"bad\.yml.*'verbb'.*did you mean 'verb'"):
        sigma.compile_text(bad, origin=str(tmp_path / "bad.yml"))
    judge = engine.RuleEngine(CATALOG)
    judge.replace_user_rules("good", good)
    assert len(judge.match(activity(verb="create", resource="widgets1", name="x1"))) == 1


ASKS_WHERE = """title: where {n}
logsource: {{product: kubernetes, service: audit}}
detection:
  s: {{verb: get, objectRef.resource: widgets, objectRef.name|startswith: x}}
  f: {{objectRef.namespace: [kube-system, {where}]}}
  u: {{user.username: 'system:serviceaccount:own:a'}}
  condition: s and not f and not u
"""


def asking_where() -> engine.RuleEngine:
    texts = [ASKS_WHERE.format(n=n, where=where) for n, where in enumerate(("shop", "pay", "shop"))]
    return engine.RuleEngine(one for n, text in enumerate(texts) for one in sigma.compile_text(text, origin=f"{n}.yml"))


def test_a_namespace_gets_the_plan_of_its_class_and_no_other() -> None:
    judge = asking_where()
    for number, namespace in enumerate(("web", "shop", "ops", "pay", "kube-system", "data", "shop", "pay")):
        fields = {
            "verb": "get",
            "resource": "widgets",
            "name": "x1",
            "username": "ann",
            "audit_id": f"request-{number}",
        }
        one = activity(namespace=namespace, **fields)
        told = [hit.card.id for hit in judge.match(one)]
        assert told == [hit.card.id for hit in asking_where().match(one)]
        assert len(told) == {"shop": 1, "pay": 2, "kube-system": 0}.get(namespace, 3)


def test_rules_that_ask_the_same_share_one_test() -> None:
    assert len(asking_where()._index._name_tests) == 1
