"""What the stream shows: the inferred policy, blind rules, blind models."""

from __future__ import annotations

import itertools

import pytest

from riverwatch import models, testing
from riverwatch.rules import loading
from riverwatch.runtime import coverage

RULES = loading.load_catalog()
_NUMBER = itertools.count()


def look(seen: coverage.Coverage, count: int = 1, *, level: str = "", **more) -> None:
    for _ in range(count):
        one = testing.audit_record(audit_id=f"r{next(_NUMBER)}", **more)
        if level:
            one.level = level
        seen.look(one)


def report(seen: coverage.Coverage) -> coverage.Report:
    return seen.report(RULES, models.CARDS)


def sight(seen: coverage.Coverage, rule: str) -> coverage.RuleSight:
    [found] = [one for one in report(seen).rules if one.rule == rule]
    return found


POD = {"verb": "create", "resource": "pods", "request_object": {"kind": "Pod", "spec": {"containers": []}}}


def test_rule_is_blind_when_its_resource_is_recorded_without_bodies():
    seen = coverage.Coverage()
    look(seen, verb="create", resource="pods", level="Metadata")
    found = sight(seen, "privileged-container")

    assert found.sight is coverage.Sight.TOO_LOW
    assert found.where == ("write pods: Metadata",)
    assert found in report(seen).blind


def test_rule_sees_once_a_body_level_was_seen():
    seen = coverage.Coverage()
    look(seen, verb="create", resource="pods", level="Metadata")
    look(seen, **POD)

    assert sight(seen, "privileged-container").sight is coverage.Sight.SEES


def test_rule_sees_a_part_when_one_of_its_resources_is_recorded_too_low():
    seen = coverage.Coverage()
    look(seen, **POD)
    look(seen, verb="create", resource="deployments", api_group="apps", level="Metadata")
    found = sight(seen, "privileged-container")

    assert (found.sight, found.where) == (coverage.Sight.PARTLY, ("write apps/deployments: Metadata",))


def test_status_reports_do_not_blind_a_rule():
    seen = coverage.Coverage()
    look(seen, **POD)
    look(seen, verb="update", resource="pods", subresource="status", level="Metadata")

    assert {sight(seen, name).sight for name in ("host-path", "scaled-to-zero")} <= {
        coverage.Sight.SEES,
        coverage.Sight.NOT_SEEN,
    }


def test_bodies_that_never_arrive_count_as_not_recorded_whatever_the_level_says():
    seen = coverage.Coverage()
    look(seen, coverage.BODY_TRIES - 1, verb="create", resource="pods", level="RequestResponse")
    assert sight(seen, "privileged-container").sight is coverage.Sight.SEES
    look(seen, verb="create", resource="pods", level="RequestResponse")

    assert sight(seen, "privileged-container").sight is coverage.Sight.TOO_LOW


def test_nothing_of_the_kind_is_not_blindness():
    seen = coverage.Coverage()
    look(seen, **POD)

    assert sight(seen, "node-reads-foreign-secret").sight is coverage.Sight.NOT_SEEN
    assert report(seen).blind == ()


def test_correlation_sees_what_the_rules_it_counts_see():
    seen = coverage.Coverage()
    look(seen, verb="get", resource="secrets")

    assert sight(seen, "secret-read-burst").sight is coverage.Sight.SEES


def test_stream_without_reads_blinds_what_judges_reads():
    seen = coverage.Coverage()
    look(seen, coverage.PLENTY, **POD)
    found = report(seen)

    assert "secret-read-burst" in {one.rule for one in found.of(coverage.Sight.NOT_RECORDED)}
    assert any("No reads" in note for note in found.notes)
    assert any("refusals" in note for note in found.notes)


@pytest.mark.parametrize(
    ("cut", "missing"),
    [
        pytest.param({"extra": {}}, {"credential-binding": ("credential ids",)}, id="no credential ids"),
        pytest.param(
            {"source_ip": "", "user_agent": ""},
            {
                "novelty": ("source addresses", "user agents"),
                "credential-binding": ("credential ids", "source addresses"),
            },
            id="no addresses and agents",
        ),
    ],
)
def test_model_misses_what_no_record_has(cut, missing):
    seen = coverage.Coverage()
    look(seen, coverage.ENOUGH, **cut)
    for one in list(report(seen).models):
        assert set(missing[one.model]) == set(one.missing)
    assert {one.model for one in report(seen).models} == set(missing)


def test_model_is_not_called_blind_on_few_records():
    seen = coverage.Coverage()
    look(seen, coverage.ENOUGH - 1, source_ip="")

    assert report(seen).models == ()
    assert not report(seen).enough


def test_refused_requests_for_invented_resources_take_no_memory():
    seen = coverage.Coverage()
    for number in range(20):
        look(seen, resource=f"invented{number}", code=403)

    assert report(seen).policy == ()
    assert seen.looked_at == 20


def test_number_of_kinds_is_bounded(monkeypatch):
    monkeypatch.setattr(coverage, "MAX_CELLS", 3)
    seen = coverage.Coverage()
    for number in range(9):
        look(seen, resource=f"kind{number}")

    assert len(report(seen).policy) == 3


def test_bodies_of_secrets_are_told():
    seen = coverage.Coverage()
    look(seen, verb="create", resource="secrets", request_object={"kind": "Secret"})

    assert any("Bodies of secrets" in note for note in report(seen).notes)


def test_worst_blind_rules_come_first():
    seen = coverage.Coverage()
    for resource in ("pods", "clusterrolebindings", "services"):
        group = "rbac.authorization.k8s.io" if "role" in resource else ""
        look(seen, verb="create", resource=resource, api_group=group, level="Metadata")
    severities = [one.severity for one in report(seen).of(coverage.Sight.TOO_LOW)]
    order = ["Critical", "High", "Medium", "Low", "Info"]

    assert len(severities) > 5
    assert severities == sorted(severities, key=order.index)
