"""Reading the cluster that a kubeconfig points to, and keeping foreign ones safe."""

import fake_server as fake
import pytest
import yaml

from riverwatch import errors
from riverwatch.lab.attacks import base, catalog, stage, staging

TOKEN_CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "prod-eu", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "me", "user": {"token": "abc"}}],
    "contexts": [{"name": "here", "context": {"cluster": "prod-eu", "user": "me"}}],
    "current-context": "here",
}


def test_reads_name_address_and_token(tmp_path):
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(TOKEN_CONFIG))
    found = staging.target(path)
    assert found.cluster == "prod-eu"
    assert found.director.server == "https://127.0.0.1:6443"
    assert found.director.identity.credential.token == "abc"


@pytest.mark.parametrize(
    "text", [pytest.param("a: [", id="no YAML"), pytest.param("{}", id="empty"), pytest.param("- a", id="a list")]
)
def test_says_what_is_no_kubeconfig(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(errors.BadInputError, match="config"):
        staging.target(path)


class NarrowStage(stage.Stage):
    """A stage that builds nothing."""

    struck = 0

    def build(self, issue=None):
        assert issue is None
        self._cast.append(fake.somebody("a", namespace=self.namespace))

    def strike(self):
        self.struck += 1
        return []


def narrow(*, wide: bool = False) -> NarrowStage:
    person = fake.somebody("", base.Part.ADMIN)
    return NarrowStage(stage.Director("https://127.0.0.1:1", "", person), namespace="own", wide=wide)


def test_skips_what_reaches_beyond_its_namespace():
    scene = narrow()
    (played,) = staging.play(scene, catalog.named(["cluster-admin-binding"]), seed=1)
    assert "--cluster-wide" in played.skipped
    assert scene.struck == 1


def test_skips_a_part_that_nobody_plays():
    (played,) = staging.play(narrow(wide=True), catalog.named(["secret-dump"]), seed=1)
    assert "secret-sync" in played.skipped


def test_takes_the_stage_away_after_a_failure():
    def fail(_attack, _given):
        raise errors.ApiTemporaryError("away")

    scene = narrow()
    (played,) = staging.play(scene, catalog.named(["permission-enumeration"]), seed=1, perform=fail)
    assert played.failed == "away"
    assert scene.struck == 1
