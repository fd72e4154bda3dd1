"""Process settings: environment ``RIVERWATCH_*`` and command-line options -> one frozen `Settings`, read once at start.

What people decide about detection is a custom resource in Git, never a setting: only what a process needs to exist
(addresses, files, limits) is here. An option of the command line wins over the environment, which wins over the
default. Called by `cli.run`; everyone else is given the object.
"""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Mapping
from typing import Annotated

import pydantic

from riverwatch import errors

PREFIX = "RIVERWATCH_"
"""Prefix of the environment variables; ``RIVERWATCH_AUDIT_PORT`` sets `Settings.audit_port`."""

SERVICE_LINK = "tcp://"
"""Beginning of the variables that the kubelet adds for a Service: one named ``riverwatch-audit`` gives
RIVERWATCH_AUDIT_PORT."""

Port = Annotated[int, pydantic.Field(ge=0, le=65535)]
Positive = Annotated[int, pydantic.Field(gt=0)]
Seconds = Annotated[float, pydantic.Field(gt=0)]


def _paths(given: object) -> object:
    """Split paths as an environment variable holds them."""
    return tuple(path for path in given.split(os.pathsep) if path) if isinstance(given, str) else given


class Settings(pydantic.BaseModel):
    """Settings of ``riverwatch run``. Every field has its unit in its text."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kubeconfig: pathlib.Path | None = None
    """File with the credentials of the API server; without it the pod's service account, else KUBECONFIG, else
    ~/.kube/config."""
    namespace: str = "riverwatch-system"
    """Namespace of the operator; detections without a namespace of their own live there."""

    audit_host: str = "0.0.0.0"  # noqa: S104 - a server in a pod is reached on the pod's address
    """Address on which audit batches are received."""
    audit_port: Port = 9443
    """TCP port on which audit batches are received; 0 takes any free one and logs it."""
    audit_cert: pathlib.Path | None = None
    """PEM file with the certificate of the audit receiver; read again when it changes."""
    audit_key: pathlib.Path | None = None
    """PEM file with the private key of the audit receiver."""
    audit_token_file: pathlib.Path | None = None
    """File with the bearer tokens that senders of audit batches may use, one a line; read again when it changes."""
    audit_client_ca: pathlib.Path | None = None
    """PEM file with the CA whose client certificates may send audit batches."""
    audit_review_users: str = ""
    """Users, separated by commas, whose bearer tokens may send audit batches when the cluster itself knows them
    (TokenReview), for example system:serviceaccount:logging:shipper; nobody is asked when empty."""
    audit_insecure: bool = False
    """Whether the audit receiver speaks plain HTTP without credentials; only allowed on a loopback address."""
    audit_max_body_bytes: Positive = 32 * 1024 * 1024
    """Largest audit batch accepted, in bytes after decompression."""
    audit_source_bytes_per_s: Annotated[float, pydantic.Field(gt=0)] = 256.0 * 1024 * 1024
    """Bytes a second that one sender may bring; above it the sender is told to come again."""

    audit_log: pathlib.Path | None = None
    """Audit log file that is followed as kube-apiserver writes it, beside the receiver."""
    audit_webhook: bool = True
    """Whether the audit receiver runs; off for an operator that only follows `audit_log`."""
    admission_webhook: bool = False
    """Whether the audit receiver also answers admission reviews, for clusters whose audit log is out of reach."""
    admission_token_file: pathlib.Path | None = None
    """File with the tokens that may end the path of admission reviews, one a line; read again when it changes."""

    history: Annotated[tuple[pathlib.Path, ...], pydantic.BeforeValidator(_paths)] = ()
    """Audit logs of the past, files or folders, that are learned before the first batch unless something was learned
    already; nothing is raised for them. In the environment separated by colons."""

    probe_host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus reach it on the pod's address
    """Address of /healthz, /readyz and /metrics."""
    probe_port: Port = 8080
    """TCP port of /healthz, /readyz and /metrics; 0 takes any free one and logs it."""

    state_dir: pathlib.Path | None = None
    """Folder (a persistent volume) for checkpoints and for batches that are acknowledged and not judged yet; without it
    the operator learns anew after each start."""
    checkpoints: str | None = None
    """Where checkpoints are kept instead of in `state_dir`: another folder, or a URL that begins with file://, s3://,
    gs:// or az://, with the cloud's usual environment variables for access."""
    checkpoint_s: Seconds = 300.0
    """Seconds between two checkpoints."""

    rules_only: bool = False
    """Whether rules alone judge and nothing is learned, everywhere; a policy's mode RulesOnly does so by namespace."""

    namespace_records_per_s: Annotated[float, pydantic.Field(gt=0)] = 1_000.0
    """Audit records a second of one namespace's accounts, or of one user, that are judged before all others' when the
    worker is behind; what is above waits behind everybody else."""
    namespace_burst: Annotated[float, pydantic.Field(ge=1)] = 5_000.0
    """Records of one namespace at once before `namespace_records_per_s` holds."""

    queue_batches: Positive = 2_000
    """Audit batches held between receiver and worker; a default API server sends at most 400 records in each."""
    queue_bytes: Positive = 64 * 1024 * 1024
    """Bytes of audit batches held between receiver and worker; above it the receiver answers 429."""

    writes_per_s: Annotated[float, pydantic.Field(gt=0, le=1000)] = 10.0
    """Writes to the API server per second, sustained, for detections and their Events together."""
    writes_burst: Positive = 50
    """Writes to the API server at once, before `writes_per_s` holds."""
    pending_max: Positive = 20_000
    """Detections that wait for delivery at most, per output; beyond it the oldest of the lowest severity is dropped
    and counted."""
    detections_per_namespace: Positive = 500
    """ThreatDetections kept in one namespace; beyond it the oldest closed ones go, then the oldest of the lowest
    severity."""
    detection_bytes: Annotated[int, pydantic.Field(ge=8_192, le=1_000_000)] = 256 * 1024
    """Largest ThreatDetection written, in bytes; evidence, then targets and explanation are cut to fit."""
    closed_ttl_s: Seconds = 7 * 86_400.0
    """Seconds a Resolved or Expired ThreatDetection is kept after it was last seen."""
    open_ttl_s: Seconds = 14 * 86_400.0
    """Seconds after which an Open ThreatDetection that was not seen again becomes Expired."""

    heartbeat_s: Seconds = 60.0
    """Seconds between two harmless requests of the operator whose audit records must come back."""
    heartbeat_patience_s: Seconds = 120.0
    """Seconds in which such a record must come back; an API server keeps records up to 30 s, and longer after a
    failure."""
    request_timeout_s: Seconds = 10.0
    """Seconds that one request to the API server may take."""
    stop_s: Seconds = 20.0
    """Seconds given to queued batches and pending writes when the process is asked to stop."""

    json_lines: pathlib.Path | None = None
    """File to which every ThreatDetection is also appended as a JSON line; ``-`` is standard output."""
    leader_election: bool = False
    """Whether replicas elect one leader by a Lease; only the leader cleans up and reports model states, and all of them
    tell each other there what they see of the stream."""
    log_level: Annotated[str, pydantic.Field(pattern="^(debug|info|warning|error)$")] = "info"
    """Least severe log line shown: debug, info, warning or error."""


def read(environ: Mapping[str, str], options: Mapping[str, object] | None = None) -> Settings:
    """Build the settings from environment and options.

    Parameters
    ----------
    environ
        The process environment; names without the prefix ``RIVERWATCH_`` are other people's.
    options
        Field name to value as the command line gave it; None means not given.

    Raises
    ------
    BadInputError
        When a variable or an option is unknown or has a wrong value; the text names it.

    Examples
    --------
    >>> read({"RIVERWATCH_AUDIT_PORT": "9999"}, {"audit_host": "127.0.0.1"}).audit_port
    9999
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    values: dict[str, object] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or not text or text.startswith(SERVICE_LINK):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = text
        elif close := difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.8):
            raise errors.BadInputError(f"no such setting; did you mean {PREFIX}{close[0].upper()}?", where=variable)
    origin = {name: f"{PREFIX}{name.upper()}" for name in values} | {name: _option(name) for name in given}
    try:
        settings = Settings.model_validate(values | given)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise errors.BadInputError(
            f"{first['msg'].lower()}; it is {first['input']!r}", where=origin.get(name, _option(name))
        ) from error
    _check_together(settings)
    return settings


def _option(name: str) -> str:
    """Write a field as the option that sets it."""
    return "--" + name.replace("_", "-")


def _check_together(settings: Settings) -> None:
    """Refuse settings that contradict each other."""
    if (settings.audit_cert is None) != (settings.audit_key is None):
        raise errors.BadInputError("--audit-cert and --audit-key belong together; give both", where="--audit-cert")
    if not settings.audit_webhook and settings.audit_log is None:
        raise errors.BadInputError("nothing would be read; keep the receiver, or give --audit-log", where="--audit-log")
    if settings.admission_webhook and not settings.audit_webhook:
        raise errors.BadInputError("reviews are answered by the receiver; keep it", where="--admission-webhook")
    if settings.checkpoints is not None and settings.state_dir is None:
        raise errors.BadInputError(
            "acknowledged batches still need a folder; give --state-dir, too", where="--checkpoints"
        )
    if settings.audit_client_ca is not None and settings.audit_cert is None:
        raise errors.BadInputError("client certificates need --audit-cert and --audit-key", where="--audit-client-ca")
