"""What is written into a plane's folder: paths, ports, certificates, kubeconfigs, audit files, arguments, state."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import socket
import stat

import pytest
import yaml
from cryptography import x509
from cryptography.x509 import oid

from riverwatch import errors
from riverwatch.lab.controlplane import (
    arguments,
    audit,
    certificates,
    identities,
    kubeconfig,
    layout,
    options,
    plane,
    processes,
    registry,
    stages,
    state,
    versions,
)

Component = versions.Component


@pytest.fixture
def authority(tmp_path):
    return certificates.Authority(tmp_path / "pki")


def made(tmp_path, **chosen: object) -> state.State:
    return state.State(
        chosen=options.Options(**chosen),
        ports=layout.Ports(1001, 1002, 1003, 1004, 1005, 1006),
        programs={Component.ETCD: tmp_path / "etcd"},
        started={Component.ETCD: processes.Process("etcd", 2**22 + 1, 7, tmp_path / "etcd.log")},
    )


def command(tmp_path, component: versions.Component, **chosen: object) -> list[str]:
    paths = layout.Layout(tmp_path)
    recorded = made(tmp_path, **chosen)
    return arguments.arguments(component, plane._inputs(paths, recorded, certificates.Authority(paths.certificates)))


def test_ports_are_distinct_and_free():
    ports = layout.Ports.choose()
    numbers = [ports.api_server, ports.etcd, ports.etcd_peer, ports.controller_manager, ports.scheduler, ports.kubelet]
    assert len(set(numbers)) == 6
    assert all(number in layout.PORT_RANGE for number in numbers)


def test_named_port_is_taken_as_it_is_or_refused():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        number = listener.getsockname()[1]
        with pytest.raises(errors.BadInputError, match=f"port {number} is taken"):
            layout.Ports.choose(api_server=number)
    assert layout.Ports.choose(api_server=number).api_server == number


def test_client_certificate_names_user_and_all_groups(authority):
    pair = authority.issue_client("jane", "system:serviceaccount:" + "n" * 63 + ":" + "a" * 63, ["one", "two"])
    with pytest.warns(UserWarning, match="length"):  # the reader's; the API server takes such names
        subject = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).subject
    assert [part.value for part in subject.get_attributes_for_oid(oid.NameOID.ORGANIZATION_NAME)] == ["one", "two"]
    [name] = subject.get_attributes_for_oid(oid.NameOID.COMMON_NAME)
    assert len(name.value) == 22 + 63 + 1 + 63  # longer than X.509 asks for, as account names are


def test_certificates_are_signed_by_the_authority_and_reused(authority):
    pair = authority.issue_server("server", ["localhost", "127.0.0.1"])
    before = pair.certificate.read_bytes()
    issuer = x509.load_pem_x509_certificate(authority.pair.certificate.read_bytes())
    x509.load_pem_x509_certificate(before).verify_directly_issued_by(issuer)
    again = certificates.Authority(authority.folder).issue_server("server", ["localhost"])
    assert again.certificate.read_bytes() == before


def test_private_keys_are_for_their_owner_only(authority):
    keys = [authority.pair.key, authority.token_key().key, authority.issue_client("x", "x").key]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_kubeconfig_holds_all_it_needs(authority, tmp_path):
    pair = authority.issue_client("jane", "jane")
    document = kubeconfig.with_certificate("https://127.0.0.1:1", authority.pair.certificate, pair)
    path = kubeconfig.write(tmp_path / "deep" / "jane.yaml", document)
    read = yaml.safe_load(path.read_text())
    assert base64.b64decode(read["users"][0]["user"]["client-key-data"]) == pair.key.read_bytes()
    assert read["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert str(tmp_path) not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("a:b",), ("a-b",), id="colon and dash"),
        pytest.param(("a", "b"), ("a-b",), id="group and name"),
        pytest.param(("n" * 100,), ("n" * 101,), id="long names"),
    ],
)
def test_different_identities_never_share_a_file(first, second):
    assert identities.stem_of(*first) != identities.stem_of(*second)


def test_shipped_policy_is_copied_and_keeps_credentials_out(authority, tmp_path):
    paths = layout.Layout(tmp_path)
    audit.write_files(paths, options.Options(), authority)
    policy = yaml.safe_load(paths.audit_policy.read_text())
    assert policy["omitStages"] == ["RequestReceived"]
    assert policy["rules"][-1] == {"level": "Metadata"}  # whatever else comes is at least known
    with_secrets = [
        rule
        for rule in policy["rules"]
        for group in rule.get("resources", [])
        if "secrets" in group.get("resources", [])
    ]
    assert [rule["level"] for rule in with_secrets] == ["Metadata"]
    assert not paths.audit_webhook.exists()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        pytest.param(
            {"audit_policy": pathlib.Path("/no/such/policy")},
            "/no/such/policy: audit policy does not exist",
            id="policy",
        ),
        pytest.param(
            {"webhook": options.Webhook(url="https://x", authority=pathlib.Path("/no/ca"))},
            "/no/ca: CA of the audit webhook",
            id="CA",
        ),
        pytest.param(
            {"webhook": options.Webhook(url="http://x", token="t")}, "over https only", id="token over plain http"
        ),
    ],
)
def test_wrong_audit_choices_are_refused_by_name(authority, tmp_path, chosen, message):
    with pytest.raises(errors.BadInputError, match=message):
        audit.write_files(layout.Layout(tmp_path), options.Options(**chosen), authority)


def test_webhook_may_show_a_client_certificate(authority, tmp_path):
    paths = layout.Layout(tmp_path)
    webhook = options.Webhook(url="https://127.0.0.1:1/audit", client_certificate="kube-apiserver-audit")
    audit.write_files(paths, options.Options(webhook=webhook), authority)
    user = yaml.safe_load(paths.audit_webhook.read_text())["users"][0]["user"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    assert certificate.subject.rfc4514_string() == "CN=kube-apiserver-audit"


@pytest.mark.parametrize("component", Component)
def test_every_program_stays_on_the_loopback_address(tmp_path, component):
    line = command(tmp_path, component)
    assert not [flag for flag in line if "0.0.0.0" in flag.replace("10.96.0.0/16", "").replace("10.244.0.0/16", "")]
    assert any("127.0.0.1" in flag for flag in line)


def test_api_server_sends_batches_only_when_there_is_a_webhook(tmp_path):
    webhook = options.Webhook(url="https://127.0.0.1:1/audit")
    without = command(tmp_path, Component.API_SERVER)
    with_one = command(tmp_path, Component.API_SERVER, webhook=webhook, batch_wait_s=0.05, audit_log=False)
    assert not [flag for flag in without if flag.startswith("--audit-webhook")]
    assert "--audit-webhook-batch-max-wait=0.05s" in with_one
    assert not [flag for flag in with_one if flag.startswith("--audit-log")]


def test_flags_of_the_caller_replace_ours(tmp_path):
    line = command(tmp_path, Component.API_SERVER, api_server_flags=("--authorization-mode=AlwaysAllow", "--v=4"))
    assert [flag for flag in line if flag.startswith("--authorization-mode")] == ["--authorization-mode=AlwaysAllow"]
    assert "--v=4" in line


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param({"controllers": False}, ["etcd", "kube-apiserver"], id="bare"),
        pytest.param({}, ["etcd", "kube-apiserver", "kube-controller-manager"], id="with controllers"),
        pytest.param({"kwok": True}, [component.value for component in Component], id="whole"),
    ],
)
def test_choices_decide_what_runs(chosen, expected):
    assert [component.value for component in options.Options(**chosen).components()] == expected


def test_state_comes_back_as_it_was_written(tmp_path):
    webhook = options.Webhook(url="https://x", authority=tmp_path / "ca", token="t")
    recorded = made(tmp_path, webhook=webhook, kwok=True, api_server_flags=("--v=2",))
    state.write(tmp_path / "state.json", recorded)
    assert state.read(tmp_path / "state.json") == recorded
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    assert recorded.running() == dict.fromkeys(Component, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "no control plane here", id="none"),
        pytest.param("{", "not a control plane's state", id="cut off"),
        pytest.param('{"version": 1}', "not a control plane's state", id="fields missing"),
    ],
)
def test_unusable_state_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "state.json").write_text(text)
    with pytest.raises(errors.BadInputError, match=message):
        state.read(tmp_path / "state.json")


def test_state_of_another_version_is_refused(tmp_path):
    state.write(tmp_path / "state.json", made(tmp_path))
    text = (tmp_path / "state.json").read_text()
    (tmp_path / "state.json").write_text(text.replace('"version":1', '"version":2'))
    with pytest.raises(errors.BadInputError, match="format 2"):
        state.read(tmp_path / "state.json")


def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(errors.BadInputError, match="is not empty"):
        plane.ControlPlane.start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["something"]


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a" * 41])
def test_names_that_are_no_folder_names_are_refused(name):
    with pytest.raises(errors.BadInputError, match="is no name"):
        registry.folder(name)


def test_planes_are_found_by_their_state_files(tmp_path):
    assert registry.names(tmp_path / "none") == []
    for name in ("b", "a"):
        registry.folder(name, planes=tmp_path).mkdir()
        layout.Layout(tmp_path / name).state.touch()
    (tmp_path / "unfinished").mkdir()
    assert registry.names(tmp_path) == ["a", "b"]


def test_kwok_configuration_is_two_documents_and_executes_nothing(tmp_path):
    stages.write(tmp_path / "kwok.yaml", tmp_path / "log")
    documents = list(yaml.safe_load_all((tmp_path / "kwok.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["Stage", "ClusterLogs"]
