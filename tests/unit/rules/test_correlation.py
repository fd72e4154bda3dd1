"""Correlations: windows in record time, groups, order, late records, bounded memory."""

from __future__ import annotations

import pytest

from riverwatch import clock
from riverwatch.activity import sample
from riverwatch.rules import correlation, engine, sigma

START_S = 1_768_464_000.0

RULE = """
title: {name}
name: {name}
logsource: {{product: kubernetes, service: audit}}
detection:
  s: {{verb: {verb}}}
  condition: s
---
"""


def judge(body: str, *verbs: str) -> engine.RuleEngine:
    text = "".join(RULE.format(name=f"feed-{verb}", verb=verb) for verb in verbs)
    text += "title: whole\nname: whole\nlevel: high\ncorrelation:\n" + body
    return engine.RuleEngine(sigma.compile_text(text, origin="x.yml"))


class Stream:
    """Records one after the other; every one is a request of its own."""

    def __init__(self, rules: engine.RuleEngine) -> None:
        self.rules = rules
        self.number = 0

    def send(self, at_s: float, *, verb: str = "get", user: str = "ana", name: str = "x") -> list[str]:
        self.number += 1
        fields = sample.audit_record(
            verb=verb, username=user, name=name, time=clock.rfc3339(START_S + at_s), audit_id=f"a{self.number}"
        )
        return [hit.group for hit in self.rules.match(sample.activity_of(fields)) if hit.card.id == "whole"]


COUNT = "  type: event_count\n  rules: [feed-get]\n  group-by: [user.username]\n  timespan: 1m\n  condition: {gte: 3}\n"


def test_count_is_reached_within_the_window() -> None:
    stream = Stream(judge(COUNT, "get"))
    assert [stream.send(t) for t in (0, 20, 40, 41)] == [[], [], ["ana"], ["ana"]]


def test_count_outside_the_window_is_not_reached() -> None:
    stream = Stream(judge(COUNT, "get"))
    assert [stream.send(t) for t in (0, 40, 80, 120, 160)] == [[]] * 5


def test_groups_do_not_add_up() -> None:
    stream = Stream(judge(COUNT, "get"))
    assert [stream.send(t, user=user) for t, user in enumerate(["ana", "bo", "ana", "bo"])] == [[]] * 4


def test_late_records_count_where_they_belong() -> None:
    stream = Stream(judge(COUNT, "get"))
    assert [stream.send(t) for t in (50, 10, 30)] == [[], [], ["ana"]]


def test_a_record_older_than_the_window_does_not_count() -> None:
    stream = Stream(judge(COUNT, "get"))
    assert [stream.send(t) for t in (500, 501, 10)] == [[], [], []]
    assert stream.send(502) == ["ana"]


def test_feeding_rules_do_not_speak_themselves() -> None:
    rules = judge(COUNT, "get")
    fields = sample.audit_record()
    assert list(rules.match(sample.activity_of(fields))) == []
    assert [card.id for card in rules.cards] == ["whole"]


def test_feeding_rules_speak_when_asked_to() -> None:
    rules = judge(COUNT + "  generate: true\n", "get")
    assert [hit.card.id for hit in rules.match(sample.activity_of(sample.audit_record()))] == ["feed-get"]


@pytest.mark.parametrize(
    ("condition", "fires"),
    [("{gte: 2}", [0, 1, 1, 1]), ("{gt: 2}", [0, 0, 1, 1]), ("{eq: 2}", [0, 1, 0, 0])],
    ids=["at least", "more than", "exactly"],
)
def test_comparisons(condition: str, fires: list[int]) -> None:
    stream = Stream(judge(COUNT.replace("{gte: 3}", condition), "get"))
    assert [len(stream.send(t)) for t in range(4)] == fires


VALUES = (
    "  type: value_count\n  rules: [feed-get]\n  group-by: [user.username]\n  timespan: 1m\n"
    "  condition: {gte: 3, field: objectRef.name}\n"
)


def test_different_values_are_counted() -> None:
    stream = Stream(judge(VALUES, "get"))
    assert [stream.send(t, name=name) for t, name in enumerate(["a", "a", "b", "b", "c"])] == [[], [], [], [], ["ana"]]


def test_values_leave_the_window() -> None:
    stream = Stream(judge(VALUES, "get"))
    assert [stream.send(t, name=name) for t, name in [(0, "a"), (50, "b"), (70, "c")]] == [[], [], []]
    assert stream.send(75, name="d") == ["ana"]


def test_several_fields_are_one_value() -> None:
    body = VALUES.replace("field: objectRef.name", "field: [objectRef.namespace, objectRef.name]")
    stream = Stream(judge(body, "get"))
    assert [len(stream.send(t, name=name)) for t, name in enumerate("abc")] == [0, 0, 1]


TEMPORAL = "  type: temporal\n  rules: [feed-get, feed-delete]\n  group-by: [user.username]\n  timespan: 1m\n"


@pytest.mark.parametrize("verbs", [("get", "delete"), ("delete", "get")], ids=["in order", "in the other order"])
def test_temporal_takes_any_order(verbs: tuple[str, str]) -> None:
    stream = Stream(judge(TEMPORAL, "get", "delete"))
    assert [stream.send(t * 30, verb=verb) for t, verb in enumerate(verbs)] == [[], ["ana"]]


def test_temporal_needs_all_of_them() -> None:
    stream = Stream(judge(TEMPORAL, "get", "delete"))
    assert [stream.send(t) for t in (0, 1, 2)] == [[], [], []]
    assert stream.send(70, verb="delete") == []


def test_ordered_takes_one_order_only() -> None:
    body = TEMPORAL.replace("temporal", "temporal_ordered")
    stream = Stream(judge(body, "get", "delete"))
    assert stream.send(0, verb="delete") == []
    assert stream.send(10) == []
    assert stream.send(20, verb="delete") == ["ana"]
    assert stream.send(200, verb="delete") == []


def test_ordered_finds_the_chain_when_its_start_is_late() -> None:
    body = TEMPORAL.replace("temporal", "temporal_ordered")
    stream = Stream(judge(body, "get", "delete"))
    assert stream.send(20, verb="delete") == []
    assert stream.send(10) == ["ana"]


def test_a_correlation_may_feed_another() -> None:
    text = RULE.format(name="feed-get", verb="get") + RULE.format(name="feed-delete", verb="delete")
    text += "title: burst\nname: burst\ncorrelation:\n" + COUNT + "---\n"
    text += (
        "title: whole\nname: whole\nlevel: high\ncorrelation:\n  type: temporal_ordered\n"
        "  rules: [burst, feed-delete]\n"
        "  group-by: [user.username]\n  timespan: 5m\n"
    )
    stream = Stream(engine.RuleEngine(sigma.compile_text(text, origin="x.yml")))
    assert [stream.send(t) for t in range(3)] == [[], [], []]
    assert stream.send(60, verb="delete") == ["ana"]


def test_aliases_name_the_same_thing_differently() -> None:
    body = (
        "  type: temporal\n  rules: [feed-get, feed-delete]\n  group-by: [who]\n  timespan: 1m\n"
        "  aliases:\n    who:\n      feed-get: user.username\n      feed-delete: objectRef.name\n"
    )
    stream = Stream(judge(body, "get", "delete"))
    assert stream.send(0, user="ana") == []
    assert stream.send(1, verb="delete", user="bo", name="ana") == ["ana"]


def test_memory_is_bounded_and_forgetting_is_counted() -> None:
    rules = judge(COUNT, "get")
    stream = Stream(rules)
    counter = next(iter(rules._counters.values()))
    for number in range(correlation.MAX_GROUPS + 10):
        stream.send(number / 1000, user=f"u{number}")
    assert len(counter.snapshot()) == correlation.MAX_GROUPS
    assert counter.evicted == 10


def test_a_busy_group_keeps_no_more_than_the_count_needs() -> None:
    rules = judge(VALUES, "get")
    stream = Stream(rules)
    for number in range(500):
        stream.send(number / 100, name=f"n{number}")
    (row,) = next(iter(rules._counters.values())).snapshot()
    assert len(row[3]) <= 4


def test_rows_of_another_shape_are_left_out_of_a_restored_state() -> None:
    rules = judge(COUNT, "get")
    counter = next(iter(rules._counters.values()))
    counter.restore([["ana", START_S, {"": [START_S, START_S + 1]}, {}], ["short"], ["bo", 1.0, [], {}]])
    assert [row[0] for row in counter.snapshot()] == ["ana"]
    assert Stream(rules).send(2) == ["ana"]
