"""Everyday life as a schedule: enough of it, in order, repeatable, and made of requests that exist."""

from __future__ import annotations

import random

import pytest

from riverwatch.lab import world
from riverwatch.lab.life import acts, everyday, rhythm

DAYS = rhythm.Span(world.START_S, world.START_S + 2 * world.DAY_S)


def requests(act: acts.Act, *, seed: int = 0) -> list[acts.Call]:
    """Run a script with good answers."""
    script = act.write(random.Random(seed))
    found = []
    try:
        call = next(script)
        while True:
            found.append(call)
            call = script.send(acts.Answer(200, b'{"metadata": {"uid": "u"}, "status": {"token": "t"}}'))
    except StopIteration:
        return found


def test_life_is_in_order_and_the_same_for_the_same_seed(cluster):
    once = everyday.acts_of_all(5, DAYS, cluster, kubelet_port=1)
    again = everyday.acts_of_all(5, DAYS, cluster, kubelet_port=1)
    assert [act.time_s for act in once] == sorted(act.time_s for act in once)
    assert [(act.time_s, act.who, act.replica) for act in once] == [(act.time_s, act.who, act.replica) for act in again]
    assert [requests(act) for act in once[::97]] == [requests(act) for act in again[::97]]
    other = everyday.acts_of_all(6, DAYS, cluster, kubelet_port=1)
    assert [act.time_s for act in once] != [act.time_s for act in other]


def test_a_fortnight_has_more_than_a_hundred_thousand_records(cluster):
    planned = everyday.acts_of_all(1, DAYS, cluster, kubelet_port=1)
    sent = [call for act in planned for call in requests(act) if "/leases" not in call.path]
    records = len(sent) + sum(1 for call in sent if call.watch_s)
    assert records * 7 > 100_000


def test_sixty_identities_act_within_two_days(cluster):
    planned = everyday.acts_of_all(1, DAYS, cluster, kubelet_port=1)
    assert len({act.who for act in planned}) >= 60


def test_every_request_names_a_path_of_the_api(cluster):
    planned = everyday.acts_of_all(2, DAYS, cluster, kubelet_port=1)
    for act in planned[::13]:
        for call in requests(act):
            assert call.path.startswith(("/api", "/version", "/metrics", "/readyz"))
            assert call.after_s >= 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("pods",), "/api/v1/pods"),
        (("pods", "web", "a", "log"), "/api/v1/namespaces/web/pods/a/log"),
        (("nodes", "web"), "/api/v1/nodes"),
        (("roles", "web", "r"), "/apis/rbac.authorization.k8s.io/v1/namespaces/web/roles/r"),
    ],
    ids=["all namespaces", "subresource", "lives in no namespace", "named group"],
)
def test_path_spells_what_the_api_server_serves(arguments, expected):
    assert acts.path(*arguments) == expected


def test_watch_asks_for_minutes_and_is_played_for_a_second():
    call = acts.watch(random.Random(1), "pods", "web")
    assert 300 <= call.watch_s <= 590
    assert f"timeoutSeconds={int(call.watch_s)}" in call.path
    assert "timeout=1s&timeoutSeconds=1&watch=true" in acts.shortened(call.path)
