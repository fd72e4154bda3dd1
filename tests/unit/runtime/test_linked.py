"""Through the whole pipeline: linked identities are one incident, and ordinary links glue nothing."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from riverwatch import testing, vocabulary
from riverwatch.detections import render
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base
from riverwatch.state import snapshot

HOUR_S = 3_600.0
RULES = engine.load_catalog()
START_S = testing.START_S
FIRST, SECOND, THIRD = (f"system:serviceaccount:web:{name}" for name in ("front", "middle", "back"))


def grant(*, user: str, to: str, at_s: float, number: int = 0):
    """A binding to cluster-admin: raised whatever the habits are."""
    body = {
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "web", "name": to.rpartition(":")[2]}],
    }
    return testing.audit_record(
        time_s=START_S + at_s,
        user=user,
        verb="create",
        resource="clusterrolebindings",
        api_group="rbac.authorization.k8s.io",
        namespace="",
        name=f"b-{number}",
        code=201,
        request_object=body,
        audit_id=f"{user}-{at_s}",
    )


def mint(*, user: str, of: str, at_s: float):
    return testing.audit_record(
        time_s=START_S + at_s,
        user=user,
        verb="create",
        resource="serviceaccounts",
        subresource="token",
        name=of.rpartition(":")[2],
        code=201,
        user_agent="kubectl/v1.36.3",
        audit_id=f"mint-{at_s}",
    )


def judge(records, *, through=None):
    through = through or pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    found = {}
    for one in records:
        for detection in through.process([one], tally=base.Tally()):
            found[detection.uid] = detection
    return list(found.values()), through


def test_whoever_was_handed_power_joins_the_incident():
    found, _ = judge([grant(user=FIRST, to=SECOND, at_s=0.0), grant(user=SECOND, to="x", at_s=HOUR_S, number=1)])

    (one,) = found
    assert one.kind is vocabulary.DetectionKind.CORRELATED
    assert [party.label for party in one.parties] == ["web/front", "web/middle"]
    assert "by web/front; bound ClusterRole/cluster-admin to web/middle, which then was seen at" in one.title
    assert [item.audit_id for item in one.evidence] == [f"{FIRST}-0.0", f"{SECOND}-3600.0"]
    assert [(step.actor, step.link) for step in one.chain] == [
        ("web/front", True),
        ("web/front", False),
        ("web/middle", False),
    ]
    assert {target.name for target in one.targets} == {"b-0", "b-1"}


def test_who_was_handed_power_joins_also_when_what_he_does_is_graver():
    opened = grant(user=SECOND, to="x", at_s=HOUR_S, number=1)
    subjects = [{"kind": "User", "name": "system:anonymous"}]
    body = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects}
    opened.request_object = msgspec.Raw(msgspec.json.encode(body))
    found, _ = judge([grant(user=FIRST, to=SECOND, at_s=0.0), opened])

    (one,) = found
    assert one.kind is vocabulary.DetectionKind.CORRELATED
    assert [party.label for party in one.parties] == ["web/front", "web/middle"]
    assert one.severity is vocabulary.Severity.CRITICAL


def test_object_keeps_the_name_that_it_got_first():
    first, _ = judge([grant(user=FIRST, to=SECOND, at_s=0.0)])
    both, _ = judge([grant(user=FIRST, to=SECOND, at_s=0.0), grant(user=SECOND, to="x", at_s=HOUR_S)])

    assert [one.uid for one in both] == [one.uid for one in first]
    assert both[0].actor == first[0].actor


def test_chain_of_three_is_one_incident():
    found, _ = judge(
        [
            grant(user=FIRST, to=SECOND, at_s=0.0),
            grant(user=SECOND, to=THIRD, at_s=60.0),
            grant(user=THIRD, to="x", at_s=120.0),
        ]
    )

    (one,) = found
    assert [(party.label, party.by) for party in one.parties] == [
        ("web/front", ""),
        ("web/middle", "web/front"),
        ("web/back", "web/middle"),
    ]


def test_later_raised_source_joins_the_incident_of_the_one_it_gave_power():
    """The token is minted with little noise; who used it is raised first, who minted it afterwards."""
    found, through = judge([mint(user=FIRST, of=SECOND, at_s=0.0), grant(user=SECOND, to="x", at_s=1.0)])
    assert [one.actor.name for one in found] == ["middle"]

    more, _ = judge([grant(user=FIRST, to="y", at_s=2.0)], through=through)
    assert [one.uid for one in more] == [one.uid for one in found]
    assert [party.label for party in more[0].parties] == ["web/middle", "web/front"]
    assert "minted a token for web/middle, which then" in more[0].title


UNLINKED = {
    "nothing was handed over": [grant(user=FIRST, to="x", at_s=0.0), grant(user=SECOND, to="x", at_s=60.0)],
    "the link is too old": [
        grant(user=FIRST, to=SECOND, at_s=0.0),
        grant(user=SECOND, to="x", at_s=25 * HOUR_S),
    ],
    "power was handed over after it had been raised by itself and closed": [
        grant(user=SECOND, to="x", at_s=0.0),
        grant(user=FIRST, to="y", at_s=30 * HOUR_S),
    ],
    "the source was never raised": [
        mint(user=FIRST, of=SECOND, at_s=0.0),
        grant(user=SECOND, to="x", at_s=60.0),
        grant(user=THIRD, to="x", at_s=120.0),
    ],
}


@pytest.mark.parametrize("case", UNLINKED)
def test_unrelated_findings_stay_apart(case):
    found, _ = judge(UNLINKED[case])

    assert len(found) == 2
    assert all(one.kind is not vocabulary.DetectionKind.CORRELATED for one in found)


def test_own_incident_from_before_the_hand_over_stays_another_story():
    found, _ = judge(
        [
            grant(user=SECOND, to="x", at_s=0.0),
            grant(user=FIRST, to=SECOND, at_s=HOUR_S, number=1),
            grant(user=SECOND, to="y", at_s=2 * HOUR_S, number=2),
        ]
    )

    assert sorted(len(one.parties) for one in found) == [1, 2]


def test_restart_between_hand_over_and_use_changes_nothing():
    records = [grant(user=FIRST, to=SECOND, at_s=0.0), grant(user=SECOND, to="x", at_s=HOUR_S)]
    whole, _ = judge(records)
    _, before = judge(records[:1])
    after = pipeline.Pipeline(rules=engine.RuleEngine(RULES))
    after.restore(snapshot.unpack(snapshot.pack(before.snapshot())))
    cut, _ = judge(records[1:], through=after)

    encoded = [msgspec.json.encode(render.to_threat_detection(one)) for one in (*whole, *cut)]
    assert encoded[0] == encoded[1]


def test_memory_of_joined_identities_is_bounded():
    chain = [f"system:serviceaccount:web:n{number}" for number in range(12)]
    steps = enumerate(itertools.pairwise(chain))
    found, _ = judge([grant(user=user, to=to, at_s=60.0 * number) for number, (user, to) in steps])

    (one,) = found
    assert len(one.parties) == 8
    assert one.evidence_count == 11
    assert len(one.chain) <= 24
