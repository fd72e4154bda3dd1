"""Identities on a control plane: people and nodes with certificates, service accounts with tokens.

In: names and groups. Out: certificates, tokens, kubeconfigs in the plane's folder. `plane.ControlPlane` is an `Issuer`,
so callers ask the plane itself.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Sequence

from riverwatch.lab.controlplane import certificates, kubeconfig, rest

TOKEN_LIFE_S = 3600
"""Life of a service-account token made here, in seconds; what kubelets ask for."""


class Issuer:
    """Gives identities on one API server.

    Parameters
    ----------
    url
        Address of the API server.
    signer
        The CA that it trusts.
    api
        The API server seen by an administrator.
    kubeconfigs
        Folder for the kubeconfigs.
    """

    def __init__(self, url: str, *, signer: certificates.Authority, api: rest.Api, kubeconfigs: pathlib.Path) -> None:
        self.url = url
        self.api = api
        self._signer = signer
        self._kubeconfigs = kubeconfigs

    @property
    def authority(self) -> pathlib.Path:
        """PEM file of the plane's CA."""
        return self._signer.pair.certificate

    def client_kubeconfig(self, user: str, groups: Sequence[str] = ()) -> pathlib.Path:
        """Give a person, a node or any other user with a certificate.

        Parameters
        ----------
        user
            User name as the API server will see it, for example ``system:node:worker-1``.
        groups
            Group names, for example ``system:nodes``.
        """
        document = kubeconfig.with_certificate(self.url, self.authority, self.client_certificate(user, groups))
        return kubeconfig.write(self._kubeconfigs / f"{stem_of(user, *groups)}.yaml", document)

    def client_certificate(self, user: str, groups: Sequence[str] = ()) -> certificates.KeyPair:
        """Give any user a certificate and its key, as files.

        Parameters
        ----------
        user
            User name.
        groups
            Group names.
        """
        return self._signer.issue_client(stem_of(user, *groups), user, groups)

    def service_account_token(
        self, namespace: str, name: str, *, bound_pod: str | None = None, life_s: int = TOKEN_LIFE_S
    ) -> str:
        """Have a token made for a service account.

        Parameters
        ----------
        namespace
            Its namespace.
        name
            Its name.
        bound_pod
            Pod in the same namespace that the token names and ends with, as a mounted one does.
        life_s
            Life in seconds, 600 at least.

        Raises
        ------
        ApiPermanentError
            When the account or the pod does not exist.
        """
        spec: dict[str, object] = {"expirationSeconds": life_s}
        if bound_pod is not None:
            pod = self.api.call("GET", f"/api/v1/namespaces/{namespace}/pods/{bound_pod}")
            uid = pod["metadata"]["uid"]
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": bound_pod, "uid": uid}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self.api.call("POST", path, body)["status"]["token"])

    def service_account_kubeconfig(
        self, namespace: str, name: str, *, bound_pod: str | None = None, life_s: int = TOKEN_LIFE_S
    ) -> pathlib.Path:
        """Give a service account with a token of its own; parameters and errors as `service_account_token`.

        Parameters
        ----------
        namespace
            Its namespace.
        name
            Its name.
        bound_pod
            Pod that the token is bound to.
        life_s
            Life in seconds.
        """
        token = self.service_account_token(namespace, name, bound_pod=bound_pod, life_s=life_s)
        stem = stem_of("system:serviceaccount", namespace, name, bound_pod or "")
        return kubeconfig.write(
            self._kubeconfigs / f"{stem}.yaml", kubeconfig.with_token(self.url, self.authority, token)
        )


def stem_of(*parts: str) -> str:
    """Make a file name from names with colons and slashes, without two names meeting in one file.

    Examples
    --------
    >>> stem_of("system:node:a")
    'system-node-a-ddbd154c'
    """
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(part for part in parts if part))[:80] + f"-{digest}"
