"""Where the API server is and who we are to it: pod's service account, or a kubeconfig -> `Connection`.

Invariant: secrets stay in the object, never in a message. Static kubeconfigs (certificate or token) are read here,
because importing the official client for it costs 35 MB; exec plug-ins and auth providers are left to that client,
which is then imported. Called by `cli.run` once; used by `kube.client` and by kopf's login.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from riverwatch import errors

ACCOUNT_FOLDER = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts token, CA and namespace of a pod's service account."""


@dataclasses.dataclass(frozen=True)
class Connection:
    """Address and credentials of one API server."""

    server: str
    ca_file: str | None = None
    insecure: bool = False
    """Whether the server's certificate is not verified, as the kubeconfig asked."""
    certificate_file: str | None = None
    key_file: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    token_file: pathlib.Path | None = None
    """File with a token that changes, read again by `current_token`."""
    token_source: Callable[[], str | None] | None = dataclasses.field(default=None, repr=False)
    """Gives a token that a plug-in renews."""
    namespace: str = ""
    """Namespace of the pod or of the kubeconfig's context."""
    tls_server_name: str | None = None

    def current_token(self) -> str | None:
        """Return the bearer token in force now.

        Raises
        ------
        ApiTemporaryError
            When the token file cannot be read; the kubelet may just be replacing it.
        """
        if self.token_source is not None:
            return self.token_source()
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise errors.ApiTemporaryError(f"cannot read the token {self.token_file}: {error.strerror}") from error


def discover(kubeconfig: pathlib.Path | None, *, account_folder: pathlib.Path = ACCOUNT_FOLDER) -> Connection:
    """Find the API server.

    Parameters
    ----------
    kubeconfig
        File the user named; None looks for the pod's service account, then KUBECONFIG, then ``~/.kube/config``.
    account_folder
        Where the service account is mounted.

    Raises
    ------
    BadInputError
        When nothing is found or the file is not usable.
    """
    if kubeconfig is not None:
        return from_kubeconfig(kubeconfig)
    if (account_folder / "token").is_file() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return _from_account(account_folder)
    named = os.environ.get("KUBECONFIG", "")
    if os.pathsep in named:
        return _from_official_client(None)
    path = pathlib.Path(named).expanduser() if named else pathlib.Path("~/.kube/config").expanduser()
    if not path.is_file():
        raise errors.BadInputError(
            "no service account is mounted and there is no such file; give --kubeconfig FILE or set KUBECONFIG",
            where=str(path),
        )
    return from_kubeconfig(path)


def from_kubeconfig(path: pathlib.Path) -> Connection:
    """Read the current context of a kubeconfig.

    Raises
    ------
    BadInputError
        When the file is missing or lacks something; the text names the field.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadInputError(f"cannot read the kubeconfig: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.BadInputError(f"is no YAML: {error}", where=str(path)) from error
    if not isinstance(document, dict):
        raise errors.BadInputError(
            "is no kubeconfig: expected a mapping with clusters, users, contexts", where=str(path)
        )
    context = _named(document, "contexts", "context", document.get("current-context"), path)
    cluster = _named(document, "clusters", "cluster", context.get("cluster"), path)
    user = _named(document, "users", "user", context.get("user"), path) if context.get("user") else {}
    if not cluster.get("server"):
        raise errors.BadInputError(f"clusters[{context.get('cluster')}].cluster.server is missing", where=str(path))
    if "exec" in user or "auth-provider" in user:
        return _from_official_client(path)
    token_file = user.get("tokenFile")
    return Connection(
        server=str(cluster["server"]).rstrip("/"),
        ca_file=_file(cluster, "certificate-authority", path),
        insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
        certificate_file=_file(user, "client-certificate", path),
        key_file=_file(user, "client-key", path),
        token=user.get("token"),
        token_file=path.parent / token_file if token_file else None,
        namespace=str(context.get("namespace") or ""),
        tls_server_name=cluster.get("tls-server-name"),
    )


def _from_account(folder: pathlib.Path) -> Connection:
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = folder / "namespace"
    return Connection(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_file=str(folder / "ca.crt"),
        token_file=folder / "token",
        namespace=namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else "",
    )


def _named(document: Mapping[str, Any], group: str, part: str, name: object, path: pathlib.Path) -> Mapping[str, Any]:
    """Find ``group[name].part`` as kubeconfigs write it."""
    for item in document.get(group) or ():
        if isinstance(item, dict) and item.get("name") == name and isinstance(item.get(part), dict):
            found: dict[str, Any] = item[part]
            return found
    what = f"{group} has no entry named {name!r}" if name else f"current-context does not lead to one of {group}"
    raise errors.BadInputError(what, where=str(path))


def _file(part: Mapping[str, Any], field: str, path: pathlib.Path) -> str | None:
    """Return a file with a certificate or key: the one named, or the inline data written to a private one."""
    data = part.get(f"{field}-data")
    if data:
        try:
            content = base64.b64decode(data, validate=True)
        except ValueError as error:
            raise errors.BadInputError(f"{field}-data is no base64", where=str(path)) from error
        descriptor, name = tempfile.mkstemp(prefix="riverwatch-", suffix=".pem")  # created with mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return name
    named = part.get(field)
    return str(path.parent / named) if named else None


def _from_official_client(path: pathlib.Path | None) -> Connection:
    """Let the official client resolve exec plug-ins, auth providers and lists of files."""
    import kubernetes.client  # noqa: PLC0415 - 35 MB that only these kubeconfigs pay for
    import kubernetes.config  # noqa: PLC0415

    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path) if path else None, client_configuration=configuration
        )
    except kubernetes.config.ConfigException as error:
        raise errors.BadInputError(f"kubeconfig is not usable: {error}", where=str(path or "KUBECONFIG")) from error

    def token() -> str | None:
        # Version 36 of the client renamed the key; asking for it renews a token that has expired.
        for key in ("BearerToken", "authorization"):
            header = configuration.get_api_key_with_prefix(key)
            if header:
                return str(header).removeprefix("Bearer ")
        return None

    return Connection(
        server=str(configuration.host).rstrip("/"),
        ca_file=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        token_source=token,
    )
