"""Process settings: defaults, origins, refusals."""

from __future__ import annotations

import pathlib

import pytest

from riverwatch import errors, settings

DEFAULTS = {
    "kubeconfig": None,
    "namespace": "riverwatch-system",
    "audit_host": "0.0.0.0",
    "audit_port": 9443,
    "audit_insecure": False,
    "audit_webhook": True,
    "audit_log": None,
    "probe_host": "0.0.0.0",
    "probe_port": 8080,
    "state_dir": None,
    "checkpoints": None,
    "queue_batches": 2_000,
    "queue_bytes": 67_108_864,
    "writes_per_s": 10.0,
    "writes_burst": 50,
    "detections_per_namespace": 500,
    "detection_bytes": 262_144,
    "closed_ttl_s": 604_800.0,
    "open_ttl_s": 1_209_600.0,
    "leader_election": False,
    "log_level": "info",
}
"""What people rely on; changing one is a change of behaviour and belongs in the changelog."""


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items(), ids=DEFAULTS)
def test_default_is_as_promised(name, value):
    assert getattr(settings.read({}), name) == value


def test_every_setting_says_what_it_is():
    assert [name for name, field in settings.Settings.model_fields.items() if not field.description] == []


def test_option_wins_over_environment_and_environment_over_default():
    chosen = settings.read({"RIVERWATCH_PROBE_PORT": "1", "RIVERWATCH_AUDIT_PORT": "2"}, {"probe_port": 3})

    assert (chosen.probe_port, chosen.audit_port) == (3, 2)


def test_option_that_was_not_given_leaves_the_environment_alone():
    assert settings.read({"RIVERWATCH_AUDIT_PORT": "2"}, {"audit_port": None}).audit_port == 2


@pytest.mark.parametrize(
    ("environ", "options", "where", "text"),
    [
        pytest.param({"RIVERWATCH_AUDIT_PORT": "x"}, {}, "RIVERWATCH_AUDIT_PORT", "'x'", id="no number"),
        pytest.param({}, {"audit_port": 70_000}, "--audit-port", "65535", id="out of range"),
        pytest.param({"RIVERWATCH_AUDIT_PRT": "1"}, {}, "RIVERWATCH_AUDIT_PRT", "AUDIT_PORT?", id="typing error"),
        pytest.param({}, {"log_level": "loud"}, "--log-level", "debug", id="unknown level"),
        pytest.param({}, {"audit_cert": "a.pem"}, "--audit-cert", "--audit-key", id="certificate without key"),
        pytest.param({}, {"audit_client_ca": "ca.pem"}, "--audit-client-ca", "--audit-cert", id="CA without TLS"),
        pytest.param({}, {"checkpoints": "s3://b/p"}, "--checkpoints", "--state-dir", id="checkpoints alone"),
        pytest.param({}, {"audit_webhook": False}, "--audit-log", "nothing would be read", id="no source at all"),
    ],
)
def test_wrong_setting_is_refused_with_its_name(environ, options, where, text):
    with pytest.raises(errors.BadInputError) as refused:
        settings.read(environ, options)

    assert refused.value.where == where
    assert text in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["RIVERWATCH_AUDIT_PORT", "RIVERWATCH_SERVICE_HOST", "RIVERWATCH_PORT_443_TCP"],
)
def test_variables_that_the_kubelet_adds_for_services_are_passed_over(name):
    assert settings.read({name: "tcp://10.96.0.7:443"}).audit_port == 9443


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        settings.read({}).audit_port = 1


def test_path_is_a_path():
    assert settings.read({"RIVERWATCH_STATE_DIR": "/var/lib/riverwatch"}).state_dir == pathlib.Path(
        "/var/lib/riverwatch"
    )


def test_history_holds_several_paths():
    paths = (pathlib.Path("/logs/a"), pathlib.Path("/logs/b"))
    assert settings.read({"RIVERWATCH_HISTORY": "/logs/a:/logs/b"}).history == paths
    assert settings.read({}, {"history": list(paths)}).history == paths
