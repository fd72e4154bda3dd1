"""Cases as a user writes them: overlays, repetition, and what is said when they fail or are malformed."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch import errors
from riverwatch.activity import sample
from riverwatch.rules import cases, sigma

RULE = sigma.compile_text(
    "title: t\nname: t\nlogsource: {product: kubernetes, service: audit}\n"
    "detection: {s: {verb: delete, objectRef.resource: pods}, condition: s}\n",
    origin="t.yml",
)
BASE = sample.audit_record(verb="get", name="x")


def run(*given: dict[str, Any]) -> list[str]:
    found = cases.from_data(list(given), base=BASE, origin="DetectionRule/t")
    return [f"{failure.case}: {failure.reason}" for failure in cases.run(RULE, found, rule_id="t")]


def test_cases_that_hold_give_no_failure() -> None:
    assert (
        run(
            {"name": "deletes", "fires": True, "records": [{"verb": "delete"}]},
            {"name": "reads", "fires": False, "records": [{}]},
        )
        == []
    )


def test_a_failing_case_is_named_with_its_reason() -> None:
    assert run(
        {"name": "reads", "fires": True, "records": [{}]},
        {"name": "deletes", "fires": False, "records": [{"verb": "delete"}]},
    ) == ["reads: did not fire", "deletes: fired: ana@example.com deleted pod web/x"]


def test_an_overlay_merges_and_removes() -> None:
    (case,) = cases.from_data(
        [{"fires": True, "records": [{"objectRef": {"name": None, "namespace": "a"}, "user": None}]}],
        base=BASE,
        origin="x",
    )
    assert case.records[0]["objectRef"] == {"resource": "pods", "apiVersion": "v1", "namespace": "a"}
    assert "user" not in case.records[0]
    assert case.name == "case 1"


def test_a_record_that_no_api_server_sends_fails_its_case() -> None:
    (failure,) = run({"name": "odd", "fires": True, "records": [{"verb": 3}]})
    assert failure.startswith("odd: a record cannot be used")


def test_repeated_records_move_in_time_and_name() -> None:
    record = {"repeat": {"times": 3, "everySeconds": 10, "vary": "objectRef.name"}, "afterSeconds": 5}
    (case,) = cases.from_data([{"fires": True, "records": [record]}], base=BASE, origin="x")
    assert [one["objectRef"]["name"] for one in case.records] == ["x-0", "x-1", "x-2"]
    assert [one["requestReceivedTimestamp"][17:19] for one in case.records] == ["05", "15", "25"]
    assert len({one["auditID"] for one in case.records}) == 3


MALFORMED: dict[str, Any] = {
    "no list": {"a": 1},
    "no mapping": ["x"],
    "no verdict": [{"records": [{}]}],
    "verdict as text": [{"fires": "yes", "records": [{}]}],
    "no records": [{"fires": True}],
    "empty records": [{"fires": True, "records": []}],
    "record is no mapping": [{"fires": True, "records": ["x"]}],
    "repeated too often": [{"fires": True, "records": [{"repeat": {"times": 10**9}}]}],
    "repeated oddly": [{"fires": True, "records": [{"repeat": "often"}]}],
}


@pytest.mark.parametrize("given", MALFORMED.values(), ids=MALFORMED)
def test_malformed_cases_are_refused_with_their_place(given: Any) -> None:
    with pytest.raises(errors.BadRuleError, match="DetectionRule/t"):
        cases.from_data(given, base=BASE, origin="DetectionRule/t")


@pytest.mark.parametrize("text", ["a: [", "- a", "base: 3\ncases: []"], ids=["no YAML", "a list", "base is a number"])
def test_a_malformed_cases_file_is_refused(text: str) -> None:
    with pytest.raises(errors.BadRuleError, match=r"x\.cases\.yml"):
        cases.parse(text, origin="x.cases.yml")
