"""Play acts in the order of simulated time, as fast as the API server answers.

``acts -> requests`` with an `Anchor` for each: audit id, simulated time, who. Invariants: a call starts at most
`WINDOW_S` of simulated time before an earlier one has been answered, one pod's calls never overlap, and after a call
that `settles` nothing else happens until controllers, scheduler and kubelets are done. Called by `recorder`.
"""

from __future__ import annotations

import asyncio
import collections
import heapq
import random
import uuid
from collections.abc import Callable, Iterable

import msgspec

from riverwatch import clock, errors
from riverwatch.lab import world
from riverwatch.lab.life import acts
from riverwatch.lab.recording import cluster, wire

IN_FLIGHT = 40
"""Most calls under way at once; more does not make two cores faster."""

WATCHES = 300
"""Most watches open at once; an open watch costs this machine next to nothing."""

WINDOW_S = 600.0
"""How far, in simulated seconds, a call may run ahead of one that is still under way."""

SETTLE_S = 20.0
"""Longest wait for controllers to finish, in real seconds."""

STREAM_S = 60.0
"""Simulated length of an exec, attach or port-forward, in seconds."""

RETRIES = 3
"""How often a call without an answer is tried again."""


class Anchor(msgspec.Struct, frozen=True):
    """What is known beforehand about the records of one request."""

    audit_id: str
    time_s: float
    """Simulated time, epoch seconds."""
    watch_s: float
    """Simulated length of a watch or stream, in seconds."""
    username: str
    episode: str
    uri: str = ""
    """Request URI that its records show, where it differs from the one sent."""


class Running(msgspec.Struct):
    """A script under way."""

    act: acts.Act
    script: acts.Script
    call: acts.Call
    ids: random.Random
    """Where the audit ids of its requests come from."""


class Stranger(msgspec.Struct, frozen=True):
    """A step of something that sends its own requests, such as an attack."""

    time_s: float
    step: Callable[[float], Stranger | None]
    """Called in a thread with the simulated time; gives what follows."""


Sessions = Callable[[acts.Act, str], world.Session | None]
"""Act, user name -> the session in which it happens now; ``None`` when nobody can do it."""


class Player:
    """Plays acts on one API server.

    Parameters
    ----------
    channel
        Connections.
    seed
        Of the recording; decides audit ids.
    start_s
        Simulated time at which playing starts.
    progress
        Told simulated time and number of requests now and then.
    """

    def __init__(
        self, channel: wire.Wire, *, seed: int, start_s: float, progress: Callable[[float, int], None]
    ) -> None:
        self.anchors: list[Anchor] = []
        self.skipped: collections.Counter[str] = collections.Counter()
        self.answers: collections.Counter[int] = collections.Counter()
        self.late: list[str] = []
        self.now_s = start_s
        self._wire = channel
        self._seed = seed
        self._heap: list[tuple[bool, float, int, Running | Stranger]] = []
        self._count = 0
        self._reactions = 0
        self._flying: dict[asyncio.Task[None], float] = {}
        self._watches: set[asyncio.Task[acts.Answer | None]] = set()
        self._lanes: dict[str, asyncio.Lock] = {}
        self._progress = progress
        self._sessions: Sessions = lambda *_: None
        self._cluster: cluster.Cluster | None = None
        self._time = clock.SystemClock()

    def attach(self, follower: cluster.Cluster, sessions: Sessions) -> None:
        """Say who follows the cluster and who can act as whom."""
        self._cluster = follower
        self._sessions = sessions

    def push(self, act: acts.Act) -> None:
        """Queue an act that others did not foresee."""
        self._reactions += 1
        self._begin(act, f"reaction/{self._reactions}")

    def push_stranger(self, stranger: Stranger) -> None:
        """Queue a step of something that sends its own requests."""
        self._put(stranger.time_s, stranger, urgent=False)

    async def play(self, planned: Iterable[acts.Act]) -> None:
        """Play all acts, and whatever they set off, to the end.

        Parameters
        ----------
        planned
            In time order.

        Raises
        ------
        ApiTemporaryError
            When the API server stays away.
        """
        queue = enumerate(planned)
        upcoming = next(queue, None)
        while upcoming is not None or self._heap or self._flying or self._watches:
            while upcoming is not None and (not self._heap or upcoming[1].time_s <= self._heap[0][1]):
                self._begin(upcoming[1], f"planned/{upcoming[0]}")
                upcoming = next(queue, None)
            if not self._heap:
                await self._land(0)
                if not self._heap and self._watches:
                    await asyncio.wait(self._watches, return_when=asyncio.FIRST_COMPLETED)
                    self._collect()
                continue
            await self._make_room(self._heap[0][1])
            _, time_s, _, item = heapq.heappop(self._heap)
            self._take_off(time_s, item)
            if isinstance(item, Running) and item.call.settles:
                await self._land(0)
                await self.settle()
        await self._land(0)

    async def stop(self) -> None:
        """Give up what is under way."""
        under_way = [*self._flying, *self._watches]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        self._flying.clear()
        self._watches.clear()

    async def settle(self, *, longest_s: float = SETTLE_S) -> None:
        """Let controllers, scheduler and kubelets finish, and nobody else act meanwhile.

        Parameters
        ----------
        longest_s
            Longest wait, in real seconds; what is not finished by then is noted in `late`.
        """
        follower = self._cluster
        assert follower is not None
        deadline = self._time.monotonic_s() + longest_s
        while True:
            follower.failed()
            while self._urgent():
                _, time_s, _, item = heapq.heappop(self._heap)
                self._take_off(time_s, item)
            follower.news.clear()
            if self._flying:
                await asyncio.wait(self._flying, timeout=cluster.QUIET_S, return_when=asyncio.FIRST_COMPLETED)
                self._collect()
                continue
            try:
                await asyncio.wait_for(follower.news.wait(), cluster.QUIET_S)
            except TimeoutError:
                if follower.settled() and not self._urgent():
                    return
            if self._time.monotonic_s() > deadline:
                self.late.append(f"{world.rfc3339(self.now_s)}: {'; '.join(follower.unsettled())}")
                return

    def _urgent(self) -> bool:
        """Say whether the next item is the cluster's own reaction (they sort first)."""
        return bool(self._heap) and not self._heap[0][0]

    def _put(self, time_s: float, item: Running | Stranger, *, urgent: bool) -> None:
        """Queue an item; urgent ones sort first."""
        self._count += 1
        heapq.heappush(self._heap, (not urgent, time_s, self._count, item))

    def _begin(self, act: acts.Act, number: str) -> None:
        """Queue the first call of an act's script; its draws and its ids follow from seed and number."""
        script = act.write(random.Random(f"{self._seed}/{number}/{act.who}"))
        ids = random.Random(f"{self._seed}/{number}/ids")
        try:
            call = next(script)
        except StopIteration:
            return
        self._put(act.time_s + call.after_s, Running(act, script, call, ids), urgent=act.urgent)

    async def _make_room(self, time_s: float) -> None:
        """Wait until a call of that time may start."""
        while len(self._flying) >= IN_FLIGHT or (self._flying and min(self._flying.values()) < time_s - WINDOW_S):
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            self._collect()
        while len(self._watches) >= WATCHES:
            await asyncio.wait(self._watches, return_when=asyncio.FIRST_COMPLETED)
            self._collect()
        await asyncio.sleep(0)

    async def _land(self, most: int) -> None:
        """Wait until no more than so many calls are under way."""
        while len(self._flying) > most:
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            self._collect()

    def _collect(self) -> None:
        """Forget the calls that are done, and raise what went wrong."""
        for task in [task for task in self._flying if task.done()]:
            del self._flying[task]
            task.result()
        for watch in [watch for watch in self._watches if watch.done()]:
            self._watches.remove(watch)
            watch.result()

    def _take_off(self, time_s: float, item: Running | Stranger) -> None:
        """Start an item."""
        self.now_s = max(self.now_s, time_s)
        if isinstance(item, Stranger):
            self._flying[asyncio.create_task(self._run_stranger(item, time_s))] = time_s
        elif item.call.watch_s:
            # Nothing depends on what a watch shows, so its script goes on at once.
            self._watches.add(asyncio.create_task(self._send(time_s, item)))
            self._go_on(time_s, item, acts.Answer(200))
        else:
            self._flying[asyncio.create_task(self._run(time_s, item))] = time_s

    async def _run_stranger(self, item: Stranger, time_s: float) -> None:
        """Run a step in a thread."""
        following = await asyncio.to_thread(item.step, time_s)
        if following is not None:
            self.push_stranger(following)

    async def _run(self, time_s: float, item: Running) -> None:
        """Send one call and queue the next of its script."""
        async with self._lanes.setdefault(f"{item.act.who}/{item.act.replica}", asyncio.Lock()):
            answer = await self._send(time_s, item)
        if answer is not None:
            self._go_on(time_s, item, answer)

    def _go_on(self, time_s: float, item: Running, answer: acts.Answer) -> None:
        """Queue the next call of a script."""
        try:
            call = item.script.send(answer)
        except StopIteration:
            return
        following = msgspec.structs.replace(item, call=call)
        self._put(time_s + call.after_s, following, urgent=item.act.urgent)

    async def _send(self, time_s: float, item: Running) -> acts.Answer | None:
        """Send one call, more than once when there is no answer; ``None`` when nobody can send it."""
        act, call = item.act, item.call
        session = self._sessions(act, call.who or act.who)
        if session is None:
            self.skipped[call.who or act.who] += 1
            return None
        shown = ""
        if call.watch_s:
            shown = call.path.replace(acts.VERSION, self._cluster.version if self._cluster else "0")
            call = msgspec.structs.replace(call, path=acts.shortened(shown))
        for left in reversed(range(RETRIES)):
            audit_id = str(uuid.UUID(int=item.ids.getrandbits(128), version=4))
            lasts_s = call.watch_s or (STREAM_S if call.upgrade else 0.0)
            self.anchors.append(Anchor(audit_id, time_s, lasts_s, session.username, act.episode, shown))
            try:
                answer = await self._wire.send(call, session, audit_id=audit_id)
            except errors.ApiTemporaryError:
                if not left:
                    raise
                continue
            self.answers[answer.status] += 1
            if len(self.anchors) % 200 == 0:
                self._progress(time_s, len(self.anchors))
            return answer
        raise AssertionError("unreachable")
