"""How a request appears to the API server."""

import fake_server as fake
import msgspec
import pytest

from riverwatch import errors
from riverwatch.lab.attacks import base, context, session


def ok(_method: str, _path: str) -> tuple[int, object]:
    return 200, {"metadata": {"name": "x"}}


def test_shows_credential_address_agent_and_audit_id(monkeypatch):
    server = fake.install(monkeypatch, ok)
    ctx = fake.given()
    ctx.act_as(fake.BOT, source_ip="198.51.100.7", user_agent="curl/8").get("/api/v1/pods", {"limit": 500}).action()
    (request,) = server.requests
    assert request["path"] == "/api/v1/pods?limit=500"
    assert request["headers"]["Authorization"] == "Bearer bot-token"
    assert request["headers"]["X-Forwarded-For"] == "198.51.100.7"
    assert request["headers"]["User-Agent"] == "curl/8"
    assert request["headers"]["Audit-ID"] == ctx.sent[0].audit_id


def test_keeps_the_victim_s_own_looks_unless_told_otherwise(monkeypatch):
    fake.install(monkeypatch, ok)
    ctx = fake.given()
    ctx.act_as(fake.BOT).get("/version").action()
    assert (ctx.sent[0].source_ip, ctx.sent[0].user_agent) == ("10.1.0.9", "bot/1.0")


def test_impersonates_with_the_looks_of_another_session(monkeypatch):
    server = fake.install(monkeypatch, ok)
    ctx = fake.given()
    ctx.act_through(ctx.act_as(fake.BOT), username="boss", groups=("system:masters",)).get("/version").action()
    headers = server.requests[0]["headers"]
    assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == ("boss", "system:masters")
    assert ctx.sent[0].impersonated == "boss"


def test_sends_no_credential_for_nobody(monkeypatch):
    server = fake.install(monkeypatch, ok)
    nobody = fake.somebody("system:anonymous")
    fake.given().act_as(nobody).get("/version").action()
    assert not {"Authorization", "X-Forwarded-For"} & set(server.requests[0]["headers"])


def test_hangs_up_after_a_connection_became_a_stream(monkeypatch):
    server = fake.install(monkeypatch, lambda _method, _path: (101, None))
    step = (
        fake.given().act_as(fake.BOT).stream("/api/v1/namespaces/web/pods/a/exec", [("command", "a"), ("command", "b")])
    )
    assert step.action().ok
    assert server.requests[0]["path"].endswith("exec?command=a&command=b")
    assert server.closed == 1


def test_says_what_was_asked_before_it_is_sent():
    step = fake.given().act_as(fake.BOT).delete("/api/v1/namespaces/web/pods/a", after_s=3.0)
    assert (step.method, step.target, step.username, step.after_s) == (
        "DELETE",
        "/api/v1/namespaces/web/pods/a",
        "system:serviceaccount:web:bot",
        3.0,
    )


@pytest.mark.parametrize(
    ("machine", "pace"),
    [pytest.param(True, session.MACHINE_PACE_S, id="program"), pytest.param(False, session.PERSON_PACE_S, id="person")],
)
def test_pauses_like_a_person_or_a_program(machine, pace):
    acting = fake.given().act_as(fake.BOT, machine=machine)
    assert all(pace[0] <= acting.get("/version").after_s <= pace[1] for _ in range(50))


def test_the_director_takes_no_part_in_an_attack():
    with pytest.raises(ValueError, match="no part"):
        fake.given().director(base.Purpose.ATTACK)


def test_says_which_part_nobody_plays():
    with pytest.raises(errors.BadInputError, match="'backup'"):
        fake.given().victim(base.Part.BACKUP)


def test_chooses_nobody_twice():
    twin = fake.somebody("system:serviceaccount:web:twin")
    ctx = fake.given(fake.BOT, twin)
    assert {ctx.victim(base.Part.APP, other_than=[fake.BOT]).username for _ in range(9)} == {twin.username}


def test_ensures_only_what_is_missing(monkeypatch):
    server = fake.install(monkeypatch, lambda method, _path: (409 if method == "POST" else 200, {}))
    ctx = fake.given()
    ctx.ensure("/api/v1/namespaces/web/configmaps", {"metadata": {"name": "x"}})
    assert ctx.cleanup_steps() == []
    assert len(server.requests) == 1


def test_creates_again_without_what_the_server_owns():
    body = {
        "metadata": {"name": "a", "uid": "1", "resourceVersion": "2", "labels": {"b": "c"}},
        "spec": {},
        "status": {},
    }
    assert context.fresh(body) == {"metadata": {"name": "a", "labels": {"b": "c"}}, "spec": {}}


@pytest.mark.parametrize(
    ("source_ip", "token"),
    [
        pytest.param(None, "Bearer renewed", id="in the victim's place: takes the new token"),
        pytest.param("198.51.100.7", "Bearer bot-token", id="elsewhere: keeps the stolen one"),
    ],
)
def test_renews_a_credential_only_where_the_victim_is(monkeypatch, source_ip, token):
    server = fake.install(monkeypatch, ok)
    ctx = fake.given()
    acting = ctx.act_as(fake.BOT, source_ip=source_ip)
    ctx.scene.people = (msgspec.structs.replace(fake.BOT, credential=base.Credential(token="renewed")),)
    acting.get("/version").action()
    assert server.requests[0]["headers"]["Authorization"] == token


def test_never_renews_a_credential_that_the_attack_made(monkeypatch):
    server = fake.install(monkeypatch, ok)
    ctx = fake.given()
    ctx.act_as(ctx.minted(fake.BOT, "made")).get("/version").action()
    assert server.requests[0]["headers"]["Authorization"] == "Bearer made"


def lists(method: str, path: str) -> tuple[int, object]:
    del method
    names = {"/api/v1/namespaces/b/services": ["kubernetes", "front"]}.get(path, [])
    return 200, {"items": [{"metadata": {"name": name}} for name in names]}


def test_chooses_an_object_in_any_of_the_victim_s_namespaces(monkeypatch):
    fake.install(monkeypatch, lists)
    victim = msgspec.structs.replace(fake.BOT, namespaces=("a", "b"))
    services = f"/api/v1/namespaces/{context.HOME}/services"
    found = fake.given().one_of(victim, services, leave_out=["kubernetes"])
    assert found == ("/api/v1/namespaces/b/services", "front")


def test_says_where_there_is_nothing_to_misuse(monkeypatch):
    fake.install(monkeypatch, lists)
    victim = msgspec.structs.replace(fake.BOT, namespaces=("a",))
    with pytest.raises(errors.BadInputError, match=r"/api/v1/namespaces/a/services: nothing there"):
        fake.given().one_of(victim, f"/api/v1/namespaces/{context.HOME}/services")


def test_says_whether_an_identity_holds_a_right(monkeypatch):
    server = fake.install(monkeypatch, lambda _method, _path: (201, {"status": {"allowed": True}}))
    assert fake.given().may(fake.BOT, "GET", "/api/v1/namespaces/web/secrets/a")
    asked = server.requests[0]["body"]["spec"]
    assert asked["groups"] == ["system:serviceaccounts", "system:serviceaccounts:web", "system:authenticated"]
    assert asked["resourceAttributes"]["verb"] == "get"
