"""Benign but odd: all kinds in a fortnight, in believable hours, labelled, and fewer in a short recording."""

from __future__ import annotations

import random

from riverwatch.lab import world
from riverwatch.lab.company import people
from riverwatch.lab.life import acts, everyday, happenings, rhythm

FORTNIGHT = rhythm.Span(world.START_S, world.START_S + 14 * world.DAY_S)


def test_a_fortnight_has_all_ten_kinds(cluster):
    found = happenings.plan(1, FORTNIGHT, cluster, cluster, port=1)
    assert {happening.name for happening in found} == {kind.name for kind in happenings.KINDS}
    assert len(found) == 10
    for happening in found:
        assert any(act.episode == happening.id for act in happening.acts), happening.name
        assert min(act.time_s for act in happening.acts) >= happening.start_s


def test_a_short_recording_has_few_and_an_hour_has_none(cluster):
    day = rhythm.Span(world.START_S, world.START_S + world.DAY_S)
    assert 1 <= len(happenings.plan(1, day, cluster, cluster, port=1)) <= 3
    hour = rhythm.Span(world.START_S, world.START_S + 3600)
    assert happenings.plan(1, hour, cluster, cluster, port=1) == []


def test_office_happenings_start_at_work_and_incidents_at_night(cluster):
    for seed in range(5):
        for happening in happenings.plan(seed, FORTNIGHT, cluster, cluster, port=1):
            hour = rhythm.local_hour(happening.start_s)
            if happening.name == "night-incident":
                assert hour >= 23 or hour < 4
            if happening.name in {"operator-install", "cluster-upgrade", "helm-uninstall"}:
                assert 9 <= hour < 15
                assert not rhythm.weekend(happening.start_s)


def test_pipelines_keep_their_new_network_after_the_move(cluster):
    planned = everyday.acts_of_all(1, FORTNIGHT, cluster, kubelet_port=1)
    odd = happenings.plan(1, FORTNIGHT, cluster, cluster, port=1)
    moved_s = next(happening.start_s for happening in odd if happening.name == "ci-move")
    lives = happenings.changed(planned, odd)
    pipelines = {one.username for one in people.PIPELINES}
    releases = [act for act in lives if act.who in pipelines and not act.episode.startswith(("helm", "name"))]
    assert {act.agent for act in releases if act.time_s < moved_s} == {""}
    after = [act for act in releases if act.time_s > moved_s]
    assert {act.agent for act in after} == {people.NEW_CI_AGENT}
    assert all(act.address.startswith(people.NEW_CI_NETWORK) for act in after)
    assert {act.episode for act in after} == {"ci-move-1", ""}
    assert [act.time_s for act in lives] == sorted(act.time_s for act in lives)


def test_an_upgrade_drains_what_it_removes(cluster):
    upgrade = next(
        one for one in happenings.plan(1, FORTNIGHT, cluster, cluster, port=1) if one.name == "cluster-upgrade"
    )
    evicted = 0
    for act in upgrade.acts:
        script = act.write(random.Random(1))
        try:
            call = next(script)
            while True:
                evicted += "/eviction" in call.path
                call = script.send(acts.Answer(201))
        except StopIteration:
            pass
    assert len(cluster.joined) == len(cluster.left) == 2
    assert evicted > 5


def test_newcomers_are_made_known_and_go_on_after_their_first_day(cluster):
    found = happenings.plan(1, FORTNIGHT, cluster, cluster, port=1)
    assert {workload.name for workload in cluster.known} == {"gift-finder", "plans", "renewals", "rabbitmq-operator"}
    onboarding = next(one for one in found if one.name == "app-onboarding")
    late = [act for act in onboarding.acts if act.time_s > onboarding.start_s + world.DAY_S]
    if onboarding.start_s < FORTNIGHT.end_s - 2 * world.DAY_S:
        assert late
    assert {act.episode for act in late} <= {""}
