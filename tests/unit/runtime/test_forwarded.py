"""Where a request came from, when a proxy stands between."""

from __future__ import annotations

import msgspec
import pytest

from riverwatch import testing
from riverwatch.activity import normalise, record
from riverwatch.features import catalog, vector
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.sources import base

PROXY, BROWSER, PUBLIC = "10.20.1.16", "10.60.7.3", "198.51.100.7"
USER = {"username": "mei@example.com", "groups": ["system:authenticated"]}


def forwarded(*addresses: str, **more) -> record.AuditRecord:
    return msgspec.structs.replace(testing.audit_record(**more), source_ips=list(addresses))


def seen(one: record.AuditRecord, attribute: str) -> str:
    return vector.measure(normalise.from_audit(one)).values[catalog.INDEX[attribute]]


@pytest.mark.parametrize(
    ("addresses", "network", "zone"),
    [
        pytest.param([BROWSER], "10.60.7.0/24", "private networks", id="direct"),
        pytest.param([BROWSER, PROXY], "10.60.7.0/24 via 10.20.1.0/24", "private networks", id="through a proxy"),
        pytest.param([BROWSER, "10.60.7.9"], "10.60.7.0/24", "private networks", id="a proxy next door"),
        pytest.param([PUBLIC, PROXY], "198.51.100.0/24 via 10.20.1.0/24", "the internet", id="from outside"),
        pytest.param([BROWSER, PUBLIC], "10.60.7.0/24 via 198.51.100.0/24", "the internet", id="forged by a thief"),
    ],
)
def test_network_and_zone_tell_both_ends(addresses, network, zone):
    one = forwarded(*addresses)
    assert (seen(one, "network"), seen(one, "zone")) == (network, zone)


def test_a_proxy_that_acts_as_others_is_at_its_own_address():
    acting = normalise.from_audit(forwarded(BROWSER, PROXY, impersonated=USER))
    assert acting.source_ip == PROXY
    assert list(acting.addresses) == [BROWSER, PROXY]


def test_who_is_passed_on_by_an_aggregator_is_where_that_saw_him():
    assert normalise.from_audit(forwarded(BROWSER, PROXY)).source_ip == BROWSER


def test_browsers_of_its_users_do_not_move_a_proxys_token():
    """A dashboard's token is where the dashboard runs, from whatever network its users come."""
    through, tally = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog())), base.Tally()
    named = {"authentication.kubernetes.io/credential-id": ["JTI=1"], "authentication.kubernetes.io/pod-name": ["ui-1"]}
    who = {"user": "system:serviceaccount:tools:dashboard", "extra": named, "impersonated": USER}
    for number in range(600):
        time_s = testing.START_S + number * 600.0
        through.process([forwarded(f"10.60.{number % 3}.3", PROXY, time_s=time_s, **who)], tally=tally)
    late = forwarded("10.77.1.3", PROXY, time_s=testing.START_S + 600 * 600.0, **who)
    assert not through.process([late], tally=tally)
