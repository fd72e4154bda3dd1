"""A real control plane on this machine: etcd, kube-apiserver, kube-controller-manager, kwok with a scheduler.

In: a folder and `options.Options`. Out: a `ControlPlane` whose address, kubeconfigs, audit log and processes can be
used and taken away one by one. Invariants: everything it writes is in its folder; after `stop` no process is left, and
none outlives the program that started it unless `detached` was asked for. Called by `riverwatch lab` and by tests.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Self

from riverwatch import errors
from riverwatch.lab.controlplane import (
    arguments,
    audit,
    binaries,
    certificates,
    identities,
    kubeconfig,
    layout,
    options,
    processes,
    rest,
    stages,
    state,
    versions,
)

READY_S = 60.0
"""Longest wait for one program to become ready, in seconds; a loaded 2-core machine needs about 10."""

GRACE_S = 8.0
"""How long the API server may take to send its last audit batches when it is stopped, in seconds."""

ADMIN = "kubernetes-admin"
"""User name of the administrator, as installers name it."""

PROBER = "health-probe"
"""User name that asks the API server whether it is ready; it has no rights, as a load balancer's probe has none."""

IDENTITIES = {
    versions.Component.CONTROLLER_MANAGER: ("system:kube-controller-manager", ()),
    versions.Component.SCHEDULER: ("system:kube-scheduler", ()),
    versions.Component.KWOK: ("kwok-controller", ("system:masters",)),
}
"""User and groups of the programs that are clients of the API server; the first two have roles of their own."""


class ControlPlane(identities.Issuer):
    """One control plane; made by `start` or `load`.

    Parameters
    ----------
    paths
        Its folder.
    recorded
        What its state file says.
    guard
        Ends its processes when this program ends; ``None`` for a detached one.
    """

    def __init__(self, paths: layout.Layout, recorded: state.State, guard: processes.Guard | None) -> None:
        self.paths = paths
        self._state = recorded
        self._guard = guard
        signer = certificates.Authority(paths.certificates)
        url = f"https://127.0.0.1:{recorded.ports.api_server}"
        admin = signer.issue_client("admin", ADMIN, ("system:masters",))
        api = rest.Api(recorded.ports.api_server, signer.pair.certificate, admin)
        super().__init__(url, signer=signer, api=api, kubeconfigs=paths.kubeconfigs)
        kubeconfig.write(paths.admin_kubeconfig, kubeconfig.with_certificate(url, self.authority, admin))
        self._inputs = _inputs(paths, recorded, signer)
        self._prober = signer.issue_client("prober", PROBER)

    @classmethod
    def start(
        cls,
        folder: pathlib.Path,
        chosen: options.Options | None = None,
        *,
        places: binaries.Places | None = None,
        detached: bool = False,
    ) -> Self:
        """Start a control plane and wait until it does its work.

        Parameters
        ----------
        folder
            Where all its files go; new or empty.
        chosen
            What runs and how.
        places
            Where programs are looked for.
        detached
            Whether it runs on when this program ends; `load` finds it again.

        Raises
        ------
        BadInputError
            When the folder is in use, or a named file is missing.
        LabError
            When a program is missing, cannot be built or does not start; the text holds the end of its log.
        """
        chosen = chosen or options.Options()
        folder = folder.absolute()
        if folder.exists() and any(folder.iterdir()):
            raise errors.BadInputError("is not empty; `down` it first, or choose another folder", where=str(folder))
        programs = binaries.find_all(chosen.components(), places or binaries.Places())
        folder.mkdir(parents=True, exist_ok=True)
        paths = layout.Layout(folder)
        recorded = state.State(
            chosen=chosen, ports=layout.Ports.choose(api_server=chosen.port), programs=programs, started={}
        )
        guard = None if detached else processes.Guard()
        plane = cls(paths, recorded, guard)
        try:
            audit.write_files(paths, chosen, plane._signer)
            stages.write(paths.kwok_config, paths.container_log)
            plane._start_all()
        except BaseException:
            plane.stop(grace_s=0)
            raise
        return plane

    @classmethod
    def load(cls, folder: pathlib.Path) -> Self:
        """Find a plane that another program started.

        Parameters
        ----------
        folder
            Its folder.

        Raises
        ------
        BadInputError
            When no control plane is there.
        """
        paths = layout.Layout(folder.absolute())
        return cls(paths, state.read(paths.state), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def admin_kubeconfig(self) -> pathlib.Path:
        """Kubeconfig of the administrator (group system:masters)."""
        return self.paths.admin_kubeconfig

    @property
    def audit_log(self) -> pathlib.Path:
        """The audit log, JSON lines; empty path content until the first record is written."""
        return self.paths.audit_log

    @property
    def chosen(self) -> options.Options:
        """What the caller chose."""
        return self._state.chosen

    @property
    def started(self) -> Mapping[versions.Component, processes.Process]:
        """The programs started last, whether or not they still run."""
        return self._state.started

    def running(self) -> dict[versions.Component, bool]:
        """Say of every program that belongs to this plane whether it runs."""
        return self._state.running()

    def start_component(self, component: versions.Component, *, wait: bool = True) -> None:
        """Start one program, as it was started before.

        Parameters
        ----------
        component
            Which.
        wait
            Whether to wait until it is ready.

        Raises
        ------
        LabError
            When it does not start.
        """
        if self.running().get(component):
            return
        command = [str(self._state.programs[component]), *arguments.arguments(component, self._inputs)]
        started = processes.start(
            component,
            command,
            log=self.paths.log(component),
            guard=self._guard,
            environment={**os.environ, **arguments.ENVIRONMENT},
        )
        self._state.started[component] = started
        state.write(self.paths.state, self._state)
        if wait:
            self._wait_component(component)

    def stop_component(self, component: versions.Component, *, grace_s: float = GRACE_S) -> None:
        """Stop one program.

        Parameters
        ----------
        component
            Which.
        grace_s
            Seconds it may take; 0 kills it as a crash would.
        """
        if component in self._state.started:
            self._state.started[component].stop(grace_s=grace_s)

    @contextlib.contextmanager
    def api_server_away(self, *, grace_s: float = GRACE_S) -> Iterator[None]:
        """Take the API server away while the body runs, then bring it back.

        Parameters
        ----------
        grace_s
            Seconds it may take to end; 0 kills it.
        """
        self.stop_component(versions.Component.API_SERVER, grace_s=grace_s)
        try:
            yield
        finally:
            self.start_component(versions.Component.API_SERVER)

    def wait_ready(self) -> None:
        """Wait until every program does its work.

        Raises
        ------
        LabError
            When one does not; the text holds the end of its log.
        """
        for component in self.chosen.components():
            self._wait_component(component)

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        """End every program; the files stay.

        Parameters
        ----------
        grace_s
            Seconds that each may take; 0 kills them.
        """
        for component in reversed(list(self._state.started)):
            # Only the API server has something to finish: its last audit batches.
            self.stop_component(component, grace_s=grace_s if component is versions.Component.API_SERVER else 0)
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def remove(self) -> None:
        """End every program and remove the folder."""
        self.stop(grace_s=0)
        shutil.rmtree(self.paths.folder)

    def add_node(self, name: str, address: str, *, labels: Mapping[str, str] | None = None) -> None:
        """Add a node for kwok to play and wait until pods can be placed on it.

        Parameters
        ----------
        name
            Node name.
        address
            Its IPv4 address, as pods and other clients see it; any will do, nothing dials it.
        labels
            Further labels.

        Raises
        ------
        LabError
            When it did not become ready.
        """
        addresses = [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name},
            # The API server dials this one, and finds kwok in the kubelet's place.
            {"type": "ExternalDNS", "address": "localhost"},
        ]
        metadata = {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
        }
        body = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"addresses": addresses}}
        self.api.call("POST", "/api/v1/nodes", body)
        processes.wait_ready(self.started[versions.Component.KWOK], lambda: self._placeable(name), timeout_s=READY_S)

    def _start_all(self) -> None:
        """Start the store and the API server, then, once it has its roles, all of its clients at once."""
        server = (versions.Component.ETCD, versions.Component.API_SERVER)
        for component in server:
            self.start_component(component, wait=component is not versions.Component.ETCD)
        for component in self.chosen.components():
            if component not in server:
                self.start_component(component, wait=False)
        self.wait_ready()

    def _wait_component(self, component: versions.Component) -> None:
        """Wait for what tells that one program does its work."""
        ports = self._state.ports
        process = self._state.started[component]
        conditions = {
            versions.Component.ETCD: process.alive,
            versions.Component.API_SERVER: lambda: self._healthy(ports.api_server, "/readyz"),
            versions.Component.CONTROLLER_MANAGER: self._accounts_made,
            versions.Component.SCHEDULER: lambda: self._healthy(ports.scheduler, "/healthz"),
            versions.Component.KWOK: lambda: self._healthy(ports.kubelet, "/healthz"),
        }
        processes.wait_ready(process, conditions[component], timeout_s=READY_S)

    def _accounts_made(self) -> bool:
        """Say whether the default service account, without which no pod is admitted, is there or comes within a second.

        One watch instead of many reads: the plane's own questions must not fill the audit log.
        """
        path = "/api/v1/namespaces/default/serviceaccounts?watch=1&fieldSelector=metadata.name%3Ddefault"
        return self.api.first_line(f"{path}&timeoutSeconds=1")

    def _placeable(self, name: str) -> bool:
        """Say whether a node is ready and bears no taint."""
        node = self.api.call("GET", f"/api/v1/nodes/{name}")
        conditions = {part["type"]: part["status"] for part in node["status"].get("conditions", [])}
        return conditions.get("Ready") == "True" and not node["spec"].get("taints")

    def _healthy(self, port: int, path: str) -> bool:
        """Ask a program's own health page."""
        return rest.Api(port, self.authority, self._prober).ok(path)


def _inputs(paths: layout.Layout, recorded: state.State, authority: certificates.Authority) -> arguments.Inputs:
    """Write the certificates and kubeconfigs that programs need."""
    url = f"https://127.0.0.1:{recorded.ports.api_server}"
    local = ("localhost", "127.0.0.1", "::1")
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    kubeconfigs = {}
    for component, (user, groups) in IDENTITIES.items():
        pair = authority.issue_client(component, user, groups)
        document = kubeconfig.with_certificate(url, authority.pair.certificate, pair)
        kubeconfigs[component] = kubeconfig.write(paths.certificates / f"{component}.kubeconfig", document)
    return arguments.Inputs(
        paths=paths,
        ports=recorded.ports,
        chosen=recorded.chosen,
        authority=authority.pair,
        serving=authority.issue_server("kube-apiserver", (*local, *service, "10.96.0.1")),
        kubelet_serving=authority.issue_server("kubelet", local),
        kubelet_client=authority.issue_client("kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",)),
        front_proxy=authority.issue_client("front-proxy", arguments.FRONT_PROXY),
        tokens=authority.token_key(),
        kubeconfigs=kubeconfigs,
    )
