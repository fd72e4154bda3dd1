"""Real control planes for the tests in this folder; all of them carry the marker `e2e`."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest

from riverwatch.lab import controlplane

TIMEOUT_S = 300
"""Longest one test may take, in seconds; making a control plane, which may build it first, does not count."""

StartControlPlane = Callable[[controlplane.Options], controlplane.ControlPlane]
"""Starts one more control plane, which ends with the test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S, func_only=True))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    """One control plane with everything and two nodes, shared by all tests: use a namespace of your own."""
    folder = tmp_path_factory.mktemp("control-plane")
    with controlplane.ControlPlane.start(folder, controlplane.Options(kwok=True)) as plane:
        plane.add_node("worker-1", "10.0.1.1")
        plane.add_node("worker-2", "10.0.1.2")
        yield plane


@pytest.fixture
def start_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartControlPlane]:
    """Control planes of one test's own, for those that need a webhook or take a program away."""
    planes: list[controlplane.ControlPlane] = []

    def start(chosen: controlplane.Options) -> controlplane.ControlPlane:
        planes.append(controlplane.ControlPlane.start(tmp_path_factory.mktemp("own-plane"), chosen))
        return planes[-1]

    yield start
    for plane in planes:
        plane.stop(grace_s=0)
