"""Where everything of one control plane lies, and the ports it uses.

In: a folder. Out: paths and ports. Nothing of a plane is written outside its folder. Called by `plane`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import socket

from riverwatch import errors
from riverwatch.lab.controlplane import versions

PORT_RANGE = range(20000, 32000)
"""Ports to choose from: below those that Linux gives to outgoing connections (32768 and up) and to node ports."""

ATTEMPTS = 200
"""How many ports are tried before giving up."""


@dataclasses.dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1, one per listener."""

    api_server: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kubelet: int

    @classmethod
    def choose(cls, *, api_server: int = 0) -> Ports:
        """Take free ports.

        Parameters
        ----------
        api_server
            The API server's port; 0 takes a free one.

        Raises
        ------
        BadInputError
            When the named port is taken.
        LabError
            When no free port is found.
        """
        if api_server and not _free(api_server):
            raise errors.BadInputError(f"port {api_server} is taken; choose another, or 0 for any")
        names = [field.name for field in dataclasses.fields(cls)]
        free: list[int] = [api_server] if api_server else []
        # Not seeded: two planes that start at once must not try the same ports in the same order.
        for port in random.SystemRandom().sample(PORT_RANGE, ATTEMPTS):
            if len(free) == len(names):
                break
            if port not in free and _free(port):
                free.append(port)
        if len(free) < len(names):
            raise errors.LabError(f"no {len(names)} free ports between {PORT_RANGE.start} and {PORT_RANGE.stop}")
        return cls(**dict(zip(names, free, strict=True)))


@dataclasses.dataclass(frozen=True)
class Layout:
    """Paths inside a plane's folder.

    Parameters
    ----------
    folder
        The plane's folder.
    """

    folder: pathlib.Path

    @property
    def state(self) -> pathlib.Path:
        """The file by which another process finds the plane."""
        return self.folder / "state.json"

    @property
    def certificates(self) -> pathlib.Path:
        """Certificates and keys."""
        return self.folder / "pki"

    @property
    def kubeconfigs(self) -> pathlib.Path:
        """Kubeconfigs, one per identity."""
        return self.folder / "kubeconfigs"

    @property
    def admin_kubeconfig(self) -> pathlib.Path:
        """The kubeconfig of the cluster's administrator."""
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> pathlib.Path:
        """The audit log, JSON lines."""
        return self.folder / "audit.jsonl"

    @property
    def audit_policy(self) -> pathlib.Path:
        """The audit policy in force."""
        return self.folder / "audit-policy.yaml"

    @property
    def audit_webhook(self) -> pathlib.Path:
        """Where the API server finds the audit webhook."""
        return self.folder / "audit-webhook.kubeconfig"

    @property
    def etcd_data(self) -> pathlib.Path:
        """The store."""
        return self.folder / "etcd"

    @property
    def kwok_config(self) -> pathlib.Path:
        """How kwok plays nodes and pods."""
        return self.folder / "kwok.yaml"

    @property
    def container_log(self) -> pathlib.Path:
        """What kwok shows as every container's log."""
        return self.folder / "container.log"

    def log(self, component: versions.Component) -> pathlib.Path:
        """Return a program's log file.

        Parameters
        ----------
        component
            The program.
        """
        return self.folder / f"{component}.log"


def _free(port: int) -> bool:
    """Say whether nobody listens on a port of the loopback address."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
