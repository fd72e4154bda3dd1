"""Marks the tests that run every benchmark once, small: half a minute of the machine for themselves."""

import pathlib

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent
    for item in items:
        if item.path.parent == here and "report" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
