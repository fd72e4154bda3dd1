"""An attack under way: times, labels, cleanup, failures."""

import fake_server as fake
import pytest
import urllib3

from riverwatch import errors, vocabulary
from riverwatch.lab.attacks import base, catalog, context, run

SECRETS = {"items": [{"metadata": {"namespace": "web", "name": name}} for name in ("a", "b")]}


def reply(method: str, path: str) -> tuple[int, object]:
    if path.endswith("/secrets"):
        return 200, SECRETS
    return (404 if method == "DELETE" and "gone" in path else 200), {"metadata": {"name": path.rpartition("/")[2]}}


def card(**changes) -> base.Card:
    fields = {
        "id": "sample",
        "title": "Sample",
        "technique": base.Technique(id="T1528", name="n", tactic="t"),
        "use_case": vocabulary.UseCase.SECRET_ACCESS,
        "subtlety": base.Subtlety.SUBTLE,
        "does": "reads",
        "seen_by": "habit",
        "cleans_up": "nothing",
        "victim": base.Part.APP,
    }
    return base.Card(**(fields | changes))


def walk(ctx: context.AttackContext) -> base.Script:
    thief = ctx.act_as(ctx.victim(base.Part.APP))
    ctx.remove_later("/api/v1/namespaces/web/configmaps/first", "/api/v1/namespaces/web/configmaps/gone")
    answer = yield thief.get("/api/v1/namespaces/web/secrets", after_s=5.0)
    for namespace, name in answer.items():
        yield thief.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", after_s=600.0)


def played(monkeypatch, script=walk, answer=reply) -> tuple[run.Run, fake.Server]:
    server = fake.install(monkeypatch, answer)
    return run.Run(base.Attack(card=card(), script=script), fake.given()), server


def test_sends_nothing_before_it_is_told_to(monkeypatch):
    under_way, server = played(monkeypatch)
    assert under_way.delay_s == 5.0
    assert server.requests == []


def test_gives_each_answer_back_to_the_script(monkeypatch):
    under_way, server = played(monkeypatch)
    now_s = 1000.0
    while not under_way.done:
        now_s += under_way.delay_s
        under_way.advance(now_s=now_s)
    assert [request["path"] for request in server.requests] == [
        "/api/v1/namespaces/web/secrets",
        "/api/v1/namespaces/web/secrets/a",
        "/api/v1/namespaces/web/secrets/b",
    ]
    label = under_way.label()
    assert (label.start_s, label.end_s) == (1005.0, 2205.0)
    assert list(label.audit_ids) == [request["headers"]["Audit-ID"] for request in server.requests]
    assert label.actors == ("system:serviceaccount:web:bot",)


def test_keeps_the_director_out_of_the_story(monkeypatch):
    under_way, server = played(monkeypatch)
    under_way.advance(now_s=1.0)
    assert under_way.clean_up(now_s=2.0) == []
    label = under_way.label()
    assert [request["method"] for request in server.requests] == ["GET", "DELETE", "DELETE"]
    assert set(label.other_ids) == {request["headers"]["Audit-ID"] for request in server.requests[1:]}
    assert label.actors == ("system:serviceaccount:web:bot",)
    assert label.end_s == 1.0


def test_cleans_up_newest_first_and_once(monkeypatch):
    under_way, server = played(monkeypatch)
    under_way.clean_up(now_s=1.0)
    under_way.clean_up(now_s=1.0)
    assert [request["path"].rpartition("/")[2] for request in server.requests] == ["gone", "first"]


def test_says_what_it_could_not_clean_up(monkeypatch):
    under_way, _ = played(monkeypatch, answer=lambda method, _path: (403 if method == "DELETE" else 200, {}))
    assert under_way.clean_up(now_s=1.0) == [
        "DELETE /api/v1/namespaces/web/configmaps/gone: 403",
        "DELETE /api/v1/namespaces/web/configmaps/first: 403",
    ]


def test_live_waits_no_longer_than_asked_and_cleans_up(monkeypatch):
    server = fake.install(monkeypatch, reply)
    pauses: list[float] = []
    today = type("Today", (), {"now_s": staticmethod(lambda: 77.0)})()
    label = run.live(
        base.Attack(card=card(), script=walk), fake.given(), today=today, pause=pauses.append, longest_pause_s=9.0
    )
    assert pauses == [5.0, 9.0, 9.0]
    assert label.start_s == 77.0
    assert server.requests[-1]["method"] == "DELETE"


def test_live_cleans_up_after_a_server_that_went_away(monkeypatch):
    def away(method: str, path: str) -> tuple[int, object]:
        if path.endswith("/a"):
            raise urllib3.exceptions.ProtocolError("gone")
        return reply(method, path)

    server = fake.install(monkeypatch, away)
    today = type("Today", (), {"now_s": staticmethod(lambda: 1.0)})()
    with pytest.raises(errors.ApiTemporaryError, match="no answer"):
        run.live(base.Attack(card=card(), script=walk), fake.given(), today=today, pause=lambda _s: None)
    assert [request["method"] for request in server.requests][-2:] == ["DELETE", "DELETE"]


def test_repeats_itself_with_the_same_seed(monkeypatch):
    sent = []
    for _ in range(2):
        under_way, server = played(monkeypatch)
        while not under_way.done:
            under_way.advance(now_s=1.0)
        sent.append([(request["path"], request["headers"]["Audit-ID"]) for request in server.requests])
    assert sent[0] == sent[1]


def test_catalog_names_what_is_unknown():
    with pytest.raises(errors.BadInputError, match=r"unknown attack no-such-thing; known are: .*secret-dump"):
        catalog.named(["secret-dump", "no-such-thing"])
