from __future__ import annotations

import io
import pathlib
import tarfile

import pytest

from riverwatch import errors
from riverwatch.lab.controlplane import binaries, builder, versions

Component = versions.Component


def program(folder: pathlib.Path, component: versions.Component, text: str = "program") -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / component.value
    path.write_text(text)
    path.chmod(0o755)
    return path


def cached(places: binaries.Places, component: versions.Component) -> pathlib.Path:
    """Put a program into the cache the way a build does."""
    target = places.cache_root / versions.GO_PACKAGES[component][0].cache_key
    built = program(places.cache_root / "scratch", component)
    target.mkdir(parents=True, exist_ok=True)
    builder._publish(built, target)
    return target / component.value


def places(tmp_path: pathlib.Path, **more: object) -> binaries.Places:
    given = {"cache": tmp_path / "cache", "environ": {"PATH": str(tmp_path / "path")}, "build": None, **more}
    return binaries.Places(**given)


def test_named_folder_wins_over_environment_and_cache(tmp_path):
    environ = {binaries.ASSETS_VARIABLE: str(tmp_path / "kubebuilder")}
    where = places(tmp_path, assets=tmp_path / "named", environ=environ)
    expected = program(tmp_path / "named", Component.API_SERVER)
    program(tmp_path / "kubebuilder", Component.API_SERVER)
    cached(where, Component.API_SERVER)
    assert binaries.find(Component.API_SERVER, where) == expected


def test_environment_wins_over_cache_and_falls_through_for_what_it_lacks(tmp_path):
    where = places(tmp_path, environ={binaries.ASSETS_VARIABLE: str(tmp_path / "kubebuilder")})
    expected = program(tmp_path / "kubebuilder", Component.API_SERVER)
    cached(where, Component.API_SERVER)
    manager = cached(where, Component.CONTROLLER_MANAGER)
    assert binaries.find(Component.API_SERVER, where) == expected
    assert binaries.find(Component.CONTROLLER_MANAGER, where) == manager


def test_file_that_cannot_be_executed_is_passed_over(tmp_path):
    program(tmp_path / "named", Component.API_SERVER).chmod(0o644)
    assert binaries.find(Component.API_SERVER, places(tmp_path, assets=tmp_path / "named")) is None


@pytest.mark.parametrize("component", Component)
def test_path_serves_only_programs_whose_version_may_differ(tmp_path, component):
    path = program(tmp_path / "path", component)
    expected = path if component in {Component.ETCD, Component.KWOK} else None
    assert binaries.find(component, places(tmp_path)) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"assets": pathlib.Path("/no/such/folder")}, id="named folder"),
        pytest.param({"environ": {binaries.ASSETS_VARIABLE: "/no/such/folder"}}, id="environment"),
        pytest.param({"envtest_archive": pathlib.Path("/no/such/folder")}, id="archive"),
    ],
)
def test_missing_place_that_a_person_named_is_an_error(tmp_path, wrong):
    with pytest.raises(errors.BadInputError, match="/no/such/folder"):
        binaries.find(Component.API_SERVER, places(tmp_path, **wrong))


def test_envtest_archive_is_unpacked_once_and_never_outside_the_cache(tmp_path):
    archive = tmp_path / "envtest-v1.36.0-linux-amd64.tar.gz"
    with tarfile.open(archive, "w:gz") as bundle:
        for name in ("controller-tools/envtest/kube-apiserver", "../../escaped"):
            member = tarfile.TarInfo(name)
            member.size = 3
            bundle.addfile(member, io.BytesIO(b"abc"))
    where = places(tmp_path, envtest_archive=archive)
    found = binaries.find(Component.API_SERVER, where)
    assert found is not None
    assert found.read_bytes() == b"abc"
    assert {path.name for path in found.parent.iterdir()} == {"kube-apiserver", "escaped"}
    before = found.stat().st_mtime_ns
    assert binaries.find(Component.API_SERVER, where) == found
    assert found.stat().st_mtime_ns == before
    assert [path.name for path in where.cache_root.iterdir()] == [found.parent.name]


def test_archive_that_is_none_is_named(tmp_path):
    (tmp_path / "wrong.tar.gz").write_text("no archive")
    with pytest.raises(errors.BadInputError, match=r"wrong\.tar\.gz: not a readable envtest archive"):
        binaries.find(Component.API_SERVER, places(tmp_path, envtest_archive=tmp_path / "wrong.tar.gz"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_changed_program_in_the_cache_is_refused(tmp_path):
    where = places(tmp_path)
    path = cached(where, Component.KWOK)
    assert binaries.find(Component.KWOK, where) == path
    path.write_text("something else entirely")
    with pytest.raises(errors.LabError, match="sha256 differs"):
        binaries.find(Component.KWOK, where)


def test_only_missing_programs_are_built_by_module(tmp_path):
    asked: list[tuple[versions.GoModule, list[versions.Component]]] = []
    where = places(tmp_path, build=lambda module, parts, _target: asked.append((module, list(parts))))
    program(tmp_path / "path", Component.ETCD)
    api_server = cached(where, Component.API_SERVER)
    found = binaries.find_all(Component, where)
    assert asked == [
        (versions.GoModule.KUBERNETES, [Component.CONTROLLER_MANAGER, Component.SCHEDULER]),
        (versions.GoModule.KWOK, [Component.KWOK]),
    ]
    assert list(found) == list(Component)
    assert found[Component.API_SERVER] == api_server
    assert found[Component.SCHEDULER] == api_server.parent / "kube-scheduler"


def test_missing_etcd_says_how_to_get_it(tmp_path):
    with pytest.raises(errors.LabError, match="apt-get install etcd-server"):
        binaries.find_all([Component.ETCD, Component.API_SERVER], places(tmp_path))


def test_missing_program_without_a_build_is_named(tmp_path):
    with pytest.raises(errors.LabError, match="not found: kube-apiserver"):
        binaries.find_all([Component.API_SERVER], places(tmp_path))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"XDG_CACHE_HOME": "/x"}, "/x/riverwatch/controlplane", id="named by the environment"),
        pytest.param({}, str(pathlib.Path.home() / ".cache/riverwatch/controlplane"), id="in the home folder"),
    ],
)
def test_cache_lies_where_caches_lie(environ, expected):
    assert str(binaries.Places(environ=environ).cache_root) == expected
