"""What a caller may choose about a control plane.

Plain data, written into the plane's folder so that a later process finds the same plane. Read by `arguments`,
`audit` and `plane`.
"""

from __future__ import annotations

import dataclasses
import pathlib

from riverwatch.lab.controlplane import versions

BATCH_WAIT_S = 0.2
"""How long the API server gathers records before it sends a batch, in seconds; its own default is 30, for clusters."""

BATCH_SIZE = 400
"""Most records in one batch; kube-apiserver's default."""

RETRY_S = 1.0
"""First pause before a batch is sent again, in seconds; the API server's own default is 10."""

POD_NETWORK = "10.244.0.0/16"
"""Addresses of pods, as most installers choose them; each node gets a /24 of it."""

SERVICE_NETWORK = "10.96.0.0/16"
"""Addresses of services."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Webhook:
    """An audit webhook; the API server starts whether or not it listens.

    Parameters
    ----------
    url
        Where batches go.
    authority
        PEM file of the CA that signed the receiver's certificate.
    token
        Bearer token shown to the receiver.
    client_certificate
        Subject (user name) of a client certificate shown to the receiver, signed by the plane's own CA.
    """

    url: str
    authority: pathlib.Path | None = None
    token: str | None = None
    client_certificate: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What runs and how.

    Parameters
    ----------
    audit_policy
        Policy file; ``None`` takes the one this project ships.
    audit_log
        Whether records are also written to a file.
    webhook
        Audit webhook, if any.
    batch_wait_s
        Seconds that the API server gathers a batch.
    batch_size
        Most records in one batch.
    retry_s
        First pause before a failed batch is sent again, in seconds.
    controllers
        Whether kube-controller-manager runs.
    kwok
        Whether kwok plays nodes and pods, with kube-scheduler to place them.
    port
        The API server's port; 0 takes a free one.
    api_server_flags
        Further flags, which win over the plane's own.
    """

    audit_policy: pathlib.Path | None = None
    audit_log: bool = True
    webhook: Webhook | None = None
    batch_wait_s: float = BATCH_WAIT_S
    batch_size: int = BATCH_SIZE
    retry_s: float = RETRY_S
    controllers: bool = True
    kwok: bool = False
    port: int = 0
    api_server_flags: tuple[str, ...] = ()

    def components(self) -> tuple[versions.Component, ...]:
        """Give the programs that these choices need, in starting order."""
        part = versions.Component
        optional = {part.CONTROLLER_MANAGER: self.controllers, part.SCHEDULER: self.kwok, part.KWOK: self.kwok}
        return tuple(component for component in part if optional.get(component, True))
