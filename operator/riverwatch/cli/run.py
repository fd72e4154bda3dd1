"""``riverwatch run``: the operator. Reads settings from environment and options, starts it, stops it on SIGTERM.

Exit status 1 with one line on standard error when a setting, a certificate or the kubeconfig cannot be used; an API
server that is away is no such case, it is waited for.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import sys
from typing import Annotated

import typer

from riverwatch import errors, logs, settings


def run(  # noqa: PLR0917 - typer makes an option of each
    history: Annotated[
        list[pathlib.Path] | None,
        typer.Argument(help="Audit logs of the past, files or folders, to learn from first; nothing is raised."),
    ] = None,
    kubeconfig: Annotated[pathlib.Path | None, typer.Option(help="Credentials of the API server.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace of the operator.")] = None,
    audit_host: Annotated[str | None, typer.Option(help="Address of the audit receiver.")] = None,
    audit_port: Annotated[int | None, typer.Option(help="Port of the audit receiver; 0 takes a free one.")] = None,
    audit_cert: Annotated[pathlib.Path | None, typer.Option(help="Certificate of the audit receiver, PEM.")] = None,
    audit_key: Annotated[pathlib.Path | None, typer.Option(help="Its private key, PEM.")] = None,
    audit_token_file: Annotated[pathlib.Path | None, typer.Option(help="Tokens of senders, one a line.")] = None,
    audit_client_ca: Annotated[pathlib.Path | None, typer.Option(help="CA of senders' client certificates.")] = None,
    audit_insecure: Annotated[
        bool | None, typer.Option("--audit-insecure", help="Plain HTTP without credentials, only on loopback.")
    ] = None,
    audit_webhook: Annotated[
        bool | None, typer.Option("--audit-webhook/--no-audit-webhook", help="Whether the audit receiver runs.")
    ] = None,
    admission_webhook: Annotated[
        bool | None, typer.Option("--admission-webhook/--no-admission-webhook", help="Also answer admission reviews.")
    ] = None,
    admission_token_file: Annotated[
        pathlib.Path | None, typer.Option(help="Tokens at the end of the path of admission reviews, one a line.")
    ] = None,
    audit_log: Annotated[pathlib.Path | None, typer.Option(help="Audit log file to follow.")] = None,
    probe_host: Annotated[str | None, typer.Option(help="Address of /healthz, /readyz, /metrics.")] = None,
    probe_port: Annotated[int | None, typer.Option(help="Their port; 0 takes a free one.")] = None,
    state_dir: Annotated[pathlib.Path | None, typer.Option(help="Folder for checkpoints and waiting batches.")] = None,
    checkpoints: Annotated[str | None, typer.Option(help="Folder or URL for checkpoints instead.")] = None,
    rules_only: Annotated[
        bool | None, typer.Option("--rules-only", help="Rules alone judge; models rest and learn nothing.")
    ] = None,
    json_lines: Annotated[pathlib.Path | None, typer.Option(help="Also append detections here; - is stdout.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the operator: receive audit batches, judge them, write ThreatDetections and Events.

    Every option can also be set by an environment variable, for example RIVERWATCH_AUDIT_PORT.
    """
    options = dict(locals())
    try:
        chosen = settings.read(os.environ, options)
        logs.set_up(chosen.log_level)
        asyncio.run(_run(chosen))
    except errors.BadInputError as error:
        sys.stderr.write(f"riverwatch run: {error}\n")
        raise typer.Exit(1) from error


async def _run(chosen: settings.Settings) -> None:
    """Build the operator and run it until a signal comes."""
    from riverwatch.control import assembly  # noqa: PLC0415 - kopf, River and numpy: 100 MB other commands never need
    from riverwatch.runtime import replay  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    built = assembly.Operator(chosen)
    replay.calm_collector()
    await built.run(stop)
