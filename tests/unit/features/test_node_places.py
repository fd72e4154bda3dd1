"""Where nodes call from: learned from kubelets alone, asked about tokens that seem to be used outside."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import normalise, record
from riverwatch.features import node_places
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

GATEWAY, ELSEWHERE = "203.0.113.7", "198.51.100.9"
LATER_S = node_places.SETTLED_S + 1.0
KUBELET = {"user": "system:node:worker-1", "verb": "update", "resource": "leases", "user_agent": "kubelet/v1.34"}
TOKEN = {
    "authentication.kubernetes.io/pod-name": ["front-0"],
    "authentication.kubernetes.io/credential-id": ["JTI=1"],
}


def activity(**more) -> record.Activity:
    return normalise.from_audit(testing.audit_record(**more))


def places(**more) -> node_places.NodePlaces:
    made = node_places.NodePlaces()
    made.see(activity(**{**KUBELET, "source_ip": GATEWAY, **more}))
    return made


@pytest.mark.parametrize(
    ("more", "explained"),
    [
        pytest.param({}, True, id="a kubelet"),
        pytest.param({"user": "system:serviceaccount:web:front"}, False, id="an account teaches nothing"),
        pytest.param({"code": 403}, False, id="nor does a refusal"),
    ],
)
def test_addresses_are_learned_from_what_kubelets_did(more, explained):
    assert places(**more).explain([GATEWAY], age_s=LATER_S) is explained


@pytest.mark.parametrize(
    ("addresses", "explained"),
    [
        pytest.param([GATEWAY], True, id="where nodes call from"),
        pytest.param(["10.0.0.1"], True, id="inside"),
        pytest.param([ELSEWHERE], False, id="elsewhere"),
        pytest.param([GATEWAY, ELSEWHERE], False, id="a made-up first address hides nothing"),
    ],
)
def test_every_public_address_must_be_known(addresses, explained):
    assert places().explain(addresses, age_s=LATER_S) is explained


def test_nobody_knows_before_kubelets_can_have_called():
    made = node_places.NodePlaces()
    assert made.explain([GATEWAY], age_s=1.0)
    assert not made.explain([GATEWAY], age_s=LATER_S)


def test_addresses_survive_a_checkpoint_and_are_bounded():
    made = node_places.NodePlaces()
    # As it was stored before nodes were told apart.
    made.load([f"203.0.{number // 256}.{number % 256}" for number in range(node_places.MAX_ADDRESSES)])
    made.see(activity(**KUBELET, source_ip=ELSEWHERE))
    other = node_places.NodePlaces()
    other.load(made.dump())
    assert len(other.dump()[0]) == node_places.MAX_ADDRESSES
    assert other.explain([ELSEWHERE], age_s=LATER_S)
    assert other.of("worker-1") == (ELSEWHERE,)


def test_a_node_has_its_latest_addresses(monkeypatch):
    monkeypatch.setattr(node_places, "MAX_ADDRESSES", 2)
    made = node_places.NodePlaces()
    for number in range(6):
        made.see(activity(user="system:node:worker-1", source_ip=f"10.0.0.{number}"))
    assert made.of("worker-1") == ("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
    for name in ("worker-2", "worker-3"):
        made.see(activity(user=f"system:node:{name}", source_ip="10.0.1.1"))
    assert made.of("worker-1") == ()


@pytest.mark.parametrize(("address", "raised"), [(GATEWAY, 0), (ELSEWHERE, 1)], ids=["gateway", "elsewhere"])
def test_pod_token_is_at_home_where_nodes_call_from(address, raised):
    made = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()))
    stream = [
        testing.audit_record(time_s=testing.START_S, source_ip=GATEWAY, audit_id="node", **KUBELET),
        testing.audit_record(time_s=testing.START_S + 120.0, source_ip=address, audit_id="pod", extra=TOKEN),
    ]
    assert len(made.process(stream, tally=base.Tally())) == raised
