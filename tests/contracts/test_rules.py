"""What every built-in rule keeps: a whole card, cases that hold, silence on refusals and without bodies, no faults."""

from __future__ import annotations

import copy
import json
import pathlib
import re
import shlex
from typing import Any

import msgspec
import pytest

from riverwatch import errors, vocabulary
from riverwatch.activity import sample
from riverwatch.detections import advice, finding
from riverwatch.rules import attack, base, cases, checklist, engine, loading, pages, rule, sigma

SPEAK_OF_TRIES = {
    "access-review-by-account": "the question itself is the finding",
    "account-from-internet-by-script": "the credential is outside, whatever it may do",
    "anonymous-enumeration": "counts refusals",
    "certificate-approval-refused": "speaks of a refusal",
    "control-plane-from-internet": "the credential is outside, whatever it may do",
    "denied-burst": "counts refusals",
    "denied-burst-by-account": "counts refusals",
    "denied-from-internet": "counts refusals",
    "exec-refused": "speaks of a refusal",
    "impersonation-refused": "speaks of a refusal",
    "many-kinds-listed": "trying many kinds is the finding",
    "node-created-by-other": "tries count, as its description says",
    "node-reads-foreign-secret": "speaks of a refusal",
    "openshift-login-failures": "counts refusals",
    "openshift-operator-by-hand": "the credential is in other hands, whatever it may do",
    "openshift-password-spraying": "counts refusals",
    "penetration-tool": "the tool is the finding",
    "pod-token-from-internet": "the credential is outside, whatever it may do",
    "probing-after-self-review": "counts refusals",
    "secret-namespace-sweep": "tries count, as its cases say",
    "secret-namespace-sweep-by-hand": "tries count, as its cases say",
    "secret-refused": "speaks of a refusal",
    "secret-refused-burst": "counts refusals",
    "self-permission-review": "the question itself is the finding",
    "system-identity-by-hand": "the credential is in other hands, whatever it may do",
    "token-mint-refused": "speaks of a refusal",
    "workload-refused": "speaks of a refusal",
}
"""Rules that also, or only, speak when the API server refused, and why."""

HOSTILE = "evil\x1b[31m\nname\u202e" + "x" * 2_000
"""A name with an escape sequence, a line break, a direction override, and too much of it."""

FILES = dict(loading.rule_files())
PATHS = list(FILES)


def compiled(path: str) -> tuple[rule.Rule, ...]:
    text = FILES[path].read_text(encoding="utf-8")
    return sigma.compile_text(text, origin=f"{path}.yml", default_id=path.rpartition("/")[2])


RULES = {path: compiled(path) for path in PATHS}
CASES = {
    path: cases.parse(
        loading.catalog_folder().joinpath(path + loading.CASES_ENDING).read_text(encoding="utf-8"), origin=path
    )
    for path in PATHS
}


def card_of(path: str) -> base.RuleCard:
    return RULES[path][-1].card


def hits(path: str, records: Any) -> list[base.RuleHit]:
    judge = engine.RuleEngine(RULES[path])
    found = []
    for fields in records:
        try:
            activity = sample.activity_of(fields)
        except (errors.MalformedRecordError, msgspec.ValidationError):
            continue
        found += [hit for hit in judge.match(activity) if hit.card.id == card_of(path).id]
    assert not judge.faults
    return found


def without_bodies(fields: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in fields.items() if key not in ("requestObject", "responseObject")}
    return kept | {"level": "Metadata"}


def test_every_id_is_used_once() -> None:
    ids = [one.key for rules in RULES.values() for one in rules]
    assert sorted(ids) == sorted(set(ids))


def test_every_file_belongs_to_a_rule() -> None:
    folder = pathlib.Path(str(loading.catalog_folder()))
    stray = [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and str(file.relative_to(folder)).removesuffix(".cases.yml").removesuffix(".yml") not in PATHS
    ]
    assert stray == []


def test_every_row_of_the_checklist_has_a_rule_or_a_reason() -> None:
    covered = {row for path in PATHS for row in card_of(path).covers}
    for row in checklist.ROWS.values():
        assert (row.id in covered) != bool(row.reason), row.id


def test_the_catalogue_loads_in_a_fixed_order() -> None:
    first = [one.key for one in loading.load_catalog()]
    assert first == [one.key for path in PATHS for one in RULES[path]]


@pytest.mark.parametrize("path", PATHS)
def test_card_is_whole(path: str) -> None:
    card = card_of(path)
    assert card.id == path.rpartition("/")[2]
    assert card.origin == f"{path}.yml"
    assert card.title
    assert len(card.description) > 20
    assert card.techniques
    assert card.covers
    assert set(card.covers) <= set(checklist.ROWS)
    assert card.recommendations
    assert card.false_positives
    assert card.blind_spots
    assert card.raises == (card.severity is not vocabulary.Severity.INFO)
    tactics = {technique.tactic for technique in card.techniques}
    assert tactics <= set(attack.TACTICS.values())
    for technique in card.techniques:
        assert technique.id in attack.TECHNIQUES
        assert technique.attack_version == vocabulary.ATTACK_VERSION


@pytest.mark.parametrize("path", PATHS)
def test_recommendations_are_commands_or_sentences(path: str) -> None:
    for step in card_of(path).recommendations:
        if advice.is_command(step):
            command = step.partition("   # ")[0]
            assert not set(command) & set("|;<>`"), step
            assert not re.search(r"\b(once|when|if|with the)\b", command), step
        else:
            assert "kubectl" not in step
            assert step[0].isupper()
        assert set(re.findall(r"\{(\w+)\}", step)) <= {"namespace", "kind", "name", "actor"}, step


def empty_detection() -> finding.Detection:
    return finding.Detection(
        uid="0123456789abcdef",
        namespace="web",
        title="",
        use_case=vocabulary.UseCase.EXECUTION,
        severity=vocabulary.Severity.LOW,
        score=0.0,
        confidence=0.0,
        kind=vocabulary.DetectionKind.RULE,
        detectors=[],
        actor=finding.Actor("User", "ana"),
        impersonated_by="",
        source_ips=[],
        user_agents=[],
        targets=[],
        techniques=[],
        first_seen_s=0.0,
        last_seen_s=0.0,
        observed_at_s=0.0,
        evidence=[],
        evidence_count=0,
        explanation=[],
        counterfactual="",
        recommendations=[],
        model_version="",
        policy_refs=[],
    )


def told(path: str, records: Any, *, name: str = "") -> list[str]:
    """Return the recommendations of the last hit on these records."""
    judge = engine.RuleEngine(RULES[path])
    steps: list[str] = []
    for fields in copy.deepcopy(list(records)):
        if name and fields.get("objectRef", {}).get("name"):
            fields["objectRef"]["name"] = name
        activity = sample.activity_of(fields)
        found = [hit for hit in judge.match(activity) if hit.card.id == card_of(path).id]
        if found:
            steps = advice.recommendations(activity, found, empty_detection())
    return steps


@pytest.mark.parametrize("path", PATHS)
def test_what_is_recommended_can_be_run_as_it_stands(path: str) -> None:
    for case in CASES[path]:
        if not case.fires:
            continue
        steps = told(path, case.records)
        assert len(steps) >= 2, case.name
        for step in steps:
            assert not re.search(r"\{(namespace|kind|name|actor)\}|<[a-z]+>|\bNAME\b|\bWHY\b", step), step
            if advice.is_command(step):
                words = shlex.split(step, comments=True)
                assert words[0] == "kubectl"
                assert "" not in words, step
            else:
                assert "kubectl" not in step, step


@pytest.mark.parametrize("path", PATHS)
def test_a_hostile_name_stays_one_word_of_a_command(path: str) -> None:
    hostile = "x; rm -rf / #$(id) 'q'\nrm -rf /"
    for case in CASES[path]:
        if case.fires:
            for step in filter(advice.is_command, told(path, case.records, name=hostile)):
                assert step.isprintable()
                words = shlex.split(step, comments=True)
                assert "rm" not in words, step
                assert "-rf" not in words, step


@pytest.mark.parametrize("path", PATHS)
def test_cases_hold(path: str) -> None:
    assert any(case.fires for case in CASES[path])
    assert any(not case.fires for case in CASES[path])
    assert cases.run(RULES[path], CASES[path], rule_id=card_of(path).id) == []


@pytest.mark.parametrize("path", [path for path in PATHS if card_of(path).id not in SPEAK_OF_TRIES])
def test_a_refused_request_is_no_success(path: str) -> None:
    for case in CASES[path]:
        refused = [dict(fields, responseStatus={"metadata": {}, "code": 403}) for fields in case.records]
        assert hits(path, refused) == [], case.name


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_was_only_received_is_ignored(path: str) -> None:
    for case in CASES[path]:
        assert hits(path, [dict(fields, stage="RequestReceived") for fields in case.records]) == [], case.name


@pytest.mark.parametrize("path", PATHS)
def test_the_level_on_the_card_is_true(path: str) -> None:
    firing = [case for case in CASES[path] if case.fires]
    with_metadata = [bool(hits(path, map(without_bodies, case.records))) for case in firing]
    if card_of(path).audit_level is base.AuditLevel.METADATA:
        assert any(with_metadata)
    else:
        assert not any(with_metadata)
        requests = [
            [{key: value for key, value in fields.items() if key != "responseObject"} for fields in case.records]
            for case in firing
        ]
        assert any(hits(path, records) for records in requests)


@pytest.mark.parametrize("path", PATHS)
def test_hostile_names_come_out_harmless(path: str) -> None:
    for case in CASES[path]:
        records = []
        for fields in copy.deepcopy(case.records):
            reference = fields.setdefault("objectRef", {})
            fields["userAgent"] = str(fields.get("userAgent", "")) + HOSTILE
            reference["name"] = str(reference.get("name", "")) + HOSTILE
            records.append(fields)
        for hit in hits(path, records):
            texts = [hit.summary, hit.group, *(text for pair in hit.matched for text in pair)]
            assert all(text.isprintable() for text in texts)
            assert len(hit.summary) <= 3_600
            assert all(len(text) <= 1_200 for text in texts[1:])


GARBAGE: list[Any] = [
    None,
    True,
    7,
    "text",
    [],
    {},
    [None, 1, "x", [], {}],
    {"spec": "x"},
    {"spec": {"containers": {"a": 1}}},
    {"spec": {"containers": [None, 3, {"securityContext": []}], "volumes": [1, {"hostPath": "x"}], "template": []}},
    {"spec": {"template": {"spec": {"containers": [{"command": [1, None], "securityContext": {"capabilities": 3}}]}}}},
    {"metadata": {"labels": [], "annotations": 3, "ownerReferences": [1]}, "rules": [1, {"verbs": "x"}]},
    {"webhooks": {}},
    {"subjects": [None, {"kind": 3}], "roleRef": [], "data": [], "type": {}, "status": {"conditions": [3]}},
    [{"op": "add"}, {"op": 3, "path": []}, {"op": "add", "path": "/" * 200, "value": {}}, None],
]


@pytest.mark.parametrize("path", PATHS)
def test_bodies_of_any_shape_raise_nothing(path: str) -> None:
    bodies = [(fields, garbage) for case in CASES[path] for garbage in GARBAGE for fields in case.records]
    hits(
        path,
        [
            dict(fields, auditID=f"garbage-{number}", requestObject=garbage, responseObject=garbage)
            for number, (fields, garbage) in enumerate(bodies)
        ],
    )


@pytest.mark.parametrize("path", PATHS)
def test_a_later_stage_of_the_same_request_is_not_counted_again(path: str) -> None:
    if card_of(path).sequence:
        assert any(not case.fires for case in CASES[path])
        return
    for case in CASES[path]:
        if case.fires and len(case.records) == 1:
            first = dict(case.records[0], stage="ResponseStarted")
            last = dict(case.records[0], stage="ResponseComplete", stageTimestamp="2026-01-15T09:00:00.000000Z")
            assert len(hits(path, [first, last])) == 1, case.name


def test_the_page_of_rules_is_as_generated() -> None:
    page = pathlib.Path(__file__).parents[2] / "docs" / "reference" / "rules.md"
    text = pages.markdown([one.card for rules in RULES.values() for one in rules if one.output])
    assert page.read_text(encoding="utf-8") == text


def test_cards_are_plain_data() -> None:
    encoded = msgspec.json.encode([card_of(path) for path in PATHS])
    assert len(json.loads(encoded)) == len(PATHS)
