"""The audit side of a control plane: the policy in force and the webhook's configuration.

In: the caller's choices. Out: files in the plane's folder. The policy has one source, `manifests/audit-policy.yaml`,
which is also what users are told to apply; an installed package carries a copy. Called by `plane`.
"""

from __future__ import annotations

import pathlib
import shutil

import riverwatch
from riverwatch import errors
from riverwatch.lab.controlplane import certificates, kubeconfig, layout, options

POLICY = "audit-policy.yaml"
"""File name of the shipped policy."""


def shipped_policy() -> pathlib.Path:
    """Find the policy of this project: in a checkout beside `operator/`, else inside the package.

    Raises
    ------
    LabError
        When neither exists: the installation is broken.
    """
    package = pathlib.Path(riverwatch.__file__).parent
    for folder in (package.parent.parent / "manifests", package / "_data" / "manifests"):
        if (folder / POLICY).is_file():
            return folder / POLICY
    raise errors.LabError(f"{POLICY} is neither in manifests/ nor in the package; install riverwatch again")


def write_files(paths: layout.Layout, chosen: options.Options, authority: certificates.Authority) -> None:
    """Write policy and webhook configuration into a plane's folder.

    Parameters
    ----------
    paths
        The plane's folder.
    chosen
        What the caller chose.
    authority
        Signs the client certificate shown to the receiver, when one is wanted.

    Raises
    ------
    BadInputError
        When the named policy or CA file does not exist, or a token would not be shown.
    """
    policy = chosen.audit_policy or shipped_policy()
    _need(policy, "audit policy")
    shutil.copyfile(policy, paths.audit_policy)
    webhook = chosen.webhook
    if webhook is None:
        return
    if webhook.authority is not None:
        _need(webhook.authority, "CA of the audit webhook")
    if webhook.token is not None and not webhook.url.startswith("https://"):
        raise errors.BadInputError(
            "the API server shows a bearer token over https only; use an https address or no token", where=webhook.url
        )
    document = kubeconfig.with_token(webhook.url, webhook.authority, webhook.token)
    if webhook.client_certificate is not None:
        pair = authority.issue_client("audit-webhook", webhook.client_certificate)
        document = kubeconfig.with_certificate(webhook.url, webhook.authority, pair)
    kubeconfig.write(paths.audit_webhook, document)


def _need(path: pathlib.Path, what: str) -> None:
    """Refuse a file that is not there."""
    if not path.is_file():
        raise errors.BadInputError(f"{what} does not exist", where=str(path))
