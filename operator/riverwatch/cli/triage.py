"""``riverwatch triage``: a person's verdict about a detection, and the exception that belongs into Git.

Writes the same field as ``kubectl patch rwtd NAME --type merge -p '{"spec":{"triage":{...}}}'`` and prints a policy on
standard output; everything for people goes to standard error. With ``--file`` it needs no cluster: the detection is
read from what ``replay -o yaml`` printed, and only the policy is made.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
import yaml

from riverwatch import clock, errors, vocabulary
from riverwatch.cli import objects
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources
from riverwatch.scoring import exception_draft, policy_compile
from riverwatch.scoring import triage as scoring_triage

MANAGER = "riverwatch-triage"
"""Owner of the field that is written, so that it is never mistaken for the operator's."""

_DAYS = re.compile(r"(\d{1,4})d")


def triage(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The ThreatDetection, for example rw-db5c7d0459bb778c.")],
    *,
    verdict: Annotated[vocabulary.Verdict, typer.Option(help="What it was.", case_sensitive=False)],
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it in a year.")],
    namespace: Annotated[
        str, typer.Option("-n", "--namespace", help="Its namespace; the context's when left out.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who decided; asked of the API server when left out.")] = "",
    expires: Annotated[
        str, typer.Option(help="Until when a FalsePositive or Expected counts: days (30d) or an RFC 3339 time.")
    ] = "90d",
    file: Annotated[
        pathlib.Path | None,
        typer.Option(help="Read the detection from this file instead of a cluster, and only print the exception."),
    ] = None,
    kubeconfig: Annotated[pathlib.Path | None, typer.Option(help="Credentials of the API server.")] = None,
) -> None:
    """Say what a detection was: FalsePositive, Expected or TruePositive; print an exception for Git."""
    if not reason.strip():
        raise errors.BadInputError("must say why", where="--reason")
    name = name if name.startswith("rw-") else f"rw-{name}"
    quiet = verdict in scoring_triage.QUIETING
    expires_at = _expiry(expires) if quiet else ""
    if file is not None:
        body = _from_file(file, name)
    else:
        written = {"verdict": verdict.value, "reason": reason} | ({"expiresAt": expires_at} if quiet else {})
        body = _patched(name, namespace, written, by=by, kubeconfig=kubeconfig)
    if not quiet:
        sys.stderr.write(f"{name}: {verdict.value}. Nothing of it is learned.\n")
        return
    policy = exception_draft.draft(body, reason=f"{verdict.value}: {reason}", expires_at=expires_at)
    try:
        policy_compile.compile_body(policy)
    except errors.BadPolicyError as error:
        raise errors.BadInputError(f"its object makes no valid exception: {error.detail}", where=name) from error
    sys.stderr.write(
        f"{name}: {verdict.value}. The same thing stays quiet until {expires_at}.\n"
        "To say so in Git, too, apply the policy below; it is as narrow as the detection.\n"
    )
    yaml.safe_dump(policy, sys.stdout, sort_keys=False, allow_unicode=True, explicit_start=True)


def _expiry(text: str) -> str:
    days = _DAYS.fullmatch(text)
    try:
        time_s = clock.SystemClock().now_s() + int(days[1]) * 86_400.0 if days else clock.parse_rfc3339(text)
    except ValueError as error:
        raise errors.BadInputError(f"{error}, or a number of days such as 30d", where="--expires") from error
    return clock.rfc3339(float(int(time_s))).replace(".000000", "")


def _from_file(path: pathlib.Path, name: str) -> Mapping[str, Any]:
    for body in objects.read(path):
        if body.get("kind") == resources.THREAT_DETECTIONS.kind and body["metadata"].get("name") == name:
            return body
    raise errors.BadInputError(f"holds no ThreatDetection called {name}", where=str(path))


def _patched(
    name: str, namespace: str, written: dict[str, str], *, by: str, kubeconfig: pathlib.Path | None
) -> Mapping[str, Any]:
    found = connection.discover(kubeconfig)
    client = kube_client.Client(found)
    namespace = namespace or found.namespace or "default"
    try:
        written["by"] = by or str(client.whoami().get("username") or "unknown")
        return client.call(
            "PATCH",
            resources.THREAT_DETECTIONS.path(namespace=namespace, name=name),
            query={"fieldManager": MANAGER},
            body={"spec": {"triage": written}},
            content_type="application/merge-patch+json",
        )
    except errors.ApiPermanentError as error:
        hint = "; kubectl get rwtd -A lists them" if error.status == 404 else ""
        raise errors.BadInputError(f"{error}{hint}", where=f"{namespace}/{name}") from error
    except errors.ApiTemporaryError as error:
        raise errors.BadInputError(f"{error}", where=found.server) from error
    finally:
        client.close()
