"""Where the API server is: kubeconfigs, service accounts, and what is wrong with them."""

from __future__ import annotations

import base64
import pathlib
import stat

import pytest
import yaml

from riverwatch import errors
from riverwatch.kube import connection


def document(**changes) -> dict:
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "web"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1:6443/"}}],
        "users": [{"name": "u", "user": {"token": "abc"}}],
    } | changes


def written(tmp_path: pathlib.Path, content: object) -> pathlib.Path:
    path = tmp_path / "config"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_static_kubeconfig_is_read(tmp_path):
    found = connection.from_kubeconfig(written(tmp_path, document()))

    assert (found.server, found.current_token(), found.namespace) == ("https://10.0.0.1:6443", "abc", "web")


def test_inline_key_goes_into_a_private_file(tmp_path):
    user = {
        "client-certificate-data": base64.b64encode(b"C").decode(),
        "client-key-data": base64.b64encode(b"K").decode(),
    }
    found = connection.from_kubeconfig(written(tmp_path, document(users=[{"name": "u", "user": user}])))
    key = pathlib.Path(found.key_file)

    assert key.read_bytes() == b"K"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()
    pathlib.Path(found.certificate_file).unlink()


def test_relative_files_are_beside_the_kubeconfig(tmp_path):
    cluster = {"server": "https://h", "certificate-authority": "ca.crt"}
    found = connection.from_kubeconfig(written(tmp_path, document(clusters=[{"name": "k", "cluster": cluster}])))

    assert found.ca_file == str(tmp_path / "ca.crt")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("a: [", "is no YAML", id="no YAML"),
        pytest.param("just text", "no kubeconfig", id="no mapping"),
        pytest.param(document(**{"current-context": None}), "current-context", id="no context chosen"),
        pytest.param(document(clusters=[]), "clusters has no entry named 'k'", id="no such cluster"),
        pytest.param(document(clusters=[{"name": "k", "cluster": {}}]), "server is missing", id="no server"),
        pytest.param(
            document(users=[{"name": "u", "user": {"client-key-data": "%"}}]), "no base64", id="broken inline data"
        ),
    ],
)
def test_wrong_kubeconfig_is_refused_with_the_field(tmp_path, content, text):
    with pytest.raises(errors.BadInputError, match=text) as refused:
        connection.from_kubeconfig(written(tmp_path, content))
    assert refused.value.where == str(tmp_path / "config")


def test_missing_kubeconfig_is_named(tmp_path):
    with pytest.raises(errors.BadInputError, match="No such file"):
        connection.from_kubeconfig(tmp_path / "none")


def test_service_account_of_the_pod_is_found(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "namespace").write_text("riverwatch-system")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = connection.discover(None, account_folder=tmp_path)

    assert (found.server, found.namespace) == ("https://[fd00::1]:443", "riverwatch-system")
    (tmp_path / "token").write_text("two\n")
    assert found.current_token() == "two"


def test_variable_names_the_kubeconfig(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, document())))

    assert connection.discover(None, account_folder=tmp_path / "none").server == "https://10.0.0.1:6443"


def test_nothing_found_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(errors.BadInputError, match="--kubeconfig"):
        connection.discover(None, account_folder=tmp_path)


def test_token_file_that_is_being_replaced_is_temporary(tmp_path):
    with pytest.raises(errors.ApiTemporaryError):
        connection.Connection(server="https://h", token_file=tmp_path / "none").current_token()


def test_plugin_of_a_kubeconfig_is_run(tmp_path):
    script = tmp_path / "plugin"
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"made"}}'
    script.write_text(f"#!/bin/sh\necho '{credential}'\n")
    script.chmod(0o755)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    path = written(tmp_path, document(users=[{"name": "u", "user": {"exec": plugin}}]))

    assert connection.from_kubeconfig(path).current_token() == "made"
