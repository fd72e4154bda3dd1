"""Write kubeconfig files that hold all they need, so that they can be copied about.

In: an address, a CA and a credential. Out: a YAML file readable by its owner only. Called by `plane` and `audit`.
"""

from __future__ import annotations

import base64
import pathlib

import yaml

from riverwatch.lab.controlplane import certificates


def with_certificate(url: str, authority: pathlib.Path | None, pair: certificates.KeyPair) -> dict[str, object]:
    """Give a kubeconfig whose user shows a client certificate.

    Parameters
    ----------
    url
        The API server's address.
    authority
        PEM file of the CA that signed the server's certificate.
    pair
        The client certificate and its key.
    """
    user = {
        "client-certificate-data": _encoded(pair.certificate),
        "client-key-data": _encoded(pair.key),
    }
    return _document(url, authority, user)


def with_token(url: str, authority: pathlib.Path | None, token: str | None) -> dict[str, object]:
    """Give a kubeconfig whose user shows a bearer token; also the form of an audit webhook's configuration.

    Parameters
    ----------
    url
        The server's address.
    authority
        PEM file of the CA that signed its certificate; ``None`` for plain HTTP or a publicly signed one.
    token
        The bearer token; ``None`` shows nothing.
    """
    return _document(url, authority, {"token": token} if token else {})


def write(path: pathlib.Path, document: dict[str, object]) -> pathlib.Path:
    """Write a kubeconfig and return its path.

    Parameters
    ----------
    path
        Where to; its folder is made.
    document
        What `with_certificate` or `with_token` gave.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _document(url: str, authority: pathlib.Path | None, user: dict[str, str]) -> dict[str, object]:
    """Lay out the file around one cluster and one user."""
    cluster = {"server": url}
    if authority is not None:
        cluster["certificate-authority-data"] = _encoded(authority)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
        "current-context": "lab",
    }


def _encoded(path: pathlib.Path) -> str:
    """Read a file as base64."""
    return base64.b64encode(path.read_bytes()).decode()
