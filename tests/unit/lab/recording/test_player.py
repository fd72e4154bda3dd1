"""Playing: order, one pod's calls one after the other, and ids that follow from the seed."""

from __future__ import annotations

import asyncio

import pytest

from riverwatch import errors
from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.life import acts
from riverwatch.lab.recording import player


class ScriptedWire:
    """Answers everything after a turn of the loop, and remembers who was under way with whom."""

    def __init__(self, *, failing: int = 0) -> None:
        self.sent: list[tuple[str, str]] = []
        self.most_at_once: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._failing = failing

    async def send(self, call, session, *, audit_id):  # noqa: ARG002 - the wire is called so
        name = session.username
        self._now[name] = self._now.get(name, 0) + 1
        self.most_at_once[name] = max(self.most_at_once.get(name, 0), self._now[name])
        await asyncio.sleep(0)
        self._now[name] -= 1
        if self._failing:
            self._failing -= 1
            raise errors.ApiTemporaryError("away")
        self.sent.append((name, call.path))
        return acts.Answer(200)


class SettledCluster:
    """A cluster in which nothing is left to do."""

    version = "7"

    def __init__(self) -> None:
        self.news = asyncio.Event()

    def failed(self):
        pass

    def settled(self):
        return True


def play(planned, *, wire=None, absent=()):
    """Play acts on a scripted wire."""
    wire = wire or ScriptedWire()

    async def run():
        playing = player.Player(wire, seed=3, start_s=world.START_S, progress=lambda *_: None)
        playing.attach(
            SettledCluster(),
            lambda _, who: None if who in absent else world.Session(who, base.Credential(), "10.0.0.1", "agent"),
        )
        await playing.play(planned)
        return playing

    return asyncio.run(run()), wire


def act(time_s, who, *paths, settles=False):
    return acts.Act(
        world.START_S + time_s, who, acts.calls(*(acts.Call("GET", path, settles=settles) for path in paths))
    )


def test_calls_far_apart_are_sent_in_order_of_time():
    planned = [act(10_000 * number, f"user-{number % 3}", f"/api/{number}") for number in range(20)]
    _, wire = play(planned)
    assert [path for _, path in wire.sent] == [f"/api/{number}" for number in range(20)]


def test_one_identity_never_talks_over_itself():
    planned = [act(number, "same", f"/api/{number}") for number in range(30)]
    _, wire = play(planned)
    assert wire.most_at_once == {"same": 1}
    assert len(wire.sent) == 30


def test_ids_and_times_follow_from_the_seed():
    planned = [act(10 * number, f"user-{number % 4}", "/api/a", "/api/b") for number in range(25)]
    first, second = (sorted(play(planned)[0].anchors, key=lambda one: one.audit_id) for _ in range(2))
    assert first == second
    assert len({one.audit_id for one in first}) == 50


def test_nobody_to_act_is_counted_not_fatal():
    playing, wire = play([act(1, "gone", "/api/a", "/api/b"), act(2, "here", "/api/c")], absent={"gone"})
    assert playing.skipped == {"gone": 1}
    assert wire.sent == [("here", "/api/c")]


def test_a_call_without_an_answer_is_tried_again_under_a_new_id():
    playing, wire = play([act(1, "a", "/api/a")], wire=ScriptedWire(failing=1))
    assert wire.sent == [("a", "/api/a")]
    assert len({one.audit_id for one in playing.anchors}) == 2


def test_an_api_server_that_stays_away_ends_the_recording():
    with pytest.raises(errors.ApiTemporaryError):
        play([act(1, "a", "/api/a")], wire=ScriptedWire(failing=9))


def test_what_settles_is_over_before_the_next_begins():
    planned = [act(1, "a", "/api/first", settles=True), act(2, "b", "/api/second")]
    playing, wire = play(planned)
    assert [path for _, path in wire.sent] == ["/api/first", "/api/second"]
    assert playing.late == []


def test_a_watch_shows_its_planned_length_and_is_sent_short():
    watch = acts.Call(
        "GET", f"/api/v1/pods?resourceVersion={acts.VERSION}&timeout=5m0s&timeoutSeconds=300&watch=true", watch_s=300.0
    )
    playing, wire = play([acts.Act(world.START_S, "a", acts.calls(watch))])
    assert wire.sent == [("a", "/api/v1/pods?resourceVersion=7&timeout=1s&timeoutSeconds=1&watch=true")]
    assert playing.anchors[0].uri == "/api/v1/pods?resourceVersion=7&timeout=5m0s&timeoutSeconds=300&watch=true"


def test_strangers_steps_are_run_at_their_times():
    ran = []

    def step(time_s):
        ran.append(time_s)
        return player.Stranger(time_s + 60, step) if len(ran) < 3 else None

    async def run():
        playing = player.Player(ScriptedWire(), seed=1, start_s=world.START_S, progress=lambda *_: None)
        playing.attach(SettledCluster(), lambda *_: None)
        playing.push_stranger(player.Stranger(world.START_S + 5, step))
        await playing.play([])

    asyncio.run(run())
    assert ran == [world.START_S + 5, world.START_S + 65, world.START_S + 125]
