"""The builder with a stand-in for the Go command; the real build is what the end-to-end tests run on."""

from __future__ import annotations

import json
import pathlib
import threading

import pytest

from riverwatch import errors
from riverwatch.lab.controlplane import builder, versions

Component = versions.Component

GO = """#!/bin/sh
echo "$@" >> "{log}"
case "$1" in
  list) printf 'a\\nb\\nc\\n'; exit {list_status} ;;
esac
echo "go: downloading something" >&2
echo "first/package" >&2
echo "# second/package" >&2
echo "second.go:1:1: does not compile" >&2
while [ "$1" != -o ]; do shift; done
[ {build_status} = 0 ] && printf 'program' > "$2" && chmod +x "$2"
exit {build_status}
"""
"""Answers as `go list` and `go build` do, and writes down how it was called."""


@pytest.fixture
def go(tmp_path, monkeypatch):
    def install(*, list_status: int = 0, build_status: int = 0) -> pathlib.Path:
        log = tmp_path / "calls"
        path = tmp_path / "bin" / "go"
        path.parent.mkdir()
        path.write_text(GO.format(log=log, list_status=list_status, build_status=build_status))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
        return log

    return install


def test_builds_each_program_once_with_a_manifest(go, tmp_path, capsys):
    log = go()
    target = tmp_path / "cache"
    parts = [Component.API_SERVER, Component.SCHEDULER]
    builder.build(versions.GoModule.KUBERNETES, parts, target)
    builder.build(versions.GoModule.KUBERNETES, parts, target)
    builds = [line for line in log.read_text().splitlines() if line.startswith("build ")]
    assert [line.split()[-1] for line in builds] == [
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-scheduler",
    ]
    assert all(f"gitVersion={versions.KUBERNETES}" in line for line in builds)
    assert sorted(json.loads((target / builder.MANIFEST).read_text())) == sorted(parts)
    assert {path.name for path in target.iterdir()} == {*parts, builder.MANIFEST, ".lock"}
    for part in parts:
        builder.check_manifest(target, part)
    shown = capsys.readouterr().err
    assert "building kube-apiserver v1.36.3: 3 packages" in shown
    assert "building kube-apiserver v1.36.3: done" in shown


def test_failing_compiler_leaves_nothing_and_shows_its_last_words(go, tmp_path):
    go(build_status=1)
    target = tmp_path / "cache"
    with pytest.raises(errors.LabError, match=r"building kwok failed(.|\n)*second\.go:1:1: does not compile"):
        builder.build(versions.GoModule.KWOK, [Component.KWOK], target)
    assert [path.name for path in target.iterdir()] == [".lock"]


def test_unreadable_module_is_reported(go, tmp_path):
    go(list_status=1)
    with pytest.raises(errors.LabError, match="building kwok failed"):
        builder.build(versions.GoModule.KWOK, [Component.KWOK], tmp_path / "cache")


def test_two_builders_of_one_folder_do_not_build_twice(go, tmp_path):
    log = go()
    both = [
        threading.Thread(target=builder.build, args=(versions.GoModule.KWOK, [Component.KWOK], tmp_path / "cache"))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sum(line.startswith("build ") for line in log.read_text().splitlines()) == 1


def test_missing_compiler_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.LabError, match=r"needed to build kwok.*KUBEBUILDER_ASSETS"):
        builder.build(versions.GoModule.KWOK, [Component.KWOK], tmp_path / "cache")
