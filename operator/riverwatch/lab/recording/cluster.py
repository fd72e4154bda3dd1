"""Follow the cluster while it lives: place pods, start and end them as kubelets do, and know who can act as what.

In: the API server's watches, read by the lab's own observer (whose records are dropped later). Out: urgent `Act`s
of the scheduler and the kubelets, `world.Session`s of pods, and the `View` that habits use. Invariant: real
controllers make and end pods; only what no program here does (scheduling, kubelets) is played. Called by `player` and
`recorder`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

import aiohttp
import msgspec
import yarl

from riverwatch.lab import world
from riverwatch.lab.attacks import base
from riverwatch.lab.company import model, system
from riverwatch.lab.life import acts, nodes, view
from riverwatch.lab.recording import wire

WATCHED = ("pods", "deployments", "daemonsets", "jobs")
"""Resources that the observer follows."""

PLACING_S = (0.02, 0.6)
"""How long the scheduler takes to place a pod, in seconds."""

STARTING_S = (1.5, 9.0)
"""How long a kubelet takes to bring a pod up, in seconds."""

ENDING_S = (0.5, 6.0)
"""How long a pod takes to end, in seconds."""

JOB_S = 45.0
"""How long a job's pod runs when its `lab.seconds` argument does not say, in seconds."""

BINDING_SEEN_S = 0.03
"""Real seconds after which the API server's own watch has seen that a pod was placed."""

UNSETTLED = frozenset({"new", "placed", "ending"})
"""Stages of pods for which scheduler or kubelet have something to do."""

QUIET_S = 0.03
"""Real seconds without news after which a settled cluster is believed to be settled."""


class Cluster:
    """The observer's picture of the cluster.

    Parameters
    ----------
    channel
        Connections to the API server.
    observer
        Session of the lab's own observer.
    push
        Takes the acts of scheduler and kubelets.
    now
        Gives simulated time, epoch seconds.
    seed
        Of the recording.
    """

    def __init__(
        self,
        channel: wire.Wire,
        observer: world.Session,
        *,
        push: Callable[[acts.Act], None],
        now: Callable[[], float],
        seed: int,
    ) -> None:
        self._wire = channel
        self._observer = observer
        self._push = push
        self._now = now
        self._rng = random.Random(f"{seed}/cluster")
        self._pods: dict[str, view.Pod] = {}
        self._stage: dict[str, str] = {}
        self._unsettled: dict[str, str] = {}
        self._addresses: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.machines: dict[str, model.Node] = {machine.name: machine for machine in system.NODES}
        self.cordoned: set[str] = set()
        self.news = asyncio.Event()
        self.version = "0"

    @property
    def now_s(self) -> float:
        """Simulated time, epoch seconds."""
        return self._now()

    async def follow(self, server: str) -> None:
        """Read the present state and go on following it.

        Parameters
        ----------
        server
            Address of the API server.
        """
        for resource in WATCHED:
            answer = await self._wire.send(acts.listing(resource, reads=True, limit=0), self._observer, audit_id="")
            body = answer.body()
            items, metadata = body.get("items"), body.get("metadata")
            assert isinstance(items, list)
            assert isinstance(metadata, dict)
            for item in items:
                self._notice(resource, "ADDED", item)
            self._tasks.append(asyncio.create_task(self._watch(server, resource, str(metadata["resourceVersion"]))))

    async def stop(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def failed(self) -> None:
        """Raise what ended the following, if something did."""
        for task in self._tasks:
            if task.done():
                task.result()

    def settled(self) -> bool:
        """Say whether every controller, the scheduler and the kubelets have done what there was to do."""
        return not self._unsettled and UNSETTLED.isdisjoint(self._stage.values())

    def unsettled(self) -> list[str]:
        """Name what is not settled, for messages."""
        busy = [
            f"pod {self._pods[uid].namespace}/{self._pods[uid].name} is {stage}"
            for uid, stage in self._stage.items()
            if stage in UNSETTLED
        ]
        return busy + [f"{name}: {why}" for name, why in self._unsettled.items()]

    def pods(self, namespace: str = "", *, app: str = "", node: str = "") -> Sequence[view.Pod]:
        """Give the running pods that match, oldest first."""
        return [
            pod
            for pod in list(self._pods.values())
            if pod.running
            and not pod.ending
            and (not namespace or pod.namespace == namespace)
            and (not app or pod.app == app)
            and (not node or pod.node == node)
        ]

    def keep_token(self, uid: str, token: str) -> None:
        """Remember the token that a node obtained for a pod."""
        if uid in self._pods:
            self._pods[uid].token = token
            self._pods[uid].renewed_s = self.now_s

    def join(self, machine: model.Node) -> None:
        """Let a new node be scheduled to."""
        self.machines[machine.name] = machine

    def cordon(self, name: str) -> None:
        """Schedule nothing more to a node."""
        self.cordoned.add(name)

    def leave(self, name: str) -> None:
        """Forget a node and what is left on it."""
        self.machines.pop(name, None)
        for pod in self._pods.values():
            if pod.node == name:
                pod.running = False
                self._stage[pod.uid] = "gone"

    def pod_session(self, namespace: str, account: str, replica: int, agent: str) -> world.Session | None:
        """Give the session of one of an account's pods.

        Parameters
        ----------
        namespace
            The account's namespace.
        account
            The account.
        replica
            Which pod, taken modulo their number.
        agent
            User agent.
        """
        crowd = [
            pod
            for pod in self._pods.values()
            if pod.account == account and pod.namespace == namespace and pod.token and pod.running and not pod.ending
        ]
        if not crowd:
            return None
        pod = crowd[replica % len(crowd)]
        name = model.username(namespace, account)
        return world.Session(name, base.Credential(token=pod.token), pod.address, agent, pod=pod.name, node=pod.node)

    async def _watch(self, server: str, resource: str, version: str) -> None:
        """Follow one resource until cancelled."""
        path = acts.path(resource, resourceVersion=version, watch=True, timeoutSeconds=86400)
        client = self._wire.client(self._observer.credential)
        headers = {"User-Agent": self._observer.user_agent, "Accept": "application/json"}
        unlimited = aiohttp.ClientTimeout(total=None)
        async with client.get(yarl.URL(server + path, encoded=True), headers=headers, timeout=unlimited) as response:
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    item = msgspec.json.decode(line)
                    self._notice(resource, item["type"], item["object"])

    def _notice(self, resource: str, change: str, body: dict[str, object]) -> None:
        """Take in one change."""
        self.news.set()
        self.version = str(_part(body, "metadata").get("resourceVersion") or self.version)
        if resource == "pods":
            self._notice_pod(change, body)
            return
        metadata, spec, status = (_part(body, name) for name in ("metadata", "spec", "status"))
        name = f"{resource} {metadata['namespace']}/{metadata['name']}"
        self._unsettled.pop(name, None)
        if change == "DELETED" or "deletionTimestamp" in metadata:
            return
        if why := _unsettled(resource, metadata, spec, status):
            self._unsettled[name] = why

    def _notice_pod(self, change: str, body: dict[str, object]) -> None:
        """Take in one pod and have done for it what is due."""
        metadata, spec, status = (_part(body, name) for name in ("metadata", "spec", "status"))
        uid = str(metadata["uid"])
        if change == "DELETED":
            self._pods.pop(uid, None)
            self._stage.pop(uid, None)
            return
        pod = self._pods.get(uid)
        if pod is None:
            labels = metadata.get("labels")
            app = str(labels.get("app.kubernetes.io/name", "")) if isinstance(labels, dict) else ""
            pod = view.Pod(
                str(metadata["namespace"]),
                str(metadata["name"]),
                uid,
                str(spec.get("serviceAccountName", "default")),
                app,
                body,
            )
            self._pods[uid] = pod
            self._stage[uid] = "new"
            if not spec.get("nodeName"):
                self._place(pod)
        pod.body = body
        self._follow_pod(
            pod,
            node=str(spec.get("nodeName", "")),
            phase=str(status.get("phase", "")),
            ending="deletionTimestamp" in metadata,
        )

    def _follow_pod(self, pod: view.Pod, *, node: str, phase: str, ending: bool) -> None:
        """Move a pod to the stage that its state calls for."""
        stage = self._stage[pod.uid]
        if phase in {"Succeeded", "Failed"}:
            # Nothing is left for a kubelet to do, whether or not the object is being deleted.
            pod.running, pod.ending = False, ending
            self._stage[pod.uid] = "ended"
        elif ending and not pod.ending:
            pod.ending = True
            self._stage[pod.uid] = "ending"
            user = self.machines[node].username if node in self.machines else system.SCHEDULER
            self._react(user, ENDING_S, nodes.end_pod(pod))
        elif node and stage == "new" and not ending:
            pod.node = node
            pod.address = self._address(pod, node)
            self._stage[pod.uid] = "placed"
            if node in self.machines:
                start = nodes.start_pod(self, pod, self.machines[node])
                # The API server lets a node speak for a pod only once its own watch has seen the binding.
                asyncio.get_running_loop().call_later(
                    BINDING_SEEN_S, self._react, self.machines[node].username, STARTING_S, start
                )
        elif phase == "Running" and stage == "placed":
            pod.running = True
            self._stage[pod.uid] = "running"
            if _is_job(pod.body):
                seconds = self._rng.uniform(0.6, 1.5) * JOB_S
                self._react(
                    self.machines[pod.node].username,
                    (seconds, seconds),
                    nodes.finish_pod(self, pod, self.machines[pod.node]),
                    urgent=False,
                )

    def _place(self, pod: view.Pod) -> None:
        """Have the scheduler choose a node: the one its affinity names, else the emptiest."""
        load = {name: 0 for name in self.machines if name not in self.cordoned}
        for other in self._pods.values():
            if other.node in load:
                load[other.node] += 1
        least = min(load.values())
        chosen = _pinned(pod.body) or self._rng.choice([name for name, count in load.items() if count <= least + 1])
        self._react(system.SCHEDULER, PLACING_S, nodes.place_pod(pod, chosen))

    def _react(self, who: str, delay_s: tuple[float, float], write: acts.Writer, *, urgent: bool = True) -> None:
        """Queue what the cluster does by itself."""
        self._push(acts.Act(self.now_s + self._rng.uniform(*delay_s), who, write, urgent=urgent))

    def _address(self, pod: view.Pod, node: str) -> str:
        """Give a pod the next address of its node's range, or the node's own."""
        machine = self.machines.get(node)
        if machine is None:
            return ""
        if _part(pod.body, "spec").get("hostNetwork"):
            return machine.address
        count = self._addresses[node] = self._addresses.get(node, self._rng.randrange(5, 40)) + 1
        return f"{machine.pod_network}.{count % 250 + 2}"


def _part(body: dict[str, object], name: str) -> dict[str, object]:
    """Give a part of an object, empty when it has none."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _unsettled(resource: str, metadata: dict[str, object], spec: dict[str, object], status: dict[str, object]) -> str:
    """Say why a workload is not what its specification asks for; empty when it is."""
    if resource == "jobs":
        return "" if spec.get("suspend") or status.get("startTime") else "not started"
    if status.get("observedGeneration", 0) != metadata.get("generation"):
        return "not observed"
    if resource == "daemonsets":
        wanted = status.get("desiredNumberScheduled", 0)
        same = (
            wanted
            == status.get("numberReady", 0)
            == status.get("updatedNumberScheduled", 0)
            == status.get("currentNumberScheduled", 0)
        )
        return "" if same else "pods missing"
    wanted = spec.get("replicas", 1)
    same = all(status.get(name, 0) == wanted for name in ("replicas", "updatedReplicas", "readyReplicas"))
    return "" if same else "pods missing"


def _pinned(body: dict[str, object]) -> str:
    """Give the node that a DaemonSet's pod is made for."""
    affinity = _part(_part(body, "spec"), "affinity")
    terms = _part(_part(affinity, "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution").get(
        "nodeSelectorTerms"
    )
    if not isinstance(terms, list):
        return ""
    for term in terms:
        for field in term.get("matchFields", ()):
            return str(field["values"][0])
    return ""


def _is_job(body: dict[str, object]) -> bool:
    """Say whether a pod ends by itself."""
    return _part(body, "spec").get("restartPolicy") == "Never"
