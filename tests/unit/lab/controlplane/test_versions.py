from __future__ import annotations

import re

import pytest

from riverwatch.lab.controlplane import versions

STAGING_MODULES = 33
"""How many modules of the kubernetes repository are published apart, in v1.36."""


@pytest.mark.parametrize("module", versions.GoModule)
def test_module_file_pins_the_version_and_every_program(module):
    text = (module.folder / "go.mod").read_text()
    packages = [package for owner, package in versions.GO_PACKAGES.values() if owner is module]
    root = packages[0].partition("/cmd/")[0]
    assert re.search(
        rf"^(require )?\t?{re.escape(root)} {re.escape(module.version)}( // indirect)?$", text, re.MULTILINE
    )
    for package in packages:
        assert re.search(rf"^(tool )?\t?{re.escape(package)}$", text, re.MULTILINE)


def test_staging_modules_are_all_replaced_by_the_matching_version():
    text = (versions.GoModule.KUBERNETES.folder / "go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (k8s\.io/\S+) (v\S+)$", text, re.MULTILINE)
    assert len(replaced) == STAGING_MODULES
    assert all(name == target for name, target, _ in replaced)
    assert {version for _, _, version in replaced} == {"v0" + versions.KUBERNETES.removeprefix("v1")}


@pytest.mark.parametrize("module", versions.GoModule)
def test_module_files_name_no_registry_and_no_machine(module):
    for name in ("go.mod", "go.sum"):
        text = (module.folder / name).read_text()
        assert not re.search(r"://|GOPROXY|proxy\.golang|=> [./]", text)


def test_cache_keys_differ_by_module():
    assert len({module.cache_key for module in versions.GoModule}) == len(versions.GoModule)
