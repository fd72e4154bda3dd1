"""Record a life: found the company on a control plane, play its days, rewrite the records, write it all down.

In: a control plane, days, a seed, attacks. Out: a folder with ``audit.jsonl`` (or ``.zst``), ``labels.json``,
``labels.csv``, ``objects.yaml`` and ``meta.json``. Invariant: the schedule, its labels and its audit ids follow from
the seed alone; what a real API server and real controllers draw for themselves (uids, resource versions, pod names,
credential ids, latencies, the order of simultaneous requests) does not. Called by `riverwatch lab record`.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import uvloop

import riverwatch
from riverwatch import clock, errors
from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.company import commons, founding, people, system
from riverwatch.lab.controlplane import certificates, plane, versions
from riverwatch.lab.life import acts, everyday, happenings, odd, rhythm
from riverwatch.lab.recording import cast, cluster, inventory, kubelet, output, player, rewrite, scene, weaving, wire

FOUNDING_S = 90.0
"""Longest wait for the first pods to run, in real seconds: the controllers make 20 objects a second at most."""

AT_ONCE = 12
"""How many of the company's objects are created at once."""

TOKEN_LIFE_S = 86_400
"""Life of the tokens that no pod holds, in seconds: longer than any recording takes."""

DROPPED_USERS = frozenset({cast.OBSERVER, plane.ADMIN, plane.PROBER, plane.IDENTITIES[versions.Component.KWOK][0]})
"""User names of the lab itself."""


PLAYED = (versions.Component.SCHEDULER, versions.Component.KWOK)
"""Programs that the lab plays itself, so that pods start when the story says."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded."""

    days: float
    seed: int
    attacks: tuple[base.Attack, ...] = ()
    with_happenings: bool = True
    quiet_share: float = weaving.QUIET_SHARE
    """0..1. Share of the recording before the first attack."""
    compress: bool = False
    command: str = ""
    """Command line, for ``meta.json``."""


Progress = Callable[[str, float], None]
"""Told what is being done and which share of it is, 0 to 1."""


def record(on: plane.ControlPlane, folder: pathlib.Path, order: Order, *, progress: Progress) -> dict[str, Any]:
    """Record a life and return what ``meta.json`` says.

    Parameters
    ----------
    on
        A control plane with controllers and an audit log, without nodes, used for nothing else meanwhile.
    folder
        Where the recording goes; it is made.
    order
        What to record.
    progress
        Told how far it is.

    Raises
    ------
    BadInputError
        When the control plane has no audit log or no controllers, or has nodes.
    RiverwatchError
        When the API server goes away.
    """
    if not on.chosen.audit_log or not on.chosen.controllers:
        raise errors.BadInputError(
            "has no audit log or no controllers; start one with both", where=str(on.paths.folder)
        )
    if on.api.call("GET", acts.path("nodes"))["items"]:
        raise errors.BadInputError(
            "has been recorded on before, or has nodes; `down` it and use `up --nodes 0`", where=str(on.paths.folder)
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _without(on, PLAYED), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Recording(on, order, progress).make(folder))


@contextlib.contextmanager
def _without(on: plane.ControlPlane, parts: Sequence[versions.Component]) -> Iterator[None]:
    """Stop programs that the lab plays itself while the body runs."""
    running = [part for part in parts if on.running().get(part)]
    for part in running:
        on.stop_component(part)
    try:
        yield
    finally:
        for part in running:
            on.start_component(part)


class _Recording:
    """One recording under way."""

    def __init__(self, on: plane.ControlPlane, order: Order, progress: Progress) -> None:
        self._plane = on
        self._order = order
        self._progress = progress
        self._time = clock.SystemClock()
        self._span = rhythm.Span(world.START_S, world.START_S + order.days * world.DAY_S)
        authority = certificates.Authority(on.paths.certificates)
        pair = authority.issue_client(cast.OBSERVER, cast.OBSERVER, ("system:masters",))
        machines = [machine.address for machine in (*system.NODES, *system.NEW_NODES)]
        credential = base.Credential(certificate_file=str(pair.certificate), key_file=str(pair.key))
        self._observer = world.Session(cast.OBSERVER, credential, "", f"{cast.OBSERVER}/{riverwatch.__version__}")
        self._serving = authority.issue_server("lab-kubelets", ("localhost", "127.0.0.1", *machines))

    async def make(self, folder: pathlib.Path) -> dict[str, Any]:
        """Play, rewrite, write."""
        kubelets = kubelet.Kubelets(self._serving, end=kubelet.tunnel(self._plane.chosen))
        port = await kubelets.start()
        began_s = self._time.monotonic_s()
        async with wire.Wire(self._plane.url, str(self._plane.authority)) as channel:
            self._player = player.Player(
                channel, seed=self._order.seed, start_s=self._span.start_s - rhythm.HOUR_S, progress=self._played
            )
            self._cluster = cluster.Cluster(
                channel, self._observer, push=self._player.push, now=lambda: self._player.now_s, seed=self._order.seed
            )
            self._cast = cast.Cast(self._plane.paths.certificates, self._cluster)
            self._player.attach(self._cluster, self._cast.session)
            try:
                await self._found(channel, port)
                objects = await inventory.read(channel, self._observer)
                offset = self._plane.audit_log.stat().st_size
                founded = len(self._player.anchors)
                plots, omitted, happened = await self._live(port)
            finally:
                await self._player.stop()
                await self._cluster.stop()
                await kubelets.stop()
        played_s = self._time.monotonic_s() - began_s
        self._progress("rewriting", 0.0)
        own, dropped_ids = weaving.anchors(plots)
        rewriter = rewrite.Rewriter(
            [*self._player.anchors[founded:], *own],
            span=(self._span.start_s, self._span.end_s),
            dropped_users=DROPPED_USERS,
            dropped_ids=dropped_ids,
        )
        with self._plane.audit_log.open("rb") as stream:
            stream.seek(offset)
            # What is still being written is not part of the story: all of that has been answered.
            lines = rewriter.rewrite(line for line in stream if line.endswith(b"\n"))
        recorded = frozenset(line.audit_id for line in lines)
        episodes = weaving.episodes(plots, recorded)
        episodes += output.happenings(happened, self._player.anchors[founded:], recorded)
        inventory.write(folder, objects, times=lambda item: rewriter.object_times(item, now_s=self._span.start_s))
        meta = self._meta(plots, omitted, rewriter, played_s)
        labels = world.Labels(
            world.LABELS_VERSION,
            self._order.seed,
            world.rfc3339(self._span.start_s),
            world.rfc3339(self._span.end_s),
            sorted(episodes, key=lambda episode: episode.start),
        )
        return output.write(folder, lines, labels, meta=meta, compress=self._order.compress)

    async def _found(self, channel: wire.Wire, port: int) -> None:
        """Create the company and wait until its pods run."""
        stages = founding.stages(self._order.seed, kubelet_port=port)
        total, done = sum(len(stage) for stage in stages), 0
        for index, stage in enumerate(stages):
            if index == len(stages) - 1:
                await self._cluster.follow(self._plane.url)
            room = asyncio.Semaphore(AT_ONCE)
            for body in asyncio.as_completed([self._create(channel, body, room) for body in stage]):
                await body
                done += 1
                self._progress("founding", 0.5 * done / total)
        for pipeline in people.PIPELINES:
            token = await asyncio.to_thread(
                self._plane.service_account_token, pipeline.namespace, pipeline.account, life_s=TOKEN_LIFE_S
            )
            self._cast.know_token(pipeline.username, token)
        name = everyday.CRON_CONTROLLER
        token = await asyncio.to_thread(
            self._plane.service_account_token, "kube-system", name.rpartition(":")[2], life_s=TOKEN_LIFE_S
        )
        self._cast.know_token(name, token)
        await self._player.settle(longest_s=FOUNDING_S)
        await self._served(channel)
        if self._player.late:
            raise errors.LabError(f"the company's pods did not start within {FOUNDING_S:g} s: {self._player.late[0]}")
        self._progress("founding", 1.0)

    async def _served(self, channel: wire.Wire) -> None:
        """Wait until every kind that was defined can be watched."""
        deadline = self._time.monotonic_s() + FOUNDING_S
        for _, _, plural, _ in commons.CUSTOM_KINDS:
            watch = acts.Call("GET", acts.path(plural, watch=True, timeoutSeconds=1))
            while (answer := await channel.send(watch, self._observer, audit_id="")).status != 200:
                if self._time.monotonic_s() > deadline:
                    raise errors.LabError(f"{plural} cannot be watched: {answer.status}")
                await asyncio.sleep(0.05)

    async def _create(self, channel: wire.Wire, body: dict[str, object], room: asyncio.Semaphore) -> None:
        """Create one object; a kind that was just defined may need a moment until it is served."""
        target = founding.collection(body)
        async with room:
            for attempt in range(60):
                answer = await channel.send(acts.Call("POST", target, body, reads=True), self._observer, audit_id="")
                if answer.ok or answer.status == 409:
                    return
                if answer.status not in {404, 403, 500, 503} or attempt == 59:
                    break
                await asyncio.sleep(0.05)
        raise errors.LabError(f"POST {target}: {answer.status}: {answer.content[:400].decode(errors='replace')}")

    async def _live(self, port: int) -> tuple[list[weaving.Plot], list[str], list[odd.Happening]]:
        """Play the days."""
        seed = self._order.seed
        planned = everyday.acts_of_all(seed, self._span, self._cluster, kubelet_port=port)
        episodes: list[odd.Happening] = []
        if self._order.with_happenings:
            episodes = happenings.plan(seed, self._span, self._cluster, self._cast, port=port)
            planned = happenings.changed(planned, episodes)
        plots, omitted = weaving.plan(
            self._order.attacks, seed=seed, span=self._span, quiet_share=self._order.quiet_share
        )
        company = scene.Company(
            self._plane.url,
            str(self._plane.authority),
            actors=self._cast,
            follower=self._cluster,
            observer=self._observer,
        )
        for stranger in weaving.strangers(plots, company, seed=seed):
            self._player.push_stranger(stranger)
        self._player.now_s = self._span.start_s
        await self._player.play(planned)
        return plots, omitted, episodes

    def _played(self, time_s: float, _: int) -> None:
        """Tell how far playing is."""
        self._progress("playing", max(0.0, (time_s - self._span.start_s) / (self._span.end_s - self._span.start_s)))

    def _meta(
        self, plots: Sequence[weaving.Plot], omitted: list[str], rewriter: rewrite.Rewriter, played_s: float
    ) -> dict[str, Any]:
        """Say how the recording was made and what did not go as planned."""
        return {
            "seed": self._order.seed,
            "days": self._order.days,
            "command": self._order.command,
            "versions": {"riverwatch": riverwatch.__version__, "kubernetes": versions.KUBERNETES},
            "requests": len(self._player.anchors),
            "answers": {str(status): count for status, count in sorted(self._player.answers.items())},
            "playedInSeconds": round(played_s, 1),
            "dropped": dict(rewriter.dropped),
            "skipped": dict(self._player.skipped),
            "unsettled": self._player.late,
            "attacksOmitted": omitted,
            "attacksFailed": {plot.episode: plot.failure for plot in plots if plot.failure},
            "attacksNotCleanedUp": {plot.episode: plot.left for plot in plots if plot.left},
        }
