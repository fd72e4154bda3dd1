"""The manifests: what the pod is told exists, and everything hangs together."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

import riverwatch
from riverwatch import settings
from riverwatch.control import pages

ROOT = pathlib.Path(riverwatch.__file__).parents[2]
MANIFESTS = ROOT / "manifests"


def documents() -> list[dict[str, Any]]:
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    return [body for name in listed for body in yaml.safe_load_all((MANIFESTS / name).read_text())]


def one(kind: str) -> dict[str, Any]:
    [found] = [body for body in documents() if body["kind"] == kind]
    return found


@pytest.fixture
def pod() -> dict[str, Any]:
    return one("Deployment")["spec"]["template"]["spec"]


def test_every_variable_of_the_pod_is_a_setting(pod):
    names = {item["name"].removeprefix(settings.PREFIX).lower() for item in pod["containers"][0]["env"]}

    assert names <= set(settings.Settings.model_fields)


def test_settings_of_the_pod_are_accepted(pod):
    environ = {item["name"]: item.get("value", "riverwatch-system") for item in pod["containers"][0]["env"]}

    chosen = settings.read(environ)
    assert chosen.namespace == one("Namespace")["metadata"]["name"]


def test_ports_of_the_pod_are_those_of_the_defaults(pod):
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}

    assert ports == {"audit": settings.read({}).audit_port, "probes": settings.read({}).probe_port}


def test_time_to_stop_fits_into_the_grace_of_the_pod(pod):
    assert settings.read({}).stop_s + 15 < pod["terminationGracePeriodSeconds"]


def test_everything_selects_the_pods():
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]

    assert one("Service")["spec"]["selector"] == labels
    assert one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    assert one("Deployment")["spec"]["selector"]["matchLabels"] == labels


def test_address_is_the_same_everywhere():
    address = one("Service")["spec"]["clusterIP"]

    for name in ("audit-credentials.sh", "audit-webhook.kubeconfig.example"):
        assert address in (MANIFESTS / name).read_text()
    assert address in (ROOT / "docs" / "how-to" / "install.md").read_text()


def test_image_is_that_of_this_version(pod):
    assert pod["containers"][0]["image"] == f"riverwatch:{riverwatch.__version__}"
    assert f"riverwatch:{riverwatch.__version__}" in (ROOT / "operator" / "Dockerfile").read_text()


def test_kind_mounts_what_it_tells_the_api_server():
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text())
    [plane] = [node for node in config["nodes"] if node["role"] == "control-plane"]
    mounted = {mount["containerPath"] for mount in plane["extraMounts"]}

    for patch in map(yaml.safe_load, plane["kubeadmConfigPatches"]):
        arguments = patch["apiServer"]["extraArgs"]
        if isinstance(arguments, list):
            arguments = {item["name"]: item["value"] for item in arguments}
        assert {arguments["audit-policy-file"], arguments["audit-webhook-config-file"]} == mounted


def test_page_of_settings_is_fresh():
    assert pages.main(["--check", "--root", str(ROOT)]) == 0


def test_stale_page_is_told(tmp_path, capsys):
    (tmp_path / pages.PAGE.parent).mkdir(parents=True)
    assert pages.main(["--check", "--root", str(tmp_path)]) == 1
    assert "stale" in capsys.readouterr().err
    assert pages.main(["--root", str(tmp_path)]) == 0
    assert pages.main(["--check", "--root", str(tmp_path)]) == 0
