"""Sigma's semantics, one case each, on records that went through the real decoder; and what is refused, with its
place."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest

from riverwatch import errors, vocabulary
from riverwatch.activity import sample
from riverwatch.rules import base, engine, sigma

HEAD = "title: t\nlogsource: {product: kubernetes, service: audit}\nlevel: high\ndetection:\n"


def holds(detection: str, **fields: Any) -> bool:
    """Judge one record by one detection; body and identity are given by keyword."""
    record = sample.audit_record(**fields)
    compiled = sigma.compile_text(HEAD + detection, origin="rule.yml")
    judge = engine.RuleEngine(compiled)
    found = bool(judge.match(sample.activity_of(record)))
    assert not judge.faults
    return found


def one(field: str) -> str:
    return f"  s: {{{field}}}\n  condition: s\n"


BODY = {
    "metadata": {"labels": {"app.kubernetes.io/name": "Front", "empty": ""}, "name": "x"},
    "spec": {"replicas": 3, "paused": True, "nothing": None, "items": [{"n": 1}, {"n": 2}], "note": "a*b"},
}

MATCHES = {
    "plain text ignores case": (one("verb: CREATE"), True),
    "plain text is whole": (one("verb: creat"), False),
    "list means any": (one("verb: [get, create]"), True),
    "list without it": (one("verb: [get, list]"), False),
    "star at the end": (one("userAgent: 'kubectl*'"), True),
    "star at both ends": (one("userAgent: '*LINUX*'"), True),
    "question mark": (one("verb: 'creat?'"), True),
    "star in the middle": (one("userAgent: 'kubectl/*kubernetes/*'"), True),
    "escaped star is a letter": (one(r"requestObject.spec.note: 'a\*b'"), True),
    "escaped star is no wildcard": (one(r"verb: 'cre\*'"), False),
    "contains": (one("userAgent|contains: linux"), True),
    "contains all": (one("userAgent|contains|all: [linux, amd64]"), True),
    "contains all but one": (one("userAgent|contains|all: [linux, arm64]"), False),
    "startswith": (one("userAgent|startswith: Kubectl/"), True),
    "endswith": (one("userAgent|endswith: ABC1234"), True),
    "cased fits": (one("userAgent|contains|cased: linux"), True),
    "cased does not fit": (one("userAgent|contains|cased: LINUX"), False),
    "regular expression is cased": (one("verb|re: '^CREATE$'"), False),
    "regular expression with i": (one("verb|re|i: '^CREATE$'"), True),
    "regular expression searches": (one("userAgent|re: 'v1\\.[0-9]+'"), True),
    "cidr holds": (one("sourceIPs|cidr: 10.0.0.0/8"), True),
    "cidr does not hold": (one("sourceIPs|cidr: 192.168.0.0/16"), False),
    "cidr of the other family": (one("sourceIPs|cidr: 'fd00::/8'"), False),
    "exists": (one("requestObject.spec.replicas|exists: true"), True),
    "exists not": (one("requestObject.spec.absent|exists: true"), False),
    "exists false": (one("requestObject.spec.absent|exists: false"), True),
    "null is absent": (one("requestObject.spec.nothing: null"), True),
    "null of a present field": (one("verb: null"), False),
    "empty subresource is null": (one("objectRef.subresource: null"), True),
    "greater than": (one("requestObject.spec.replicas|gt: 2"), True),
    "not greater than": (one("requestObject.spec.replicas|gt: 3"), False),
    "greater or equal": (one("requestObject.spec.replicas|gte: 3"), True),
    "less than": (one("requestObject.spec.replicas|lt: 4"), True),
    "less or equal": (one("requestObject.spec.replicas|lte: 2"), False),
    "number": (one("responseStatus.code: 201"), True),
    "number as text": (one("responseStatus.code: '201'"), True),
    "number with a wildcard": (one("responseStatus.code: '2*'"), True),
    "number in a list": (one("responseStatus.code: [200, 201]"), True),
    "decision by name": (one("responseStatus.code: ALLOW"), True),
    "the other decision by name": (one("responseStatus.code: FORBID"), False),
    "boolean": (one("requestObject.spec.paused: true"), True),
    "boolean is not one": (one("requestObject.spec.paused: 1"), False),
    "any element of a list": (one("requestObject.spec.items.n: 2"), True),
    "no element of a list": (one("requestObject.spec.items.n: 3"), False),
    "element by place": (one("requestObject.spec.items.0.n: 1"), True),
    "element by another place": (one("requestObject.spec.items.1.n: 1"), False),
    "brackets are allowed": (one("'requestObject.spec.items[].n': 1"), True),
    "keys with dots": (one("requestObject.metadata.labels.app.kubernetes.io/name: front"), True),
    "annotation of the record": (one("annotations.authorization.k8s.io/decision: allow"), True),
    "field against field": (one("objectRef.name|fieldref: requestObject.metadata.name"), True),
    "field against another field": (one("objectRef.name|fieldref: verb"), False),
    "field begins with field": (one("requestURI|fieldref|endswith: objectRef.name"), True),
    "group of the user": (one("user.groups: developers"), True),
    "base64 of a value": (one("userAgent|base64: abc"), False),
    "short name of a public rule": (one("resource: pods"), True),
    "derived field": (one("request.succeeded: true"), True),
    "opposite of a derived field": (one("request.failed: true"), False),
    "not": ("  s: {verb: create}\n  f: {objectRef.name: x}\n  condition: s and not f\n", False),
    "not of an absent field": ("  s: {verb: create}\n  f: {pod.image: x}\n  condition: s and not f\n", True),
    "or": ("  a: {verb: get}\n  b: {verb: create}\n  condition: a or b\n", True),
    "one of": ("  s_1: {verb: get}\n  s_2: {verb: create}\n  condition: 1 of s_*\n", True),
    "all of": ("  s_1: {verb: get}\n  s_2: {verb: create}\n  condition: all of s_*\n", False),
    "all of them": ("  a: {verb: create}\n  b: {objectRef.resource: pods}\n  condition: all of them\n", True),
    "list of mappings": ("  s:\n    - verb: get\n    - objectRef.name: x\n  condition: s\n", True),
    "keyword": ("  s: [front]\n  condition: s\n", True),
    "keyword that is nowhere": ("  s: [nowhere-at-all]\n  condition: s\n", False),
    "keyword with a wildcard": ("  s: ['app.*/name']\n  condition: s\n", True),
    "several conditions": ("  a: {verb: get}\n  b: {verb: create}\n  condition:\n    - a\n    - b\n", True),
    "negated modifier": (one("verb|neq: get"), True),
}


@pytest.mark.parametrize(("detection", "expected"), MATCHES.values(), ids=MATCHES)
def test_semantics(detection: str, *, expected: bool) -> None:
    assert holds(detection, verb="create", name="x", code=201, request_object=BODY) is expected


def test_base64_is_compared_encoded() -> None:
    assert holds(one("objectRef.name|base64|contains: evil"), name="xxZXZpbA==xx")


def test_base64offset_finds_every_offset() -> None:
    for name in ("ZXZpbC1ub3Rl", "eGV2aWwtbm90ZQ==", "eHhldmlsLW5vdGU="):
        assert holds(one("objectRef.name|base64offset|contains: evil-note"), name=name)


def test_windash_stands_for_both_dashes() -> None:
    assert holds(one("objectRef.name|windash|contains: ' -x'"), name="a /x")


def test_impersonated_user_is_a_field() -> None:
    detection = one("impersonatedUser.username: system:admin")
    assert holds(detection, impersonated={"username": "system:admin"})
    assert not holds(detection)


REFUSED = {
    "unknown field": (one("objectRef.resorce: pods"), "did you mean 'objectRef.resource'"),
    "unknown modifier": (one("verb|sounds: x"), "sounds"),
    "look-around": (one("verb|re: '(?=a)b'"), "field 'verb'"),
    "back reference": (one(r"verb|re: '(a)\1'"), "refused by RE2"),
    "expression too large": (one("verb|re: '((a{1,100}){1,100}){1,100}'"), "refused by RE2"),
    "expression too long": (one(f"verb|re: '{'a' * 3000}'"), "3000 characters"),
    "placeholder": (one("verb|expand: '%verbs%'"), "placeholder %verbs%"),
    "missing selection": ("  s: {verb: get}\n  condition: s and t\n", "'t'"),
    "broken condition": ("  s: {verb: get}\n  condition: s and\n", "Expected"),
    "no condition": ("  s: {verb: get}\n", "condition"),
    "old pipe": ("  s: {verb: get}\n  condition: s | count() > 3\n", "correlations"),
    "status that is no number": (one("responseStatus.code: MAYBE"), "'maybe' is no HTTP status"),
    "bad network": (one("sourceIPs|cidr: 10.0.0.0/99"), "10.0.0.0/99"),
    "deep nesting": ("  s: {verb: get}\n  condition: " + "not (" * 400 + "s" + ")" * 400 + "\n", "deep"),
}


@pytest.mark.parametrize(("detection", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compiled_is_refused_with_its_place(detection: str, message: str) -> None:
    with pytest.raises(errors.BadRuleError) as caught:
        sigma.compile_text(HEAD + detection, origin="folder/rule.yml")
    assert message in str(caught.value)
    assert "folder/rule.yml" in str(caught.value)


TEXTS = {
    "empty": ("", "no rule"),
    "no YAML": ("a: [", "YAML"),
    "a list": ("- a\n- b\n", "mapping"),
    "other product": ("title: t\nlogsource: {product: windows}\ndetection: {s: {verb: x}, condition: s}\n", "windows"),
    "no title": ("logsource: {product: kubernetes}\ndetection: {s: {verb: x}, condition: s}\n", "title"),
    "no detection": ("title: t\nlogsource: {product: kubernetes}\n", "detection"),
    "wrong level": (HEAD.replace("high", "awful") + one("verb: x"), "level"),
    "unknown card key": (HEAD + one("verb: x") + "custom: {colour: red}\n", "custom.colour"),
    "wrong use case": (HEAD + one("verb: x") + "custom: {useCase: Fun}\n", "custom.useCase"),
    "too long": ("#" * 300_000, "characters"),
    "self reference": ("a: &a [*a]\ntitle: t\n", "Recursive"),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_texts_that_are_no_rule_are_refused(text: str, message: str) -> None:
    with pytest.raises(errors.BadRuleError, match=message):
        sigma.compile_text(text, origin="rule.yml")


def test_a_card_is_made_of_a_public_rule_without_our_keys() -> None:
    text = (
        "title: Mount Of Host Path\nid: 402b955c-8fe0-4a8c-b635-622b4ac5f901\nstatus: test\n"
        "description: made up\nauthor: somebody\ndate: 2024-03-26\nreferences: ['https://example.com']\n"
        "tags: [attack.privilege-escalation, attack.t1611]\nfalsepositives: [Some]\nlevel: low\n"
        "logsource: {category: application, product: kubernetes, service: audit}\n"
        "detection:\n  s: {verb: create, hostPath: '*', capabilities: '*'}\n  condition: s\n"
    )
    card = sigma.compile_text(text, origin="x.yml")[0].card
    assert card.severity is vocabulary.Severity.LOW
    assert card.use_case is vocabulary.UseCase.PRIVILEGE_ESCALATION
    assert card.audit_level is base.AuditLevel.REQUEST
    assert [(t.id, t.name, t.tactic) for t in card.techniques] == [("T1611", "Escape to Host", "Privilege Escalation")]
    assert card.false_positives == ("Some",)
    assert card.raises


def test_nothing_is_fetched_when_a_rule_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    sigma.compile_text(HEAD + one("verb: x") + "tags: [attack.t9999]\n", origin="x.yml")


CORRELATION = """
title: many
correlation:
  type: {type}
  rules: [{rules}]
  group-by: [user.username]
  timespan: {timespan}
  condition: {condition}
"""

BAD_CORRELATIONS = {
    "unknown rule": ("event_count", "nobody", "1m", "{gte: 3}", "not a rule of the same text"),
    "a lower bound only the end could answer": ("event_count", "first", "1m", "{lt: 3}", "end of a window"),
    "a sum": ("value_sum", "first", "1m", "{gte: 3, field: verb}", "not supported"),
    "no field to count": ("value_count", "first", "1m", "{gte: 3}", "without field"),
    "a month and more": ("event_count", "first", "2M", "{gte: 3}", "at most 7 days"),
    "a count beyond measure": ("event_count", "first", "1m", "{gte: 1000000}", "10000"),
    "no time": ("event_count", "first", "soon", "{gte: 3}", "soon"),
}


@pytest.mark.parametrize(
    ("kind", "rules", "timespan", "condition", "message"), BAD_CORRELATIONS.values(), ids=BAD_CORRELATIONS
)
def test_correlations_that_a_stream_cannot_answer_are_refused(
    kind: str, rules: str, timespan: str, condition: str, message: str
) -> None:
    text = (
        HEAD.replace("title: t", "title: t\nname: first")
        + one("verb: x")
        + "---"
        + CORRELATION.format(type=kind, rules=rules, timespan=timespan, condition=condition)
    )
    with pytest.raises(errors.BadRuleError, match=message):
        sigma.compile_text(text, origin="rule.yml")


def test_the_examples_of_the_guide_compile() -> None:
    guide = pathlib.Path(__file__).parents[3] / "docs" / "how-to" / "write-a-rule.md"
    blocks = re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert [[one.key for one in sigma.compile_text(block, origin="guide")] for block in blocks] == [
        ["exec-by-a-deploy-account"],
        ["read", "many-secrets-read"],
    ]
