"""The command line of every program in a control plane; pure.

In: paths, ports, certificates, choices. Out: arguments. Called by `plane` each time it starts a program.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from riverwatch.lab.controlplane import certificates, layout, options, versions

ADVERTISED = "10.240.0.2"
"""Address published as the `kubernetes` service's endpoint; a loopback address is refused there. Nothing dials it."""

LOG_SIZE_MB = 100_000
"""Audit log size at which the API server would rotate it, in MB: never, as readers follow one file."""

FRONT_PROXY = "front-proxy-client"
"""Common name of the certificate that aggregated API servers trust, as installers name it."""

CLIENT_QPS = 300
"""Requests per second that a controller may make; the default of 20 makes the first start 4 s longer."""

ENVIRONMENT = {"KUBE_FEATURE_WatchListClient": "false"}
"""Variables of all programs: clients list and then watch, as streamed lists need etcd 3.4.25 and Debian has 3.4.23."""

FEATURE_GATES = "WatchList=false"
"""The same for clients that do not read `ENVIRONMENT`: kwok then falls back at once, not after seconds of retries."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """All that command lines are made from."""

    paths: layout.Layout
    ports: layout.Ports
    chosen: options.Options
    authority: certificates.KeyPair
    serving: certificates.KeyPair
    kubelet_serving: certificates.KeyPair
    kubelet_client: certificates.KeyPair
    front_proxy: certificates.KeyPair
    tokens: certificates.KeyPair
    kubeconfigs: dict[versions.Component, pathlib.Path]


def arguments(component: versions.Component, given: Inputs) -> list[str]:
    """Give a program's arguments.

    Parameters
    ----------
    component
        The program.
    given
        What they are made from.
    """
    makers: dict[versions.Component, Callable[[Inputs], list[str]]] = {
        versions.Component.ETCD: _etcd,
        versions.Component.API_SERVER: _api_server,
        versions.Component.CONTROLLER_MANAGER: _controller_manager,
        versions.Component.SCHEDULER: _scheduler,
        versions.Component.KWOK: _kwok,
    }
    return makers[component](given)


def _etcd(given: Inputs) -> list[str]:
    """Give etcd's arguments: no syncing to disk, as a lab's store is thrown away."""
    client = f"http://127.0.0.1:{given.ports.etcd}"
    peer = f"http://127.0.0.1:{given.ports.etcd_peer}"
    return [
        f"--data-dir={given.paths.etcd_data}",
        "--name=lab",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-outputs=stderr",
        "--quota-backend-bytes=8589934592",
    ]


def _api_server(given: Inputs) -> list[str]:
    """Give kube-apiserver's arguments; anonymous requests are authenticated as in managed clouds."""
    flags = [
        f"--etcd-servers=http://127.0.0.1:{given.ports.etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={given.ports.api_server}",
        f"--advertise-address={ADVERTISED}",
        f"--tls-cert-file={given.serving.certificate}",
        f"--tls-private-key-file={given.serving.key}",
        f"--client-ca-file={given.authority.certificate}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={options.SERVICE_NETWORK}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-signing-key-file={given.tokens.key}",
        f"--service-account-key-file={given.tokens.certificate}",
        f"--kubelet-certificate-authority={given.authority.certificate}",
        f"--kubelet-client-certificate={given.kubelet_client.certificate}",
        f"--kubelet-client-key={given.kubelet_client.key}",
        "--kubelet-preferred-address-types=ExternalDNS,InternalIP",
        f"--requestheader-client-ca-file={given.authority.certificate}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={given.front_proxy.certificate}",
        f"--proxy-client-key-file={given.front_proxy.key}",
        f"--feature-gates={FEATURE_GATES}",
        "--shutdown-delay-duration=0s",
        "--shutdown-watch-termination-grace-period=1s",
        *_audit(given),
    ]
    named = {flag.partition("=")[0] for flag in given.chosen.api_server_flags}
    return [flag for flag in flags if flag.partition("=")[0] not in named] + list(given.chosen.api_server_flags)


def _audit(given: Inputs) -> list[str]:
    """Give the API server's audit arguments."""
    chosen = given.chosen
    flags = [f"--audit-policy-file={given.paths.audit_policy}"]
    if chosen.audit_log:
        flags += [f"--audit-log-path={given.paths.audit_log}", f"--audit-log-maxsize={LOG_SIZE_MB}"]
    if chosen.webhook is not None:
        flags += [
            f"--audit-webhook-config-file={given.paths.audit_webhook}",
            "--audit-webhook-mode=batch",
            f"--audit-webhook-batch-max-wait={chosen.batch_wait_s}s",
            f"--audit-webhook-batch-max-size={chosen.batch_size}",
            f"--audit-webhook-initial-backoff={chosen.retry_s}s",
        ]
    return flags


def _controller_manager(given: Inputs) -> list[str]:
    """Give kube-controller-manager's arguments: an account per controller, as clusters have it.

    No leader election: there is one, and it must survive an API server that is away for longer than a lease.
    """
    config = given.kubeconfigs[versions.Component.CONTROLLER_MANAGER]
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={given.ports.controller_manager}",
        f"--tls-cert-file={given.serving.certificate}",
        f"--tls-private-key-file={given.serving.key}",
        "--leader-elect=false",
        f"--kube-api-qps={CLIENT_QPS}",
        f"--kube-api-burst={CLIENT_QPS}",
        "--use-service-account-credentials=true",
        f"--root-ca-file={given.authority.certificate}",
        f"--service-account-private-key-file={given.tokens.key}",
        f"--cluster-signing-cert-file={given.authority.certificate}",
        f"--cluster-signing-key-file={given.authority.key}",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={options.POD_NETWORK}",
        f"--service-cluster-ip-range={options.SERVICE_NETWORK}",
    ]


def _scheduler(given: Inputs) -> list[str]:
    """Give kube-scheduler's arguments."""
    config = given.kubeconfigs[versions.Component.SCHEDULER]
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={given.ports.scheduler}",
        f"--tls-cert-file={given.serving.certificate}",
        f"--tls-private-key-file={given.serving.key}",
        "--leader-elect=false",
        f"--kube-api-qps={CLIENT_QPS}",
        f"--kube-api-burst={CLIENT_QPS}",
    ]


def _kwok(given: Inputs) -> list[str]:
    """Give kwok's arguments: it plays every node, and answers the API server in the kubelets' place."""
    return [
        f"--kubeconfig={given.kubeconfigs[versions.Component.KWOK]}",
        f"--config={given.paths.kwok_config}",
        "--manage-all-nodes=true",
        "--node-ip=127.0.0.1",
        f"--node-port={given.ports.kubelet}",
        f"--server-address=127.0.0.1:{given.ports.kubelet}",
        f"--tls-cert-file={given.kubelet_serving.certificate}",
        f"--tls-private-key-file={given.kubelet_serving.key}",
        "--node-lease-duration-seconds=40",
        f"--cidr={options.POD_NETWORK}",
    ]
