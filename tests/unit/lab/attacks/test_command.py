"""`riverwatch lab attack`: cards, and the guard before foreign clusters."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from riverwatch.cli import lab, lab_attack
from riverwatch.lab.attacks import catalog

CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "prod-eu", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "me", "user": {"token": "abc"}}],
    "contexts": [{"name": "here", "context": {"cluster": "prod-eu", "user": "me"}}],
    "current-context": "here",
}


assert lab_attack.lab is lab  # importing it registers its command


def run(*arguments: object):
    return CliRunner().invoke(lab.app, ["attack", *map(str, arguments)])


def test_lists_every_card():
    lines = [json.loads(line) for line in run("--list", "--json").output.splitlines()]
    assert [line["id"] for line in lines] == list(catalog.load())


def test_names_an_unknown_attack():
    result = run("--list", "no-such-attack")
    assert result.exit_code == 1
    assert "unknown attack no-such-attack" in result.output


@pytest.mark.parametrize(
    "given", [pytest.param([], id="nothing"), pytest.param(["--confirm", "prod-us"], id="another")]
)
def test_sends_nothing_to_a_cluster_that_is_not_confirmed_by_name(tmp_path, given):
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(CONFIG))
    result = run("--target", path, *given)
    assert result.exit_code == 1
    assert "--confirm prod-eu" in result.output
